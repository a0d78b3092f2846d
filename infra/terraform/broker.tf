# RabbitMQ. It holds ids of jobs and nothing else; what it loses, the database's outbox sends again.

resource "random_password" "broker" {
  length  = 40
  special = false # it stands in an address
}

resource "aws_mq_broker" "main" {
  #checkov:skip=CKV_AWS_209:Amazon MQ encrypts with a key of its own; only ids of jobs are in it.
  broker_name        = var.name
  engine_type        = "RabbitMQ"
  engine_version     = "4.2"
  host_instance_type = var.broker_instance
  deployment_mode    = var.highly_available ? "CLUSTER_MULTI_AZ" : "SINGLE_INSTANCE"

  # One subnet for the single node; a cluster spreads over those it is given.
  subnet_ids          = slice(aws_subnet.private[*].id, 0, var.highly_available ? 2 : 1)
  security_groups     = [aws_security_group.broker.id]
  publicly_accessible = false

  auto_minor_version_upgrade = true
  apply_immediately          = false

  user {
    username = "linkferry"
    password = random_password.broker.result
  }

  logs {
    general = true
  }

  maintenance_window_start_time {
    day_of_week = "SUNDAY"
    time_of_day = "03:00"
    time_zone   = "UTC"
  }
}

locals {
  # amqps://host:5671, which is the only protocol that RabbitMQ's brokers offer here
  broker_host = trimprefix(aws_mq_broker.main.instances[0].endpoints[0], "amqps://")
}
