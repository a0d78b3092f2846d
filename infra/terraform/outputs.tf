output "name" {
  description = "What the cluster is called, and where everything's names begin."
  value       = var.name
}

output "region" {
  description = "The region of everything."
  value       = var.region
}

output "balancer_dns_name" {
  description = "Where the domain name has to point: an alias or a CNAME record."
  value       = aws_lb.web.dns_name
}

output "repository" {
  description = "Where the image is pushed to."
  value       = aws_ecr_repository.main.repository_url
}

output "bucket" {
  description = "The bucket of the finished files."
  value       = aws_s3_bucket.files.id
}

output "cloudfront_domain" {
  description = "The domain that links to files lead to."
  value       = aws_cloudfront_distribution.files.domain_name
}

output "secrets_to_fill" {
  description = "Secrets whose values are put in by hand, before the first start."
  value       = [for secret in aws_secretsmanager_secret.given : secret.name]
}

output "run_migrate" {
  description = "What `aws ecs run-task` needs to run linkferry migrate; task.sh uses it."
  value       = jsonencode(local.run_task["migrate"])
}

output "run_worker" {
  description = "The same for any other command, with what a worker has."
  value       = jsonencode(local.run_task["worker"])
}

locals {
  run_task = {
    for name in ["migrate", "worker"] : name => {
      cluster        = aws_ecs_cluster.main.name
      taskDefinition = aws_ecs_task_definition.process[name].family # its newest revision
      launchType     = "FARGATE"
      networkConfiguration = {
        awsvpcConfiguration = {
          subnets        = aws_subnet.private[*].id
          securityGroups = [aws_security_group.process[name].id]
          assignPublicIp = "DISABLED"
        }
      }
    }
  }
}
