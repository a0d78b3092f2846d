# Who may talk to whom. One security group for each process, the load balancer, the database and the broker.

locals {
  # Sites serve media on other ports than 443 too; which addresses are refused is the program's own rule.
  worker_ports = { http = [80, 80], high = [1024, 65535] }
}

resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "The load balancer: https from everywhere"
  vpc_id      = aws_vpc.main.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "process" {
  #checkov:skip=CKV2_AWS_5:Each is attached to the service of its name, which checkov does not see through for_each.
  for_each = local.names

  name        = "${var.name}-${each.key}"
  description = "linkferry ${each.key}"
  vpc_id      = aws_vpc.main.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "PostgreSQL, from the processes only"
  vpc_id      = aws_vpc.main.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "broker" {
  name        = "${var.name}-broker"
  description = "RabbitMQ, from the processes only"
  vpc_id      = aws_vpc.main.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  #checkov:skip=CKV_AWS_260:Port 80 answers with a redirect to https and nothing else.
  for_each = toset(["80", "443"])

  security_group_id = aws_security_group.balancer.id
  description       = "People, Telegram and Slack"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

resource "aws_vpc_security_group_egress_rule" "balancer_to_web" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "The web endpoint"
  referenced_security_group_id = aws_security_group.process["web"].id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_ingress_rule" "web" {
  security_group_id            = aws_security_group.process["web"].id
  description                  = "The load balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = local.names

  security_group_id = aws_security_group.process[each.key].id
  description       = "AWS, the chat platforms, and sites"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "sites" {
  for_each = local.worker_ports

  security_group_id = aws_security_group.process["worker"].id
  description       = "Sites that do not use port 443"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value[0]
  to_port           = each.value[1]
}

resource "aws_vpc_security_group_egress_rule" "to_database" {
  for_each = local.names

  security_group_id            = aws_security_group.process[each.key].id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = local.names

  security_group_id            = aws_security_group.database.id
  description                  = "linkferry ${each.key}"
  referenced_security_group_id = aws_security_group.process[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "to_broker" {
  for_each = local.services

  security_group_id            = aws_security_group.process[each.key].id
  description                  = "RabbitMQ over TLS"
  referenced_security_group_id = aws_security_group.broker.id
  ip_protocol                  = "tcp"
  from_port                    = 5671
  to_port                      = 5671
}

resource "aws_vpc_security_group_ingress_rule" "broker" {
  for_each = local.services

  security_group_id            = aws_security_group.broker.id
  description                  = "linkferry ${each.key}"
  referenced_security_group_id = aws_security_group.process[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = 5671
  to_port                      = 5671
}
