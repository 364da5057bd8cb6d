# A bucket as every bucket of Uptake is: versioned, encrypted, reached by TLS alone, closed to the public, its accesses logged.

resource "aws_s3_bucket" "bucket" {
  bucket        = var.name
  force_destroy = var.force_destroy
}

data "aws_partition" "current" {}

locals {
  # Not the attribute of that name: this one is known before the bucket is there, and policies can be read in a plan.
  arn = "arn:${data.aws_partition.current.partition}:s3:::${aws_s3_bucket.bucket.bucket}"
}

resource "aws_s3_bucket_versioning" "versions" {
  bucket = aws_s3_bucket.bucket.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "encryption" {
  bucket = aws_s3_bucket.bucket.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.key_arn
    }
    # One request to KMS for many objects, and not one for each.
    bucket_key_enabled = var.key_arn != null
  }
}

resource "aws_s3_bucket_public_access_block" "nobody_else" {
  bucket                  = aws_s3_bucket.bucket.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "no_acls" {
  bucket = aws_s3_bucket.bucket.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_logging" "accesses" {
  count = var.log_bucket == null ? 0 : 1

  bucket        = aws_s3_bucket.bucket.id
  target_bucket = var.log_bucket
  target_prefix = "${var.name}/"
}

resource "aws_s3_bucket_lifecycle_configuration" "expiry" {
  bucket = aws_s3_bucket.bucket.id

  # Replaced and deleted objects go; current ones only where the bucket says so. A table whose files go is broken.
  rule {
    id     = "what-is-replaced-goes"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    dynamic "expiration" {
      for_each = var.expire_after_days == null ? [] : [var.expire_after_days]
      content {
        days = expiration.value
      }
    }
  }

  # S3 refuses lifecycle rules on noncurrent versions before versioning is on.
  depends_on = [aws_s3_bucket_versioning.versions]
}

resource "aws_s3_bucket_policy" "rules" {
  bucket = aws_s3_bucket.bucket.id
  policy = data.aws_iam_policy_document.rules.json

  # Both change the bucket's policy status, and S3 answers one of two at once with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.nobody_else]
}

data "aws_iam_policy_document" "rules" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.arn, "${local.arn}/*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "NoOldTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.arn, "${local.arn}/*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "NumericLessThan"
      variable = "s3:TlsVersion"
      values   = ["1.2"]
    }
  }

  # An upload that names no encryption gets the bucket's. One that names another algorithm or key is refused.
  dynamic "statement" {
    for_each = var.key_arn == null ? {} : {
      NoOtherEncryption = { variable = "s3:x-amz-server-side-encryption", value = "aws:kms" }
      NoOtherKey        = { variable = "s3:x-amz-server-side-encryption-aws-kms-key-id", value = var.key_arn }
    }
    content {
      sid       = statement.key
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = ["${local.arn}/*"]
      principals {
        type        = "AWS"
        identifiers = ["*"]
      }
      condition {
        test     = "StringNotEquals"
        variable = statement.value.variable
        values   = [statement.value.value]
      }
      # StringNotEquals holds for a header that is missing, too.
      condition {
        test     = "Null"
        variable = statement.value.variable
        values   = ["false"]
      }
    }
  }

  # S3 itself writes the logs of other buckets into this one.
  dynamic "statement" {
    for_each = var.takes_access_logs_of == null ? [] : [var.takes_access_logs_of]
    content {
      sid       = "AccessLogs"
      actions   = ["s3:PutObject"]
      resources = ["${local.arn}/*"]
      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [statement.value]
      }
    }
  }
}
