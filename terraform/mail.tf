# Mail: a sender that SES knows, and where it says what bounced. The identity itself is in bootstrap/, because a person
# has to prove that it is theirs.

locals {
  sender_identity = var.sender == null ? null : coalesce(var.sender_identity, split("@", var.sender)[1])
  mails           = contains(local.functions, "mailer")
}

module "sender" {
  source = "./modules/sender"
  count  = local.mails ? 1 : 0

  identity = local.sender_identity
  # The policy's, not the topic's: SES tries the topic when it is told of it.
  topic_arn = aws_sns_topic_policy.topics["mail_events"].arn
}

resource "aws_sns_topic" "mail_events" {
  name              = "${local.prefix}-mail-events"
  display_name      = "Uptake ${var.environment}: bounces and complaints"
  kms_master_key_id = aws_kms_key.operations.arn
}

resource "aws_sns_topic_subscription" "mail_events" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.mail_events.arn
  protocol  = "email"
  endpoint  = each.key
}
