# What has to be known before there is anything.

variable "name" {
  description = "The same as `name` of the main root."
  type        = string
  default     = "uptake"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name))
    error_message = "Write a name of 3 to 16 lower-case letters, digits and hyphens, such as uptake."
  }
}

variable "region" {
  description = "AWS region of state and deployments."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Write a region of AWS, such as eu-central-1."
  }
}

variable "repository" {
  description = "Repository on GitHub whose workflows deploy."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "Write owner and repository, such as octo-org/uptake."
  }
}

variable "environments" {
  description = "Environments that are deployed into this account. Each is an environment of the repository on GitHub, too."
  type        = set(string)
  default     = ["dev", "prod"]

  validation {
    condition     = length(var.environments) > 0 && alltrue([for environment in var.environments : can(regex("^[a-z][a-z0-9]{1,11}$", environment))])
    error_message = "Write environments of 2 to 12 lower-case letters and digits, such as dev and prod."
  }
}

variable "sender_identities" {
  description = "Domains or addresses that mails are sent from, one for each environment with a mailer. A person has to prove that they are yours."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for identity in var.sender_identities : can(regex("^([A-Za-z0-9._+-]+@)?[a-z0-9-]+(\\.[a-z0-9-]+)+$", identity))])
    error_message = "Write domains or addresses, such as octo.example or uptake-dev@octo.example."
  }
}

variable "saml_metadata_parameters" {
  description = "Names of the SSM parameters with identity-provider metadata, where Grafana workspaces are made: whoever plans reads them."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.saml_metadata_parameters : startswith(name, "/")])
    error_message = "Write names of parameters, such as /uptake/prod/saml-metadata."
  }
}
