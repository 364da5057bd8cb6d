# Who deploys: workflows of one repository, without any stored key. GitHub vouches for each job with a token that says
# which repository and environment it is of, and AWS gives it a role for an hour.

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  # Out of a local, so that policies can be read in a plan.
  github    = aws_iam_openid_connect_provider.github.arn
  state_key = aws_kms_key.state.arn
}

# On pull requests, and on main before somebody approves: reads what is there, and changes nothing.
resource "aws_iam_role" "plan" {
  name                 = "${var.name}-plan"
  description          = "Plans of ${var.repository}"
  assume_role_policy   = data.aws_iam_policy_document.job_may_assume["plan"].json
  max_session_duration = 3600
}

# On main and by hand: one role for each environment, so that a job for dev cannot touch prod.
resource "aws_iam_role" "apply" {
  for_each = var.environments

  name                 = "${var.name}-apply-${each.key}"
  description          = "Deployments to ${each.key} by ${var.repository}"
  assume_role_policy   = data.aws_iam_policy_document.job_may_assume["apply ${each.key}"].json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "job_may_assume" {
  for_each = merge(
    { plan = ["pull_request", "ref:refs/heads/main"] },
    { for environment in var.environments : "apply ${environment}" => ["environment:${environment}"] },
  )

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [local.github]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = [for job in each.value : "repo:${var.repository}:${job}"]
    }
  }
}

resource "aws_iam_role_policy" "plan" {
  name   = "plan"
  role   = aws_iam_role.plan.id
  policy = data.aws_iam_policy_document.plan.json
}

# Not ReadOnlyAccess: that one may read every object in every bucket, and the lake holds people.
data "aws_iam_policy_document" "plan" {
  source_policy_documents = [data.aws_iam_policy_document.read_state.json]

  statement {
    sid = "Configuration"
    actions = [
      "athena:GetWorkGroup",
      "athena:ListTagsForResource",
      "cloudformation:DescribeStacks",
      "cloudformation:GetTemplate",
      "cloudwatch:DescribeAlarms",
      "cloudwatch:ListTagsForResource",
      "ec2:DescribeNetworkInterfaces",
      "glue:GetDatabase",
      "glue:GetPartitionIndexes",
      "glue:GetTable",
      "glue:GetTags",
      "grafana:DescribeWorkspace",
      "grafana:DescribeWorkspaceAuthentication",
      "grafana:DescribeWorkspaceConfiguration",
      "grafana:ListTagsForResource",
      "iam:GetPolicy",
      "iam:GetPolicyVersion",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListPolicyVersions",
      "iam:ListRolePolicies",
      "kms:DescribeKey",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListAliases",
      "kms:ListResourceTags",
      "lambda:GetEventSourceMapping",
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetFunctionConfiguration",
      "lambda:GetFunctionEventInvokeConfig",
      "lambda:GetFunctionUrlConfig",
      "lambda:GetPolicy",
      "lambda:ListTags",
      "lambda:ListVersionsByFunction",
      "logs:DescribeLogGroups",
      "logs:ListTagsForResource",
      "s3:GetAccelerateConfiguration",
      "s3:GetBucketAcl",
      "s3:GetBucketCORS",
      "s3:GetBucketLocation",
      "s3:GetBucketLogging",
      "s3:GetBucketObjectLockConfiguration",
      "s3:GetBucketOwnershipControls",
      "s3:GetBucketPolicy",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetBucketRequestPayment",
      "s3:GetBucketTagging",
      "s3:GetBucketVersioning",
      "s3:GetBucketWebsite",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
      "scheduler:GetSchedule",
      "scheduler:GetScheduleGroup",
      "scheduler:ListTagsForResource",
      "ses:GetEmailIdentity",
      "ses:GetIdentityNotificationAttributes",
      "ses:ListTagsForResource",
      "sns:GetSubscriptionAttributes",
      "sns:GetTopicAttributes",
      "sns:ListTagsForResource",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
      "sqs:ListQueueTags",
    ]
    resources = ["*"]
  }
}

