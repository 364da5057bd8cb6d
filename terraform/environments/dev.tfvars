# Uptake for trying things out. Values of a made-up company: write your own.

environment = "dev"
region      = "eu-central-1"

settings = {
  UPTAKE_GITHUB_ORGS = "octo-org"
}

# An address of its own, verified by itself: the domain's bounces are prod's.
sender            = "uptake-dev@octo.example"
sender_identity   = "uptake-dev@octo.example"
recipient_domains = ["octo.example"]

log_retention_days = 30
