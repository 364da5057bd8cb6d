# What bootstrap/ makes in the account of dev. Values of a made-up company: write your own.

region            = "eu-central-1"
repository        = "octo-org/uptake"
environment       = "dev"
sender_identities = ["uptake-dev@octo.example"]
