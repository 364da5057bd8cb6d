# The functions. What each is stands in modules/settings/functions.tf, what each may do in permissions.tf.

module "function" {
  source   = "./modules/scheduled-function"
  for_each = module.settings.functions

  function    = each.key
  name        = "${local.prefix}-${each.key}"
  description = each.value.description

  package         = "${local.packages}/${each.key}.zip"
  architecture    = var.architecture
  memory_mb       = each.value.memory_mb
  timeout_seconds = each.value.timeout_seconds
  concurrency     = var.reserve_concurrency ? each.value.concurrency : -1
  network         = var.vpc

  environment = each.value.environment
  statements  = concat(local.permissions[each.key], local.reads_parameters[each.key])

  schedule = each.value.schedule == null ? null : {
    expression = each.value.schedule
    time_zone  = var.time_zone
    payload    = each.value.payload
    group      = aws_scheduler_schedule_group.offers.name
    role_arn   = aws_iam_role.scheduler.arn
  }

  operations = local.operations
  alarms     = local.alarms_of[each.key]
}

locals {
  packages = startswith(var.packages, "/") ? var.packages : "${path.root}/${var.packages}"

  operations = {
    key_arn            = aws_kms_key.operations.arn
    dead_letters_arn   = local.dead_letters_arn
    alarm_topic_arn    = local.topics.alarms.arn
    log_groups_arn     = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group"
    log_retention_days = var.log_retention_days
  }
}

# Hints of the webhook bring audit-events forward. It works one invocation at a time; two is the least that an event
# source can be held to, and one of them waits.
resource "aws_lambda_event_source_mapping" "hints" {
  for_each = aws_sqs_queue.activity

  event_source_arn = each.value.arn
  function_name    = module.function["audit-events"].function.arn
  batch_size       = 10

  scaling_config {
    maximum_concurrency = 2
  }
}

# The schedules of a deployment, and who delivers them.
resource "aws_scheduler_schedule_group" "offers" {
  name = local.prefix
}

locals {
  # By name and out of a local: Terraform reads a policy document before the resources that it mentions are there only
  # if it does not refer to one of them itself.
  schedule_group_arn = "arn:${local.partition}:scheduler:${var.region}:${local.account}:schedule-group/${local.prefix}"
}

resource "aws_iam_role" "scheduler" {
  name               = "${local.prefix}-scheduler"
  description        = "Offers work to functions"
  assume_role_policy = data.aws_iam_policy_document.scheduler_may_assume.json
}

data "aws_iam_policy_document" "scheduler_may_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
    # Only schedules of this deployment, so that nobody else's deliver with this role.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.schedule_group_arn]
    }
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "permissions"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid     = "Offer"
    actions = ["lambda:InvokeFunction"]
    resources = [
      for function, is in module.settings.functions :
      "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${local.prefix}-${function}"
      if is.schedule != null
    ]
  }

  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [local.dead_letters_arn]
  }

  statement {
    sid       = "DeadLettersAreEncrypted"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.operations.key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sqs.${var.region}.amazonaws.com"]
    }
  }
}
