# What a person should hear of. docs/aws.md says for each what to do.

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.main.arn
}

resource "aws_sns_topic_subscription" "email" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  database_dimensions = { DBInstanceIdentifier = aws_db_instance.main.identifier }
  broker_dimensions   = { Broker = aws_mq_broker.main.broker_name }
  balancer_dimensions = { LoadBalancer = aws_lb.web.arn_suffix }
  target_dimensions   = merge(local.balancer_dimensions, { TargetGroup = aws_lb_target_group.web.arn_suffix })

  # Each holds when `stat` of `metric` is `compare` `threshold` in every one of `periods` times `period` seconds.
  alarms = {
    jobs-wait = {
      about      = "Jobs have waited for half an hour: workers do not keep up."
      namespace  = "AWS/AmazonMQ", metric = "MessageReadyCount", stat = "Minimum"
      dimensions = local.queue_dimensions
      compare    = "GreaterThanThreshold", threshold = 0, period = 300, periods = 6
    }
    unreadable-messages = {
      about      = "Messages that no worker could read: linkferry dead."
      namespace  = "AWS/AmazonMQ", metric = "MessageCount", stat = "Maximum"
      dimensions = merge(local.queue_dimensions, { Queue = "linkferry.dead" })
      compare    = "GreaterThanThreshold", threshold = 0, period = 300, periods = 1
    }
    web-errors = {
      about      = "The web endpoint fails."
      namespace  = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", stat = "Sum"
      dimensions = local.target_dimensions
      compare    = "GreaterThanThreshold", threshold = 10, period = 300, periods = 2
    }
    web-unreachable = {
      about      = "The load balancer itself answers with errors: no web task takes its requests."
      namespace  = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", stat = "Sum"
      dimensions = local.balancer_dimensions
      compare    = "GreaterThanThreshold", threshold = 10, period = 300, periods = 2
    }
    web-unhealthy = {
      about      = "A web task does not answer its health check."
      namespace  = "AWS/ApplicationELB", metric = "UnHealthyHostCount", stat = "Maximum"
      dimensions = local.target_dimensions
      compare    = "GreaterThanThreshold", threshold = 0, period = 60, periods = 5
    }
    database-storage = {
      about      = "The database's disk has less than 2 GiB left."
      namespace  = "AWS/RDS", metric = "FreeStorageSpace", stat = "Minimum"
      dimensions = local.database_dimensions
      compare    = "LessThanThreshold", threshold = 2 * 1024 * 1024 * 1024, period = 300, periods = 2
    }
    database-cpu = {
      about      = "The database's processor is busy."
      namespace  = "AWS/RDS", metric = "CPUUtilization", stat = "Average"
      dimensions = local.database_dimensions
      compare    = "GreaterThanThreshold", threshold = 80, period = 300, periods = 3
    }
    database-memory = {
      about      = "The database has less than 100 MiB of memory left."
      namespace  = "AWS/RDS", metric = "FreeableMemory", stat = "Minimum"
      dimensions = local.database_dimensions
      compare    = "LessThanThreshold", threshold = 100 * 1024 * 1024, period = 300, periods = 3
    }
    broker-cpu = {
      about      = "The broker's processor is busy."
      namespace  = "AWS/AmazonMQ", metric = "SystemCpuUtilization", stat = "Average"
      dimensions = local.broker_dimensions
      compare    = "GreaterThanThreshold", threshold = 80, period = 300, periods = 3
    }
  }

  # Each holds when the share of `part` in `whole` is `compare` `threshold`.
  shares = {
    broker-memory = {
      about      = "The broker is short of memory; at its limit it takes no more jobs."
      namespace  = "AWS/AmazonMQ", part = "RabbitMQMemUsed", whole = "RabbitMQMemLimit"
      dimensions = local.broker_dimensions
      compare    = "GreaterThanThreshold", threshold = 0.8
    }
    broker-disk = {
      about      = "The broker is short of disk; at its limit it takes no more jobs."
      namespace  = "AWS/AmazonMQ", part = "RabbitMQDiskFree", whole = "RabbitMQDiskFreeLimit"
      dimensions = local.broker_dimensions
      compare    = "LessThanThreshold", threshold = 1.5
    }
    worker-disk = {
      about      = "The workers' disks are almost full."
      namespace  = "ECS/ContainerInsights", part = "EphemeralStorageUtilized", whole = "EphemeralStorageReserved"
      dimensions = { ClusterName = aws_ecs_cluster.main.name, ServiceName = "worker" }
      compare    = "GreaterThanThreshold", threshold = 0.85
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "simple" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.about
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.stat
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.compare
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching" # load balancers count errors only when there are some
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "share" {
  for_each = local.shares

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.about
  evaluation_periods  = 2
  comparison_operator = each.value.compare
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "share"
    label       = each.key
    expression  = "part / whole"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { part = each.value.part, whole = each.value.whole }

    content {
      id = metric_query.key

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        stat        = "Average"
        period      = 300
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "tasks" {
  for_each = local.services

  alarm_name          = "${var.name}-${each.key}-tasks"
  alarm_description   = "Fewer tasks of linkferry ${each.key} run than should."
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = aws_ecs_cluster.main.name, ServiceName = each.key }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = var.started ? each.value.tasks : 0
  treat_missing_data  = var.started && each.value.tasks > 0 ? "breaching" : "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.services

  alarm_name          = "${var.name}-${each.key}-log"
  alarm_description   = "linkferry ${each.key} logs errors."
  namespace           = aws_cloudwatch_log_metric_filter.errors[each.key].metric_transformation[0].namespace
  metric_name         = aws_cloudwatch_log_metric_filter.errors[each.key].metric_transformation[0].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
