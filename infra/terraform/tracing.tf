# Traces, for who wants them: a collector in each task takes them from its process and passes them on to X-Ray.

locals {
  is_traced = var.trace_collector != ""

  tracing_environment = [
    for address in local.is_traced ? ["http://localhost:4318"] : [] :
    { name = "OTEL_EXPORTER_OTLP_ENDPOINT", value = address }
  ]

  collectors = [
    for image in local.is_traced ? [var.trace_collector] : [] : {
      name                   = "collector"
      image                  = image
      essential              = false # without it there are no traces, and nothing else is missing
      memory                 = 128
      readonlyRootFilesystem = true

      environment = [{
        name = "AOT_CONFIG_CONTENT"
        value = jsonencode({
          receivers = { otlp = { protocols = { http = { endpoint = "localhost:4318" } } } }
          exporters = { awsxray = { region = var.region } }
          service   = { pipelines = { traces = { receivers = ["otlp"], exporters = ["awsxray"] } } }
        })
      }]
    }
  ]
}

data "aws_iam_policy_document" "traces" {
  #checkov:skip=CKV_AWS_356:Traces are no resources.
  statement {
    sid       = "Traces"
    actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "traces" {
  for_each = local.is_traced ? toset(keys(local.services)) : toset([])

  name   = "traces"
  role   = aws_iam_role.task[each.key].id
  policy = data.aws_iam_policy_document.traces.json
}
