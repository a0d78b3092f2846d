# Workers, by what waits. A job that a worker took has left the queue, so the queue's depth alone says only when
# more workers are needed; that fewer are enough takes workers that stand still as well.

locals {
  queue_dimensions = { Broker = aws_mq_broker.main.broker_name, VirtualHost = "/", Queue = "linkferry.jobs" }
}

resource "aws_appautoscaling_target" "worker" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.worker.name}"
  min_capacity       = var.started ? var.workers.min : 0
  max_capacity       = var.started ? var.workers.max : 0
}

resource "aws_appautoscaling_policy" "more" {
  name               = "more"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.worker.service_namespace
  scalable_dimension = aws_appautoscaling_target.worker.scalable_dimension
  resource_id        = aws_appautoscaling_target.worker.resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 120 # seconds: until the last ones have started and taken their jobs

    # Bounds count from the alarm's threshold of one waiting job.
    step_adjustment {
      metric_interval_lower_bound = 0
      metric_interval_upper_bound = 3 * var.workers.downloads
      scaling_adjustment          = 1
    }

    step_adjustment {
      metric_interval_lower_bound = 3 * var.workers.downloads
      metric_interval_upper_bound = 10 * var.workers.downloads
      scaling_adjustment          = 2
    }

    step_adjustment {
      metric_interval_lower_bound = 10 * var.workers.downloads
      scaling_adjustment          = 4
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "more_workers" {
  alarm_name          = "${var.name}-more-workers"
  alarm_description   = "Jobs wait: more workers start. Nothing to do."
  namespace           = "AWS/AmazonMQ"
  metric_name         = "MessageReadyCount"
  dimensions          = local.queue_dimensions
  statistic           = "Minimum" # a job that waits for a moment is no reason
  period              = 60
  evaluation_periods  = 2
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.more.arn]
}

resource "aws_appautoscaling_policy" "fewer" {
  name               = "fewer"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.worker.service_namespace
  scalable_dimension = aws_appautoscaling_target.worker.scalable_dimension
  resource_id        = aws_appautoscaling_target.worker.resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Minimum"
    cooldown                = 300 # seconds

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = -1
    }
  }
}

# ECS stops any task it likes, so even the busiest of them must be quiet. What is stopped all the same loses its
# work folder: another worker begins that job anew.
resource "aws_cloudwatch_metric_alarm" "fewer_workers" {
  alarm_name          = "${var.name}-fewer-workers"
  alarm_description   = "For a quarter of an hour nothing waited and no worker did anything: one stops. Nothing to do."
  evaluation_periods  = 15
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.fewer.arn]

  metric_query {
    id          = "idle"
    label       = "Nothing waits and nobody works"
    expression  = "IF(waiting == 0 AND busiest < 5, 1, 0)"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/AmazonMQ"
      metric_name = "MessageReadyCount"
      dimensions  = local.queue_dimensions
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "busiest"

    metric {
      namespace   = "AWS/ECS"
      metric_name = "CPUUtilization"
      dimensions  = { ClusterName = aws_ecs_cluster.main.name, ServiceName = aws_ecs_service.worker.name }
      stat        = "Maximum"
      period      = 60
    }
  }
}
