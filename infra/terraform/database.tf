# PostgreSQL: the truth about every request and job. Private, encrypted, backed up, protected.

resource "random_password" "database" {
  length  = 40
  special = false # it stands in an address
}

resource "aws_db_subnet_group" "main" {
  name       = var.name
  subnet_ids = aws_subnet.private[*].id
}

resource "aws_db_parameter_group" "main" {
  name_prefix = "${var.name}-"
  family      = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement" # milliseconds; the statements are ours, their values stay out
    value = "1000"
  }

  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "main" {
  #checkov:skip=CKV_AWS_157:A second zone doubles the price; highly_available asks for it.
  #checkov:skip=CKV_AWS_161:Tokens of IAM live 15 minutes, and the program has one address with a password; only its security groups reach the database.
  #checkov:skip=CKV_AWS_118:Performance Insights and the alarms tell enough; enhanced monitoring bills its own logs.
  identifier     = var.name
  engine         = "postgres"
  engine_version = "17" # the newest minor version of it
  instance_class = var.database_instance

  db_name  = "linkferry"
  username = "linkferry"
  password = random_password.database.result
  port     = 5432

  storage_type          = "gp3"
  allocated_storage     = 20
  max_allocated_storage = 100
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.main.arn

  multi_az               = var.highly_available
  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.main.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period   = 14
  backup_window             = "02:00-03:00"
  maintenance_window        = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-final"

  auto_minor_version_upgrade      = true
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.main.arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  depends_on = [aws_cloudwatch_log_group.database]
}
