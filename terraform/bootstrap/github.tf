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

# Of jobs that GitHub lets into the environment, after whatever approval it wants.
resource "aws_iam_role" "apply" {
  name                 = "${var.name}-apply-${var.environment}"
  description          = "Deployments to ${var.environment} by ${var.repository}"
  assume_role_policy   = data.aws_iam_policy_document.job_may_assume["apply"].json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "job_may_assume" {
  for_each = {
    # Tags, too: going back is deploying an older one.
    plan  = ["pull_request", "ref:refs/heads/main", "ref:refs/tags/v*"]
    apply = ["environment:${var.environment}"]
  }

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
      test     = "StringLike"
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

  # It writes nothing, not even a lock: workflows plan with -lock=false.
  statement {
    sid       = "StateIsEncrypted"
    actions   = ["kms:Decrypt"]
    resources = [local.state_key]
  }

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

  dynamic "statement" {
    for_each = var.saml_metadata_parameter == null ? [] : [var.saml_metadata_parameter]
    content {
      sid       = "IdentityProvider"
      actions   = ["ssm:GetParameter"]
      resources = ["arn:${local.partition}:ssm:${var.region}:${local.account}:parameter${statement.value}"]
    }
  }
}

resource "aws_iam_role_policy" "apply" {
  name   = "apply"
  role   = aws_iam_role.apply.id
  policy = data.aws_iam_policy_document.apply.json
}

# Everything of the deployment, by its name. Who may make roles and keys can give themselves more: what keeps one
# environment from another is that each has an account of its own.
data "aws_iam_policy_document" "apply" {
  source_policy_documents = [data.aws_iam_policy_document.read_state.json]

  statement {
    sid       = "WriteState"
    actions   = ["s3:PutObject"]
    resources = ["${module.state.bucket.arn}/${var.environment}.tfstate"]
  }

  statement {
    sid       = "Lock"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${module.state.bucket.arn}/${var.environment}.tfstate.tflock"]
  }

  statement {
    sid       = "StateIsEncrypted"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.state_key]
  }

  statement {
    sid     = "Resources"
    actions = ["athena:*", "cloudformation:*", "cloudwatch:*", "iam:*", "lambda:*", "logs:*", "s3:*", "scheduler:*", "sns:*", "sqs:*"]
    resources = [
      "arn:${local.partition}:athena:${var.region}:${local.account}:workgroup/${var.name}-${var.environment}-*",
      "arn:${local.partition}:cloudformation:${var.region}:${local.account}:stack/${var.name}-${var.environment}-*",
      "arn:${local.partition}:cloudwatch:${var.region}:${local.account}:alarm:${var.name}-${var.environment}-*",
      "arn:${local.partition}:iam::${local.account}:policy/${var.name}-${var.environment}-*",
      "arn:${local.partition}:iam::${local.account}:role/${var.name}-${var.environment}-*",
      "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${var.name}-${var.environment}-*",
      "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/lambda/${var.name}-${var.environment}-*",
      "arn:${local.partition}:s3:::${var.name}-${var.environment}-*",
      "arn:${local.partition}:scheduler:${var.region}:${local.account}:schedule/${var.name}-${var.environment}/*",
      "arn:${local.partition}:scheduler:${var.region}:${local.account}:schedule-group/${var.name}-${var.environment}",
      "arn:${local.partition}:sns:${var.region}:${local.account}:${var.name}-${var.environment}-*",
      "arn:${local.partition}:sqs:${var.region}:${local.account}:${var.name}-${var.environment}-*",
    ]
  }

  # People's data: a deployment sets buckets up and reads nothing in them.
  statement {
    sid       = "NoObjects"
    effect    = "Deny"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["arn:${local.partition}:s3:::${var.name}-${var.environment}-*/*"]
  }

  # Databases are called with underscores.
  statement {
    sid     = "Catalogue"
    actions = ["glue:*"]
    resources = [
      "arn:${local.partition}:glue:${var.region}:${local.account}:catalog",
      "arn:${local.partition}:glue:${var.region}:${local.account}:database/${replace(var.name, "-", "_")}_${var.environment}*",
      "arn:${local.partition}:glue:${var.region}:${local.account}:table/${replace(var.name, "-", "_")}_${var.environment}*/*",
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
      values   = [var.environment]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Application"
      values   = [var.name]
    }
  }

  # What has a tag already is somebody's, and cannot be made one's own by another.
  statement {
    sid       = "TagNewKeys"
    actions   = ["grafana:TagResource", "kms:TagResource"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Environment"
      values   = [var.environment]
    }
    condition {
      test     = "Null"
      variable = "aws:ResourceTag/Environment"
      values   = ["true"]
    }
  }

  # Readers of tables are roles of your own: the deployment attaches its readers' policies to them, and no others.
  statement {
    sid       = "Readers"
    actions   = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/*"]
    condition {
      test     = "ArnLike"
      variable = "iam:PolicyARN"
      values   = ["arn:${local.partition}:iam::${local.account}:policy/${var.name}-${var.environment}-*-reader"]
    }
  }

  statement {
    sid       = "FindReaders"
    actions   = ["iam:ListAttachedRolePolicies"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/*"]
  }

  statement {
    sid       = "Aliases"
    actions   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    resources = ["arn:${local.partition}:kms:${var.region}:${local.account}:alias/${var.name}-${var.environment}-*"]
  }
}
