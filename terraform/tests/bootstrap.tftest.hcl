# Who may deploy: roles that only jobs of one repository get, each for its environment. Policies are computed for real.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_resource {
  target          = aws_iam_openid_connect_provider.github
  override_during = plan
  values          = { arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }
}

override_resource {
  target          = aws_kms_key.state
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:111122223333:key/state", key_id = "state" }
}

variables {
  region                  = "eu-central-1"
  repository              = "octo-org/uptake"
  environment             = "dev"
  saml_metadata_parameter = "/uptake/dev/saml-metadata"
}

run "roles" {
  command = plan
  module {
    source = "./bootstrap"
  }

  assert {
    condition     = aws_iam_role.plan.name == "uptake-plan" && aws_iam_role.apply.name == "uptake-apply-dev"
    error_message = "There are other roles."
  }
  assert {
    condition = jsonencode({ for job, document in data.aws_iam_policy_document.job_may_assume : job => jsondecode(document.json).Statement[0].Condition }) == jsonencode({
      apply = {
        StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
        StringLike   = { "token.actions.githubusercontent.com:sub" = "repo:octo-org/uptake:environment:dev" }
      }
      plan = {
        StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
        StringLike   = { "token.actions.githubusercontent.com:sub" = ["repo:octo-org/uptake:pull_request", "repo:octo-org/uptake:ref:refs/heads/main", "repo:octo-org/uptake:ref:refs/tags/v*"] }
      }
    })
    error_message = "Other jobs may take the roles."
  }
}

run "a_plan_reads_configuration_and_nobody_s_data" {
  command = plan
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue(flatten([for statement in jsondecode(data.aws_iam_policy_document.plan.json).Statement : [
      for action in flatten([statement.Action]) : can(regex("^[a-z0-9-]+:(Get|List|Describe)[A-Za-z]+$", action)) || action == "kms:Decrypt"
    ]]))
    error_message = "A plan may change something."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(data.aws_iam_policy_document.plan.json).Statement : !contains(flatten([statement.Action]), "s3:GetObject") && !contains(flatten([statement.Action]), "ssm:GetParameter") && !contains(flatten([statement.Action]), "kms:Decrypt") if contains(flatten([statement.Resource]), "*")])
    error_message = "A plan may read what is in buckets, or secrets."
  }
}

run "an_apply_keeps_to_what_is_its_own" {
  command = plan
  module {
    source = "./bootstrap"
  }

  # Every action on everything is one that cannot be narrowed, or is bound by tags.
  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement :
      contains(["Create", "OwnKeysAndWorkspace", "TagNewKeys"], statement.Sid) if contains(flatten([statement.Resource]), "*")
    ])
    error_message = "A deployment may touch what is not its own."
  }
  assert {
    condition     = one([for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement : statement.Condition if statement.Sid == "TagNewKeys"]).Null == { "aws:ResourceTag/Environment" = "true" }
    error_message = "A key that is somebody's can be made one's own by another tag."
  }
  assert {
    condition     = one([for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement : statement.Condition if statement.Sid == "Readers"]).ArnLike == { "iam:PolicyARN" = "arn:aws:iam::111122223333:policy/uptake-dev-*-reader" }
    error_message = "Any policy can be attached to any role."
  }
  assert {
    condition     = anytrue([for statement in jsondecode(data.aws_iam_policy_document.apply.json).Statement : statement.Effect == "Deny" && contains(flatten([statement.Action]), "s3:GetObject") && statement.Resource == "arn:aws:s3:::uptake-dev-*/*"])
    error_message = "A deployment may read people's data."
  }
  assert {
    condition     = length(data.aws_iam_policy_document.apply.minified_json) < 10240 && length(data.aws_iam_policy_document.plan.minified_json) < 10240
    error_message = "IAM takes 10,240 characters for a role's own policies."
  }
}

run "the_state_is_encrypted" {
  command = plan
  module {
    source = "./bootstrap"
  }

  assert {
    condition     = module.state.bucket.key_arn == aws_kms_key.state.arn && aws_kms_key.state.enable_key_rotation
    error_message = "The state is not encrypted with its key."
  }
  # The bucket refuses what names no key or another one.
  assert {
    condition     = strcontains(output.backend, "kms_key_id = \"${aws_kms_key.state.arn}\"")
    error_message = "Terraform is not told to encrypt with that key."
  }
}

run "a_repository_by_its_address" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    repository = "https://github.com/octo-org/uptake"
  }
  expect_failures = [var.repository]
}

run "a_sender_with_a_name" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    sender_identities = ["Uptake <uptake@octo.example>"]
  }
  expect_failures = [var.sender_identities]
}

run "an_environment_that_no_name_may_have" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    environment = "Pre-Prod"
  }
  expect_failures = [var.environment]
}
