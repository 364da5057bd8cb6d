# What bootstrap/ makes in the account of prod. Values of a made-up company: write your own.

region            = "eu-central-1"
repository        = "octo-org/uptake"
environment       = "prod"
sender_identities = ["octo.example"]

# The same name as in environments/prod.tfvars of the main root.
saml_metadata_parameter = "/uptake/prod/saml-metadata"
