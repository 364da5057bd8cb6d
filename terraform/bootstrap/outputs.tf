# What to write where.

output "backend" {
  description = "The content of environments/<environment>.s3.tfbackend."
  value       = <<-EOT
    bucket     = "${module.state.bucket.name}"
    key        = "${var.environment}.tfstate"
    region     = "${var.region}"
    kms_key_id = "${local.state_key}"
  EOT
}

output "plan_role_arn" {
  description = "Into the repository's variable AWS_PLAN_ROLE_ARN on GitHub, or AWS_PLAN_ROLE_ARN_PROD for prod."
  value       = aws_iam_role.plan.arn
}

output "apply_role_arn" {
  description = "Into the variable AWS_APPLY_ROLE_ARN of the environment on GitHub."
  value       = aws_iam_role.apply.arn
}

output "dns_records" {
  description = "CNAME records that prove domains to SES; to an address, SES mails a link instead."
  value = {
    for identity, is in aws_sesv2_email_identity.sender : identity => [
      for token in try(is.dkim_signing_attributes[0].tokens, []) :
      "${token}._domainkey.${identity} CNAME ${token}.dkim.amazonses.com"
    ] if !strcontains(identity, "@")
  }
}
