# What others refer to.

output "bucket" {
  description = "Name, ARN, and the KMS key that encrypts it."
  value = {
    name    = aws_s3_bucket.bucket.bucket
    arn     = local.arn
    key_arn = one(one(aws_s3_bucket_server_side_encryption_configuration.encryption.rule).apply_server_side_encryption_by_default).kms_master_key_id
  }
}

output "log_bucket" {
  description = "Name, for buckets that log their accesses here: known once S3 may write, because it asks when it is told to."
  value       = aws_s3_bucket.bucket.bucket
  depends_on  = [aws_s3_bucket_policy.rules]
}
