# Workers, by what waits. A job that a worker took has left the queue, so an empty queue does not say that nobody
# works; but a worker that carries jobs is protected, and ECS stops one that stands still (linkferry/protection.py).

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
    metric_aggregation_type = "Maximum"
    cooldown                = 300 # seconds

    step_adjustment {
      metric_interval_upper_bound = 0
      scaling_adjustment          = -1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "fewer_workers" {
  alarm_name          = "${var.name}-fewer-workers"
  alarm_description   = "For a quarter of an hour nothing waited: a worker that stands still stops. Nothing to do."
  namespace           = "AWS/AmazonMQ"
  metric_name         = "MessageReadyCount"
  dimensions          = local.queue_dimensions
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 15
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.fewer.arn]
}
