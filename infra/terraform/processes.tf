# What runs: `linkferry bots`, `web` and `worker` as services, `linkferry migrate` as a task that ends. Each sees
# only the secrets it uses. Nothing is shared but the database, the broker and the bucket: a task's folder is
# its own and ends with it, so the keys that sign links come from Secrets Manager.

locals {
  port         = 8080
  metrics_port = 9464 # on loopback, where `linkferry health` asks
  image        = "${aws_ecr_repository.main.repository_url}:${var.image_tag}"
  drain_time   = 100 # seconds that running jobs get; below what Fargate waits before it kills
  stop_timeout = 120 # seconds, Fargate's most

  chat_secrets = setsubtract(var.secrets, ["API_KEYS"])

  names = toset(["bots", "migrate", "web", "worker"])

  processes = {
    bots = {
      cpu         = 512
      memory      = 1024
      storage_gib = 21 # files up to 50 MB on their way from the bucket to a chat
      environment = local.environment
      secrets = concat(
        ["DATABASE_URL", "QUEUE_URL", "SECRET_KEYS", "TELEGRAM_WEBHOOK_SECRET"], tolist(local.chat_secrets)
      )
    }
    web = {
      cpu         = 512
      memory      = 1024
      storage_gib = 21
      environment = merge(local.environment, {
        HOST                 = "0.0.0.0" # the load balancer's side; its security group lets nobody else in
        PORT                 = tostring(local.port)
        S3_CLOUDFRONT_DOMAIN = aws_cloudfront_distribution.files.domain_name
        S3_CLOUDFRONT_KEY_ID = aws_cloudfront_public_key.files[var.cloudfront_key_names[0]].id
      })
      secrets = concat(
        ["DATABASE_URL", "QUEUE_URL", "S3_CLOUDFRONT_KEY", "SECRET_KEYS", "TELEGRAM_WEBHOOK_SECRET"],
        tolist(var.secrets)
      )
    }
    worker = {
      cpu         = var.workers.cpu
      memory      = var.workers.memory
      storage_gib = var.workers.storage_gib
      environment = merge({ TRANSLATOR = var.amazon_translate ? "amazon" : "auto" }, local.environment, {
        MAX_CONCURRENT_DOWNLOADS = tostring(var.workers.downloads)
        DRAIN_TIMEOUT            = tostring(local.drain_time)
      })
      secrets = ["DATABASE_URL", "QUEUE_URL", "SECRET_KEYS"]
    }
    migrate = {
      cpu         = 256
      memory      = 512
      storage_gib = 21
      # It needs the database and nothing else: no bucket and no broker.
      environment = { DATA_DIR = "/data", STORAGE = "local", LOG_FORMAT = "json" }
      secrets     = ["DATABASE_URL"]
    }
  }

  services = {
    bots   = { tasks = 1 }
    web    = { tasks = var.web_tasks }
    worker = { tasks = var.workers.min }
  }

  environment = merge(var.settings, {
    DATA_DIR   = "/data"
    STORAGE    = "s3"
    S3_BUCKET  = aws_s3_bucket.files.id
    S3_PREFIX  = local.prefix
    AWS_REGION = var.region
    PUBLIC_URL = "https://${var.domain_name}"
    RETENTION  = tostring(var.retention_days * 86400)
    LOG_FORMAT = "json"

    HOST         = "127.0.0.1"
    METRICS_PORT = tostring(local.metrics_port)
  })
}

resource "aws_cloudwatch_log_group" "process" {
  #checkov:skip=CKV_AWS_338:Logs name the links that people sent: a year would be longer than anybody needs.
  for_each = local.names

  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.main.arn
}

resource "aws_ecs_cluster" "main" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "process" {
  for_each = local.processes

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.start[each.key].arn
  task_role_arn            = aws_iam_role.task[each.key].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  ephemeral_storage {
    size_in_gib = each.value.storage_gib
  }

  volume {
    name = "data"
  }

  container_definitions = jsonencode(concat([{
    name                   = "linkferry"
    image                  = local.image
    essential              = true
    entryPoint             = ["linkferry"]
    command                = [each.key]
    readonlyRootFilesystem = true
    stopTimeout            = local.stop_timeout

    linuxParameters = {
      initProcessEnabled = true # children of children are waited for
      capabilities       = { drop = ["ALL"] }
      tmpfs              = [{ containerPath = "/tmp", size = 128 }] # MiB of the task's memory
    }

    mountPoints = [{ sourceVolume = "data", containerPath = "/data", readOnly = false }]

    # Alive, not ready: a database that is away must not end downloads that go on without it.
    healthCheck = each.key == "migrate" ? null : {
      command     = ["CMD", "linkferry", "health"]
      interval    = 30
      timeout     = 10
      retries     = 3
      startPeriod = 120
    }

    portMappings = each.key == "web" ? [{ containerPort = local.port, protocol = "tcp" }] : []

    environment = concat(
      [for name, value in each.value.environment : { name = "LINKFERRY_${name}", value = value }],
      local.tracing_environment,
    )

    secrets = [
      for name in each.value.secrets : { name = "LINKFERRY_${name}", valueFrom = local.secret_arns[name] }
    ]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.process[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "task"
      }
    }
  }], each.key == "migrate" ? [] : local.collectors))

  # A task that starts before its secrets have a value does not start at all.
  depends_on = [aws_secretsmanager_secret_version.generated]
}