# State and lock of every environment: a plan reads one, and holds the other while it does.
data "aws_iam_policy_document" "read_state" {
  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = ["${module.state.bucket.arn}/*.tfstate"]
  }

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"]
    resources = [module.state.bucket.arn]
  }

  statement {
    sid       = "Lock"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${module.state.bucket.arn}/*.tfstate.tflock"]
  }

  statement {
    sid       = "StateIsEncrypted"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.state_key]
  }

  dynamic "statement" {
    for_each = length(var.saml_metadata_parameters) == 0 ? [] : [var.saml_metadata_parameters]
    content {
      sid     = "IdentityProvider"
      actions = ["ssm:GetParameter"]
      resources = [
        for name in statement.value : "arn:${local.partition}:ssm:${var.region}:${local.account}:parameter${name}"
      ]
    }
  }
}

resource "aws_iam_role_policy" "apply" {
  for_each = var.environments

  name   = "apply"
  role   = aws_iam_role.apply[each.key].id
  policy = data.aws_iam_policy_document.apply[each.key].json
}

# Everything of one deployment, by its name, and nothing beside it.
data "aws_iam_policy_document" "apply" {
  for_each = var.environments

  source_policy_documents = [data.aws_iam_policy_document.read_state.json]

  statement {
    sid       = "WriteState"
    actions   = ["s3:PutObject"]
    resources = ["${module.state.bucket.arn}/${each.key}.tfstate"]
  }

  statement {
    sid     = "Resources"
    actions = ["athena:*", "cloudformation:*", "cloudwatch:*", "iam:*", "lambda:*", "logs:*", "s3:*", "scheduler:*", "sns:*", "sqs:*"]
    resources = [
      "arn:${local.partition}:athena:${var.region}:${local.account}:workgroup/${var.name}-${each.key}-*",
      "arn:${local.partition}:cloudformation:${var.region}:${local.account}:stack/${var.name}-${each.key}-*",
      "arn:${local.partition}:cloudwatch:${var.region}:${local.account}:alarm:${var.name}-${each.key}-*",
      "arn:${local.partition}:iam::${local.account}:policy/${var.name}-${each.key}-*",
      "arn:${local.partition}:iam::${local.account}:role/${var.name}-${each.key}-*",
      "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${var.name}-${each.key}-*",
      "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/lambda/${var.name}-${each.key}-*",
      "arn:${local.partition}:s3:::${var.name}-${each.key}-*",
      "arn:${local.partition}:scheduler:${var.region}:${local.account}:schedule/${var.name}-${each.key}/*",
      "arn:${local.partition}:scheduler:${var.region}:${local.account}:schedule-group/${var.name}-${each.key}",
      "arn:${local.partition}:sns:${var.region}:${local.account}:${var.name}-${each.key}-*",
      "arn:${local.partition}:sqs:${var.region}:${local.account}:${var.name}-${each.key}-*",
    ]
  }

  # People's data: a deployment sets buckets up and reads nothing in them.
  statement {
    sid       = "NoObjects"
    effect    = "Deny"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["arn:${local.partition}:s3:::${var.name}-${each.key}-*/*"]
  }

  # Databases are called with underscores.
  statement {
    sid     = "Catalogue"
    actions = ["glue:*"]
    resources = [
      "arn:${local.partition}:glue:${var.region}:${local.account}:catalog",
      "arn:${local.partition}:glue:${var.region}:${local.account}:database/${replace(var.name, "-", "_")}_${each.key}*",
      "arn:${local.partition}:glue:${var.region}:${local.account}:table/${replace(var.name, "-", "_")}_${each.key}*/*",
    ]
  }

  # These have ids for names, or none that could be narrowed. Keys are told apart by the tag of their environment.
  statement {
    sid = "Create"
    actions = [
      "athena:ListTagsForResource",
      "cloudwatch:DescribeAlarms",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
      "grafana:CreateWorkspace",
      "kms:CreateKey",
      "kms:ListAliases",
      "lambda:CreateEventSourceMapping",
      "lambda:DeleteEventSourceMapping",
      "lambda:GetEventSourceMapping",
      "lambda:ListTags",
      "lambda:TagResource",
      "lambda:UpdateEventSourceMapping",
      "logs:DescribeLogGroups",
      "ses:GetEmailIdentity",
      "ses:GetIdentityNotificationAttributes",
      "ses:ListTagsForResource",
      "ses:SetIdentityFeedbackForwardingEnabled",
      "ses:SetIdentityHeadersInNotificationsEnabled",
      "ses:SetIdentityNotificationTopic",
      "sns:GetSubscriptionAttributes",
      "sns:Unsubscribe",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "OwnKeysAndWorkspace"
    actions   = ["grafana:*", "kms:*"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Application"
      values   = [var.name]
    }
  }

  statement {
    sid       = "TagNewKeys"
    actions   = ["grafana:TagResource", "kms:TagResource"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Environment"
      values   = [each.key]
    }
  }

  statement {
    sid       = "Aliases"
    actions   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    resources = ["arn:${local.partition}:kms:${var.region}:${local.account}:alias/${var.name}-${each.key}-*"]
  }
}
