# What to write where.

output "state_bucket" {
  description = "Into environments/*.s3.tfbackend, as bucket."
  value       = module.state.bucket.name
}

output "plan_role_arn" {
  description = "Into the repository's variable AWS_PLAN_ROLE_ARN on GitHub."
  value       = aws_iam_role.plan.arn
}

output "apply_role_arns" {
  description = "Into the variable AWS_APPLY_ROLE_ARN of each environment on GitHub."
  value       = { for environment, role in aws_iam_role.apply : environment => role.arn }
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
