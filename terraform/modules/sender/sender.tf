# The sender of mails, as SES knows it: that it may send, and where it says what bounced.
# A module of its own, because moto calls no identity verified and cannot set notifications: tests on moto leave it out.

# Fails while Terraform plans, before anything is created.
data "aws_sesv2_email_identity" "sender" {
  email_identity = var.identity

  lifecycle {
    postcondition {
      condition     = self.verified_for_sending_status
      error_message = "SES does not send from ${var.identity} yet: publish the DNS records that terraform/bootstrap prints (or follow the link that SES has mailed), wait for SES to see them, and plan again."
    }
  }
}

# Who repeatedly mails to addresses that bounce loses the right to mail: somebody has to take them off the list.
resource "aws_ses_identity_notification_topic" "undelivered" {
  for_each = toset(["Bounce", "Complaint"])

  identity          = data.aws_sesv2_email_identity.sender.email_identity
  notification_type = each.key
  topic_arn         = var.topic_arn
}
