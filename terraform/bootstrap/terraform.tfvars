# What bootstrap/ makes. Values of a made-up company: write your own.

region            = "eu-central-1"
repository        = "octo-org/uptake"
environments      = ["dev", "prod"]
sender_identities = ["octo.example", "uptake-dev@octo.example"]
