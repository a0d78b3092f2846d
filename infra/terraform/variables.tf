variable "name" {
  description = "What everything is called. Lower case, because a bucket's name begins with it."
  type        = string
  default     = "linkferry"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "Use 2 to 20 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "region" {
  description = "The region of everything, such as eu-central-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "That is no region's name."
  }
}

variable "domain_name" {
  description = "The host name under which people reach the web endpoint, such as links.example.org."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "A host name only: no https:// and no path."
  }
}

variable "certificate_arn" {
  description = "The ACM certificate for the domain name, issued in this region."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.certificate_arn))
    error_message = "That is no ACM certificate's ARN."
  }
}

variable "image_tag" {
  description = "The tag of the image in the repository that all processes run."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "Name one build, such as 2026.11.22: tags in the repository cannot be moved."
  }
}

variable "started" {
  description = "False: everything stands and no task runs, for the first deployment and for restoring."
  type        = bool
  default     = true
}

variable "architecture" {
  description = "What the image was built for: X86_64, or ARM64, which costs a fifth less."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "X86_64 or ARM64."
  }
}

variable "secrets" {
  description = "Settings, without LINKFERRY_, whose values you put into Secrets Manager yourself."
  type        = set(string)
  default     = ["TELEGRAM_TOKEN"]

  validation {
    condition = length(setsubtract(var.secrets, [
      "API_KEYS", "SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET",
      "SLACK_SIGNING_SECRET", "TELEGRAM_TOKEN",
    ])) == 0
    error_message = "Only API_KEYS, TELEGRAM_TOKEN and the SLACK_... tokens and secrets; all else is in settings."
  }
}

variable "settings" {
  description = "More settings for every process, without LINKFERRY_: { MAX_FILE_SIZE_GB = \"2\" }. Never secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Names as in the README's table, without LINKFERRY_."
  }

  validation {
    condition = length(setintersection(keys(var.settings), [
      "AWS_REGION", "DATABASE_URL", "DATA_DIR", "DRAIN_TIMEOUT", "HOST", "MAX_CONCURRENT_DOWNLOADS",
      "METRICS_PORT", "PORT", "PUBLIC_URL", "QUEUE_URL", "RETENTION", "S3_BUCKET", "S3_PREFIX", "SECRET_KEYS", "STORAGE",
    ])) == 0
    error_message = "One of these is set from a variable or a resource here: change that instead."
  }

  validation {
    condition = length(setintersection(keys(var.settings), [
      "API_KEYS", "LIBRETRANSLATE_API_KEY", "S3_CLOUDFRONT_DOMAIN", "S3_CLOUDFRONT_KEY", "S3_CLOUDFRONT_KEY_ID",
      "SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET",
      "TELEGRAM_TOKEN", "TELEGRAM_WEBHOOK_SECRET",
    ])) == 0
    error_message = "Anybody who sees the task definition reads these: secrets go into var.secrets."
  }
}

variable "key_names" {
  description = "One signing key for each name; the first signs, all verify. Add in front, remove at the end."
  type        = list(string)
  default     = ["first"]

  validation {
    condition     = length(var.key_names) > 0 && length(distinct(var.key_names)) == length(var.key_names)
    error_message = "At least one name, and none twice."
  }
}

variable "cloudfront_key_names" {
  description = "The same for the keys that sign CloudFront's links. Letters, digits and hyphens."
  type        = list(string)
  default     = ["first"]

  validation {
    condition = (
      length(var.cloudfront_key_names) > 0 && length(var.cloudfront_key_names) <= 5
      && length(distinct(var.cloudfront_key_names)) == length(var.cloudfront_key_names)
      && alltrue([for name in var.cloudfront_key_names : can(regex("^[A-Za-z0-9-]+$", name))])
    )
    error_message = "One to five names, and none twice: CloudFront takes no more keys in a group."
  }
}

variable "retention_days" {
  description = "Days a finished file is kept."
  type        = number
  default     = 7

  validation {
    condition     = var.retention_days >= 1 && floor(var.retention_days) == var.retention_days
    error_message = "Whole days, one at least."
  }
}

variable "web_tasks" {
  description = "Tasks of the web endpoint. Two survive the loss of a zone."
  type        = number
  default     = 2

  validation {
    condition     = var.web_tasks >= 1 && var.web_tasks <= 20
    error_message = "1 to 20."
  }
}

