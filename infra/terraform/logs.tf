# Logs of what is not ours; those of the processes are in processes.tf.

resource "aws_cloudwatch_log_group" "network" {
  #checkov:skip=CKV_AWS_338:Whose connections were refused a year ago helps nobody.
  name              = "/${var.name}/network"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.main.arn
}

# Made before the database, which would make them itself, to be kept for ever.
resource "aws_cloudwatch_log_group" "database" {
  #checkov:skip=CKV_AWS_338:Statements that were slow a year ago help nobody.
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.main.arn
}

# One count for each process of lines that somebody should read.
resource "aws_cloudwatch_log_metric_filter" "errors" {
  for_each = local.services

  name           = "errors"
  log_group_name = aws_cloudwatch_log_group.process[each.key].name
  pattern        = "{ $.level = \"ERROR\" || $.level = \"CRITICAL\" }"

  metric_transformation {
    namespace     = var.name
    name          = "errors-${each.key}"
    value         = "1"
    default_value = "0"
  }
}
