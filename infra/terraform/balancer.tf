# https for people, Telegram's and Slack's pushes. It has no access log: addresses of files hold their tokens.

resource "aws_lb" "web" {
  #checkov:skip=CKV_AWS_91:Access logs would hold the tokens of signed links, and anybody who reads them the files.
  #checkov:skip=CKV2_AWS_28:A web firewall has a price of its own; links are signed, the API wants keys, pushes are verified by secret or signature.
  #checkov:skip=CKV2_AWS_76:The same; nothing behind it runs Java.
  #checkov:skip=CKV_AWS_150:It is on unless deletion_protection is set to false, to tear down.
  name                       = var.name
  load_balancer_type         = "application"
  subnets                    = aws_subnet.public[*].id
  security_groups            = [aws_security_group.balancer.id]
  idle_timeout               = 120 # seconds; watchers of a job may hear nothing for a minute
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
}

resource "aws_lb_target_group" "web" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; behind it is a private subnet, where only it is let in.
  name_prefix          = "web-"
  vpc_id               = aws_vpc.main.id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = local.port
  deregistration_delay = 30

  # Alive, not ready: a database that is away must not take away the page that says so.
  health_check {
    path                = "/health/live"
    matcher             = "200"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.web.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}
