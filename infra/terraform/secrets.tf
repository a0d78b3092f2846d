# What Linkferry must know and nobody else. The first ones are made here and so stand in the state too; the
# values of var.secrets are put in by hand and stand nowhere else.

locals {
  # To the database, `require` encrypts and checks no certificate: RDS's is of an authority that no image knows.
  # The password itself never travels (SCRAM), and only its security group's servers answer at that name.
  generated = {
    DATABASE_URL            = "postgresql+asyncpg://linkferry:${random_password.database.result}@${aws_db_instance.main.endpoint}/linkferry?ssl=require"
    QUEUE_URL               = "amqps://linkferry:${random_password.broker.result}@${local.broker_host}/"
    SECRET_KEYS             = join(",", [for name in var.key_names : random_password.key[name].result])
    S3_CLOUDFRONT_KEY       = tls_private_key.cloudfront[var.cloudfront_key_names[0]].private_key_pem
    TELEGRAM_WEBHOOK_SECRET = random_password.webhook.result
  }
}

resource "random_password" "key" {
  for_each = toset(var.key_names)

  length  = 48
  special = false # commas divide them
}

resource "random_password" "webhook" {
  length  = 48
  special = false
}

resource "aws_secretsmanager_secret" "generated" {
  #checkov:skip=CKV2_AWS_57:They change by key_names and by -replace, with a new deployment: no function could restart the tasks at the right moment.
  for_each = toset([
    "DATABASE_URL", "QUEUE_URL", "S3_CLOUDFRONT_KEY", "SECRET_KEYS", "TELEGRAM_WEBHOOK_SECRET",
  ])

  name                    = "${var.name}/${each.key}"
  description             = "LINKFERRY_${each.key}, made by Terraform"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "generated" {
  for_each = aws_secretsmanager_secret.generated

  secret_id     = each.value.id
  secret_string = local.generated[each.key]
}

resource "aws_secretsmanager_secret" "given" {
  #checkov:skip=CKV2_AWS_57:Telegram and Slack give new tokens to people, not to functions.
  for_each = var.secrets

  name                    = "${var.name}/${each.key}"
  description             = "LINKFERRY_${each.key}, put in by hand: aws secretsmanager put-secret-value"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 7
}

locals {
  secret_arns = merge(
    { for name, secret in aws_secretsmanager_secret.generated : name => secret.arn },
    { for name, secret in aws_secretsmanager_secret.given : name => secret.arn },
  )
}
