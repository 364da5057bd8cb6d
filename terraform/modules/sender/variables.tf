# Which identity, and where it tells what bounced.

variable "identity" {
  description = "The domain or address that is verified with SES."
  type        = string
}

variable "topic_arn" {
  description = "Topic for bounces and complaints."
  type        = string
}
