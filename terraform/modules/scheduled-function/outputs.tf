# What others refer to.

output "function" {
  description = "ARN and name of the function, and ARN of the role it runs as."
  value = {
    arn      = aws_lambda_function.function.arn
    name     = aws_lambda_function.function.function_name
    role_arn = aws_iam_role.function.arn
  }
}

output "policy" {
  description = "What it may do, as JSON."
  value       = data.aws_iam_policy_document.permissions.json
}

output "encrypted_with" {
  description = "Keys of its logs and of its environment."
  value       = [aws_cloudwatch_log_group.logs.kms_key_id, aws_lambda_function.function.kms_key_arn]
}

output "schedule" {
  description = "Its schedule as deployed; null without one."
  value       = one(aws_scheduler_schedule.offers[*])
}

output "alarm_names" {
  description = "Names of its alarms."
  value       = [for alarm in aws_cloudwatch_metric_alarm.alarm : alarm.alarm_name]
}

output "reserved_concurrency" {
  description = "How many invocations at a time are reserved; -1 for none."
  value       = aws_lambda_function.function.reserved_concurrent_executions
}
