# Finished files: a private bucket, and CloudFront in front of it for links that outlive the credentials of tasks.

locals {
  prefix = "linkferry/" # this installation's own part of the bucket
}

resource "aws_s3_bucket" "files" {
  #checkov:skip=CKV_AWS_21:What is deleted must be gone; every file can be fetched again, and lives for days only.
  #checkov:skip=CKV_AWS_144:Every file can be fetched again; a copy in another region would outlive its retention.
  #checkov:skip=CKV_AWS_145:S3's own keys: with a KMS key each part of an upload is a paid call, and entity tags, by which an upload whose answer was lost is recognised, are no checksums any more.
  #checkov:skip=CKV_AWS_18:Access logs would hold the signatures of links that are still good.
  #checkov:skip=CKV2_AWS_62:Nobody would listen to events; the database knows what was stored.
  bucket_prefix = "${var.name}-files-"
}

resource "aws_s3_bucket_public_access_block" "files" {
  bucket = aws_s3_bucket.files.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "files" {
  bucket = aws_s3_bucket.files.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "files" {
  bucket = aws_s3_bucket.files.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# The very rule that `linkferry doctor` looks for. It deletes no file that is there: S3 counts from when it was stored,
# and who asks for it again prolongs it. Workers delete files, when their time is over.
resource "aws_s3_bucket_lifecycle_configuration" "files" {
  #checkov:skip=CKV_AWS_300:It does, for the only prefix that is written to; the program looks for a rule of that prefix.
  bucket = aws_s3_bucket.files.id

  rule {
    id     = "linkferry-retention"
    status = "Enabled"

    filter {
      prefix = local.prefix
    }

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.files.arn, "${aws_s3_bucket.files.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "CloudFrontReads"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.files.arn}/${local.prefix}*"]

    principals {
      type        = "Service"
      identifiers = ["cloudfront.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudfront_distribution.files.arn]
    }
  }
}

resource "aws_s3_bucket_policy" "files" {
  bucket = aws_s3_bucket.files.id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.files]
}
