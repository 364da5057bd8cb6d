# The store: reports, what is kept between invocations, bytes as received, tables. And where accesses are logged.

module "store" {
  source = "./modules/bucket"

  name       = "${local.prefix}-store-${local.account}"
  key_arn    = aws_kms_key.store.arn
  log_bucket = module.access_logs.log_bucket
}

module "access_logs" {
  source = "./modules/bucket"

  name = "${local.prefix}-access-logs-${local.account}"
  # S3 delivers access logs to a bucket under its own key only.
  key_arn              = null
  log_bucket           = null
  expire_after_days    = 400
  takes_access_logs_of = local.account
  force_destroy        = true
}
