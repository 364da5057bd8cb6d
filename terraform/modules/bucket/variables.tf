# What buckets differ in.

variable "name" {
  description = "Name of the bucket."
  type        = string
}

variable "key_arn" {
  description = "KMS key that encrypts it; null for S3's own key, which is all that a bucket of access logs may have."
  type        = string
}

variable "log_bucket" {
  description = "Bucket that its accesses are logged to; null for the bucket of logs itself."
  type        = string
}

variable "expire_after_days" {
  description = "Days after which objects go; null keeps them for ever."
  type        = number
  default     = null
}

variable "takes_access_logs_of" {
  description = "Account whose buckets log their accesses here; null if this is no bucket of logs."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes the objects along. Where it may not, a bucket that holds anything stays."
  type        = bool
  default     = false
}
