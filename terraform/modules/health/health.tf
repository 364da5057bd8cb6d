# One alarm that says whether everything is well: it is OK as long as all others are.
# A module of its own, because moto has no composite alarms: tests on moto leave it out.

variable "name" {
  description = "Name of the alarm."
  type        = string
}

variable "description" {
  description = "What it means, and where to read on."
  type        = string
}

variable "alarm_names" {
  description = "Alarms that it is made of."
  type        = list(string)
}

locals {
  # CloudWatch takes up to 100 alarms in a rule (API reference of PutCompositeAlarm, read 2026-11-22).
  parts = { for part, names in chunklist(sort(var.alarm_names), 100) : tostring(part + 1) => names }
}

# Nobody is told by these: each alarm tells for itself. They are for dashboards, and for whoever asks "is it well?".
resource "aws_cloudwatch_composite_alarm" "part" {
  for_each = length(local.parts) > 1 ? local.parts : {}

  alarm_name        = "${var.name}-part-${each.key}"
  alarm_description = var.description
  alarm_rule        = join(" OR ", [for name in each.value : "ALARM(\"${name}\")"])
}

resource "aws_cloudwatch_composite_alarm" "healthy" {
  alarm_name        = var.name
  alarm_description = var.description
  alarm_rule = join(" OR ", [
    for name in length(local.parts) > 1 ? [for part in aws_cloudwatch_composite_alarm.part : part.alarm_name] : sort(var.alarm_names) :
    "ALARM(\"${name}\")"
  ])
}

output "alarm_name" {
  description = "Name of the alarm."
  value       = aws_cloudwatch_composite_alarm.healthy.alarm_name
}
