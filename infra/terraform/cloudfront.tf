# Signed links to the bucket. A link that S3 presigns ends with the task's credentials, after some hours at
# most; one that CloudFront's key signs ends when it says.

resource "tls_private_key" "cloudfront" {
  for_each = toset(var.cloudfront_key_names)

  algorithm = "RSA"
  rsa_bits  = 2048 # CloudFront takes no other size of RSA key
}

resource "aws_cloudfront_public_key" "files" {
  for_each = tls_private_key.cloudfront

  name_prefix = "${var.name}-${each.key}-"
  encoded_key = each.value.public_key_pem

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudfront_key_group" "files" {
  name  = var.name
  items = [for name in var.cloudfront_key_names : aws_cloudfront_public_key.files[name].id]
}

resource "aws_cloudfront_origin_access_control" "files" {
  name                              = var.name
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# The name and the type of an answer are part of what is cached: one file has several links.
resource "aws_cloudfront_cache_policy" "files" {
  name        = "${var.name}-files"
  min_ttl     = 0
  default_ttl = 3600
  max_ttl     = 86400

  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "whitelist"

      query_strings {
        items = ["response-content-disposition", "response-content-type"]
      }
    }
  }
}

# What strangers made must not act as a page: the same words as bots/web/files.py says for media.
resource "aws_cloudfront_response_headers_policy" "files" {
  name = "${var.name}-files"

  security_headers_config {
    content_security_policy {
      content_security_policy = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin"
      override                = true
    }

    content_type_options {
      override = true
    }

    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }
  }

  custom_headers_config {
    items {
      header   = "X-Robots-Tag"
      value    = "noindex"
      override = true
    }
  }
}

resource "aws_cloudfront_distribution" "files" {
  #checkov:skip=CKV_AWS_68:Only signed links answer; a firewall would have nothing left to refuse.
  #checkov:skip=CKV2_AWS_47:The same; nothing behind it runs Java.
  #checkov:skip=CKV_AWS_86:Access logs would hold the signatures of links that are still good.
  #checkov:skip=CKV_AWS_174:With CloudFront's own certificate nobody can choose; people see the web endpoint's name, and are redirected.
  #checkov:skip=CKV2_AWS_42:The same: a name and a certificate of one's own would only be seen after the redirect.
  #checkov:skip=CKV_AWS_305:There is no page at the root: each link names one file.
  #checkov:skip=CKV_AWS_310:There is one bucket; a second one would hold nothing.
  #checkov:skip=CKV_AWS_374:Whoever was given a link may be anywhere.
  enabled         = true
  comment         = "${var.name}: finished files"
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = "PriceClass_100"

  origin {
    origin_id                = "bucket"
    domain_name              = aws_s3_bucket.files.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.files.id
  }

  default_cache_behavior {
    target_origin_id           = "bucket"
    viewer_protocol_policy     = "https-only"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = aws_cloudfront_cache_policy.files.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.files.id
    trusted_key_groups         = [aws_cloudfront_key_group.files.id]
    compress                   = false # media is compressed already, and ranges need the bytes as they are
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}
