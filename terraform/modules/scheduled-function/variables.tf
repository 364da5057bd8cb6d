# What a function of Uptake differs in from another.

variable "function" {
  description = "Bare name, as in lambdas/: scoring."
  type        = string
}

variable "name" {
  description = "Name on AWS: uptake-prod-scoring."
  type        = string
}

variable "description" {
  description = "What it does, in a few words."
  type        = string
}

variable "package" {
  description = "Path of the zip that holds its bootstrap."
  type        = string
}

variable "architecture" {
  description = "x86_64 or arm64; what the package was built for."
  type        = string
}

variable "memory_mb" {
  description = "Memory, in MB."
  type        = number
}

variable "timeout_seconds" {
  description = "Timeout, in seconds."
  type        = number
}

variable "concurrency" {
  description = "Reserved concurrency; -1 reserves nothing."
  type        = number
}

variable "environment" {
  description = "Environment variables. No secret among them."
  type        = map(string)
}

variable "statements" {
  description = "What it may do beyond its own logs, traces and dead letters."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
    conditions = optional(list(object({
      test     = string
      variable = string
      values   = list(string)
    })), [])
  }))
}

variable "schedule" {
  description = "When it is invoked, and with what; null for a function that is only called through its URL."
  type = object({
    expression = string
    time_zone  = string
    payload    = string
    group      = string
    role_arn   = string
  })
}

variable "operations" {
  description = "Where what goes wrong is kept: their key, queue of dead letters, topic of alarms, what ARNs of log groups begin with, days that logs are kept."
  type = object({
    key_arn            = string
    dead_letters_arn   = string
    alarm_topic_arn    = string
    log_groups_arn     = string
    log_retention_days = number
  })
}

variable "alarms" {
  description = "Its alarms, by name, out of generated/alarms.json."
  type = map(object({
    namespace      = string
    metric         = string
    dimension      = string
    statistic      = string
    comparison     = string
    threshold      = number
    of_timeout     = bool
    period_seconds = number
    periods        = number
    missing        = string
    description    = string
  }))
}

variable "network" {
  description = "Subnets and security groups to run in; null to run outside any VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
}
