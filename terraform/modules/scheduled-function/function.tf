# One function, whole: where it logs, who it is and what it may do, the function, when it is offered work, where failed
# offers go. Its alarms are in alarms.tf.

# Before the function, so that Lambda finds the group and makes none that keeps logs unencrypted and for ever.
resource "aws_cloudwatch_log_group" "logs" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.operations.log_retention_days
  kms_key_id        = var.operations.key_arn
}

resource "aws_iam_role" "function" {
  name               = var.name
  description        = var.description
  assume_role_policy = data.aws_iam_policy_document.lambda_may_assume.json
}

data "aws_iam_policy_document" "lambda_may_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

# The only policy of the role. No managed one: AWSLambdaBasicExecutionRole may write to every log group there is.
resource "aws_iam_role_policy" "permissions" {
  name   = "permissions"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.permissions.json
}

data "aws_iam_policy_document" "permissions" {
  dynamic "statement" {
    for_each = concat(var.statements, local.statements_of_every_function)
    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.conditions
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
}

locals {
  statements_of_every_function = concat(
    [
      {
        sid        = "OwnLogs"
        actions    = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources  = ["${var.operations.log_groups_arn}:${aws_cloudwatch_log_group.logs.name}:*"]
        conditions = []
      },
      {
        # X-Ray has no resources to name.
        sid        = "Traces"
        actions    = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        resources  = ["*"]
        conditions = []
      },
    ],
    # Lambda hands over what failed with the function's role, and encrypts it with the queue's key. A request through a
    # URL is answered at once and leaves no dead letter.
    var.schedule == null ? [] : [
      {
        sid        = "DeadLetters"
        actions    = ["sqs:SendMessage"]
        resources  = [var.operations.dead_letters_arn]
        conditions = []
      },
      {
        sid       = "DeadLettersAreEncrypted"
        actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
        resources = [var.operations.key_arn]
        conditions = [{
          test     = "StringEquals"
          variable = "kms:ViaService"
          values   = ["sqs.${data.aws_region.current.name}.amazonaws.com"]
        }]
      },
    ],
    # Network interfaces are made by Lambda with the function's role; AWS lets none of these be narrowed to a function.
    var.network == null ? [] : [{
      sid = "NetworkInterfaces"
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      resources  = ["*"]
      conditions = []
    }],
  )
}

data "aws_region" "current" {}

resource "aws_lambda_function" "function" {
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.function.arn

  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]

  filename         = var.package
  source_code_hash = filebase64sha256(var.package)

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.concurrency

  kms_key_arn = var.operations.key_arn
  environment {
    variables = var.environment
  }

  # JSON also for the platform's own lines: its reports tell memory and duration of every invocation.
  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.logs.name
  }

  tracing_config {
    mode = "Active"
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # A role without its policy could start, and fail, between two API calls of an apply.
  depends_on = [aws_iam_role_policy.permissions]

  lifecycle {
    precondition {
      condition     = fileexists(var.package)
      error_message = "${var.package} is not there: build it with `make package`, or leave ${var.function} out of `functions`."
    }
  }
}

# What Lambda does with an offer that failed: two more tries within the hour, then the queue of dead letters. An offer
# that is older than an hour is not worth a try, because the next one has come.
resource "aws_lambda_function_event_invoke_config" "failed_offers" {
  count = var.schedule == null ? 0 : 1

  function_name                = aws_lambda_function.function.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 3600

  destination_config {
    on_failure {
      destination = var.operations.dead_letters_arn
    }
  }

  depends_on = [aws_iam_role_policy.permissions]
}

# Encrypted by a key that AWS owns: the payload is an instant, and a key of ours would be one more thing without which
# nothing is offered.
resource "aws_scheduler_schedule" "offers" {
  count = var.schedule == null ? 0 : 1

  name        = var.function
  description = var.description
  group_name  = var.schedule.group

  schedule_expression          = var.schedule.expression
  schedule_expression_timezone = var.schedule.time_zone

  # On the minute: the minutes of the table are chosen, and what a function waits for comes before it.
  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.function.arn
    role_arn = var.schedule.role_arn
    input    = var.schedule.payload

    # Of deliveries, not of invocations: Lambda did not take the offer.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 5
    }

    dead_letter_config {
      arn = var.operations.dead_letters_arn
    }
  }
}
