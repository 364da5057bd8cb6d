# The function's alarms. What they watch, and from where on it is too much, is in generated/alarms.json.

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = var.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = each.value.description

  namespace   = each.value.namespace
  metric_name = each.value.metric
  # Lambda calls the function by its name on AWS, Uptake by its bare one; where there is but one, it is not named at all.
  dimensions = each.value.dimension == null ? {} : {
    (each.value.dimension) = each.value.dimension == "FunctionName" ? var.name : var.function
  }

  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  # The metric is in milliseconds, and the threshold a percentage of the timeout.
  threshold          = each.value.of_timeout ? each.value.threshold / 100 * var.timeout_seconds * 1000 : each.value.threshold
  period             = each.value.period_seconds
  evaluation_periods = each.value.periods
  treat_missing_data = each.value.missing

  alarm_actions = [var.operations.alarm_topic_arn]
  ok_actions    = [var.operations.alarm_topic_arn]

  # CloudWatch deletes no alarm that a composite one names: this way the composite one forgets it first.
  lifecycle {
    create_before_destroy = true
  }
}
