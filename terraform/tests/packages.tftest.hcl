# A package that is not there, and a sender that is not verified, are named while Terraform plans.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

run "a_missing_package" {
  command = plan
  module {
    source = "./modules/scheduled-function"
  }
  variables {
    function        = "scoring"
    name            = "uptake-prod-scoring"
    description     = "Scores"
    package         = "tests/packages/forgotten.zip"
    architecture    = "x86_64"
    memory_mb       = 1024
    timeout_seconds = 900
    concurrency     = 1
    environment     = {}
    statements      = []
    schedule        = null
    alarms          = {}
    network         = null
    operations = {
      key_arn            = "arn:aws:kms:eu-central-1:111122223333:key/operations"
      dead_letters_arn   = "arn:aws:sqs:eu-central-1:111122223333:dead-letters"
      alarm_topic_arn    = "arn:aws:sns:eu-central-1:111122223333:alarms"
      log_groups_arn     = "arn:aws:logs:eu-central-1:111122223333:log-group"
      log_retention_days = 30
    }
  }
  expect_failures = [aws_lambda_function.function]
}

run "an_unverified_sender" {
  command = plan
  module {
    source = "./modules/sender"
  }
  variables {
    identity  = "octo.example"
    topic_arn = "arn:aws:sns:eu-central-1:111122223333:mail-events"
  }
  override_data {
    target = data.aws_sesv2_email_identity.sender
    values = { verified_for_sending_status = false }
  }
  expect_failures = [data.aws_sesv2_email_identity.sender]
}
