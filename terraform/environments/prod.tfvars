# Uptake as people use it. Values of a made-up company: write your own.

environment = "prod"
region      = "eu-central-1"

settings = {
  UPTAKE_GITHUB_ORGS      = "octo-org,octo-labs"
  UPTAKE_LICENSE_PRICE    = "30"
  UPTAKE_AUDIT_OPERATIONS = "CopilotInteraction"
}

sender            = "uptake@octo.example"
recipient_domains = ["octo.example"]
alarm_emails      = ["operators@octo.example"]
documentation_url = "https://github.com/octo-org/uptake/blob/main/docs/OPERATIONS.md"

grafana = {
  mode                    = "workspace"
  saml_metadata_parameter = "/uptake/prod/saml-metadata"
  admin_groups            = ["uptake-operators"]
  editor_groups           = ["uptake-editors"]
}
