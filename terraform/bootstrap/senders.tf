# The senders of mails, known to SES. The main root looks them up and refuses to plan until they are verified.

resource "aws_sesv2_email_identity" "sender" {
  for_each = var.sender_identities

  email_identity = each.key
}