variable "workers" {
  description = "What one worker has (cpu 1024 is one processor; memory in MiB) and how many may run."
  type = object({
    cpu         = optional(number, 2048)
    memory      = optional(number, 4096)
    storage_gib = optional(number, 60)
    downloads   = optional(number, 3)
    min         = optional(number, 1)
    max         = optional(number, 6)
  })
  default = {}

  validation {
    condition     = contains([1024, 2048, 4096, 8192, 16384], var.workers.cpu)
    error_message = "Fargate has 1024, 2048, 4096, 8192 and 16384."
  }

  validation {
    condition = (
      var.workers.memory >= 2 * var.workers.cpu && var.workers.memory <= 7 * var.workers.cpu
      && var.workers.memory % 1024 == 0
    )
    error_message = "Whole GiB, two to seven times as many MiB as cpu: Fargate has no others."
  }

  validation {
    condition     = var.workers.storage_gib >= 21 && var.workers.storage_gib <= 200
    error_message = "Fargate has 21 to 200 GiB for one task."
  }

  validation {
    # A job holds the tracks, the merged file and the converted one at the same time.
    condition = (
      var.workers.storage_gib >=
      3 * var.workers.downloads * tonumber(lookup(var.settings, "MAX_FILE_SIZE_GB", "5"))
    )
    error_message = "Too little for so many downloads of MAX_FILE_SIZE_GB at once: each needs three times that."
  }

  validation {
    condition     = var.workers.min >= 0 && var.workers.min <= var.workers.max && var.workers.max >= 1
    error_message = "min must not be above max."
  }
}

variable "amazon_translate" {
  description = "Whether captions are translated by Amazon Translate, which AWS charges for by the character."
  type        = bool
  default     = true
}

variable "trace_collector" {
  description = "An image of AWS's OpenTelemetry collector, by version: traces go to X-Ray. Empty: none."
  type        = string
  default     = ""

  validation {
    condition     = var.trace_collector == "" || can(regex("/aws-otel-collector:v[0-9]", var.trace_collector))
    error_message = "Such as public.ecr.aws/aws-observability/aws-otel-collector:v0.47.0."
  }
}

variable "highly_available" {
  description = "A second zone for the database, three nodes for the broker, a NAT gateway for each zone."
  type        = bool
  default     = false
}

variable "database_instance" {
  description = "The database's instance class."
  type        = string
  default     = "db.t4g.small"

  validation {
    condition     = can(regex("^db\\.", var.database_instance))
    error_message = "Classes of database instances begin with db."
  }
}

variable "broker_instance" {
  description = "The broker's instance type; RabbitMQ 4 runs on mq.m7g only, and three nodes need a large one."
  type        = string
  default     = "mq.m7g.medium"

  validation {
    condition     = can(regex("^mq\\.m7g\\.", var.broker_instance))
    error_message = "Amazon MQ offers RabbitMQ 4.2 on mq.m7g instances only."
  }

  validation {
    condition     = !var.highly_available || var.broker_instance != "mq.m7g.medium"
    error_message = "Three nodes need mq.m7g.large or larger."
  }
}

variable "zones" {
  description = "The letters of the two zones to use; they stay the same when AWS opens others."
  type        = list(string)
  default     = ["a", "b"]

  validation {
    condition     = length(distinct(var.zones)) == 2 && alltrue([for letter in var.zones : can(regex("^[a-f]$", letter))])
    error_message = "Two different letters, such as a and b."
  }
}

variable "vpc_cidr" {
  description = "The private network's addresses, a /16 to /22."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrsubnets(var.vpc_cidr, 2, 2, 4, 4)) && can(regex("/(1[6-9]|2[0-2])$", var.vpc_cidr))
    error_message = "A network such as 10.40.0.0/16."
  }
}

variable "alarm_email" {
  description = "Who hears of alarms. AWS sends a message first that must be confirmed."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "That is no address."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept. They name the links people sent."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400], var.log_retention_days)
    error_message = "CloudWatch has 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 and 400."
  }
}

variable "deletion_protection" {
  description = "Keeps the database and the load balancer from being deleted. False only to tear down."
  type        = bool
  default     = true
}
