# Where Terraform keeps what it knows: a bucket that is encrypted, versioned, and reached by TLS alone.

module "state" {
  source = "../modules/bucket"

  name       = "${var.name}-terraform-state-${local.account}"
  key_arn    = aws_kms_key.state.arn
  log_bucket = module.access_logs.log_bucket
}

module "access_logs" {
  source = "../modules/bucket"

  name                 = "${var.name}-terraform-logs-${local.account}"
  key_arn              = null
  log_bucket           = null
  expire_after_days    = 400
  takes_access_logs_of = local.account
  force_destroy        = true
}

resource "aws_kms_key" "state" {
  description             = "${var.name}: Terraform's state"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.state_key.json
}

resource "aws_kms_alias" "state" {
  name          = "alias/${var.name}-terraform-state"
  target_key_id = aws_kms_key.state.key_id
}

data "aws_iam_policy_document" "state_key" {
  statement {
    sid       = "IamDecides"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
}
