# Two roles for each process: one starts the task (image, secrets, log), the other is what the program may do.
# The rights to the bucket are those of the calls in shared/storage/s3; tests/infra runs them all against these
# very documents.

data "aws_iam_policy_document" "ecs_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "start" {
  for_each = local.names

  name               = "${var.name}-${each.key}-start"
  assume_role_policy = data.aws_iam_policy_document.ecs_assumes.json
}

resource "aws_iam_role" "task" {
  for_each = local.names

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.ecs_assumes.json
}

data "aws_iam_policy_document" "start" {
  #checkov:skip=CKV_AWS_356:ecr:GetAuthorizationToken knows no resource.
  for_each = local.processes

  statement {
    sid       = "SignInToImages"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "PullImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [aws_ecr_repository.main.arn]
  }

  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.process[each.key].arn}:*"]
  }

  statement {
    sid       = "ReadItsSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for name in each.value.secrets : local.secret_arns[name]]
  }

  statement {
    sid       = "DecryptThem"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.main.arn]
  }
}

resource "aws_iam_role_policy" "start" {
  for_each = local.names

  name   = "start"
  role   = aws_iam_role.start[each.key].id
  policy = data.aws_iam_policy_document.start[each.key].json
}

# bots and web: look whether a file is there, and read it. web signs its links with the same right.
data "aws_iam_policy_document" "reader" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.files.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.prefix}*"]
    }
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.files.arn}/${local.prefix}*"]
  }
}

data "aws_iam_policy_document" "worker" {
  source_policy_documents = [data.aws_iam_policy_document.reader.json]

  statement {
    sid = "Write"
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "s3:PutObjectTagging",
    ]
    resources = ["${aws_s3_bucket.files.arn}/${local.prefix}*"]
  }

  # S3 knows no condition on the prefix for these; the bucket is this installation's alone.
  statement {
    sid       = "FindLeftovers"
    actions   = ["s3:GetLifecycleConfiguration", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.files.arn]
  }
}

data "aws_iam_policy_document" "protection" {
  statement {
    sid       = "BeProtected"
    actions   = ["ecs:UpdateTaskProtection"]
    resources = ["${replace(aws_ecs_cluster.main.arn, ":cluster/", ":task/")}/*"]
  }
}

data "aws_iam_policy_document" "translate" {
  #checkov:skip=CKV_AWS_356:Amazon Translate's texts are no resources.
  statement {
    sid       = "Translate"
    actions   = ["translate:ListLanguages", "translate:TranslateText"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "reader" {
  for_each = toset(["bots", "web"])

  name   = "files"
  role   = aws_iam_role.task[each.key].id
  policy = data.aws_iam_policy_document.reader.json
}

resource "aws_iam_role_policy" "worker" {
  name   = "files"
  role   = aws_iam_role.task["worker"].id
  policy = data.aws_iam_policy_document.worker.json
}

resource "aws_iam_role_policy" "protection" {
  name   = "protection"
  role   = aws_iam_role.task["worker"].id
  policy = data.aws_iam_policy_document.protection.json
}

resource "aws_iam_role_policy" "translate" {
  count = var.amazon_translate ? 1 : 0

  name   = "translate"
  role   = aws_iam_role.task["worker"].id
  policy = data.aws_iam_policy_document.translate.json
}

data "aws_iam_policy_document" "flow_log_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_iam_policy_document" "flow_log" {
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.network.arn}:*"]
  }
}

resource "aws_iam_role" "flow_log" {
  name               = "${var.name}-flow-log"
  assume_role_policy = data.aws_iam_policy_document.flow_log_assumes.json
}

resource "aws_iam_role_policy" "flow_log" {
  name   = "write"
  role   = aws_iam_role.flow_log.id
  policy = data.aws_iam_policy_document.flow_log.json
}
