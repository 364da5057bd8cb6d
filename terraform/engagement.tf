# The engagement tables: a bucket, a key and readers of their own, because they are about people under encrypted names.

module "engagement" {
  source = "./modules/bucket"

  name       = "${local.prefix}-engagement-${local.account}"
  key_arn    = aws_kms_key.engagement.arn
  log_bucket = module.access_logs.log_bucket
}

resource "aws_kms_key" "engagement" {
  description             = "Uptake ${var.environment}: engagement tables"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.engagement_key.json
}

resource "aws_kms_alias" "engagement" {
  name          = "alias/${local.prefix}-engagement"
  target_key_id = aws_kms_key.engagement.key_id
}

locals {
  # By name, not by reference: the roles need the key's ARN in their policies.
  engagement_functions = [
    for function in ["engagement", "engagement-api", "identity-keys"] :
    "arn:${local.partition}:iam::${local.account}:role/${local.prefix}-${function}" if contains(local.functions, function)
  ]
}

data "aws_iam_policy_document" "engagement_key" {
  # Administrators look after the key. They cannot decrypt with it, whatever IAM gives them.
  statement {
    sid = "Administration"
    actions = [
      "kms:CancelKeyDeletion",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:DisableKeyRotation",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListKeyPolicies",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RotateKeyOnDemand",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateKeyDescription",
      "kms:CreateAlias",
      "kms:UpdateAlias",
      "kms:DeleteAlias",
    ]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }

  # Those who are named, if IAM lets them, too. Named by a condition: a key's policy cannot name a role as its principal
  # that does not exist yet, and would lose one that is made anew.
  statement {
    sid       = "ReadersAndWriters"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = concat(local.engagement_functions, tolist(var.engagement_readers))
    }
  }
}
