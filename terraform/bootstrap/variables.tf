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

variable "environment" {
  description = "Environment that is deployed into this account. It is an environment of the repository on GitHub, too. Two in one account would mix their metrics, which are told apart by nothing but the account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "Write an environment of 2 to 12 lower-case letters and digits, such as dev or prod."
  }
}

variable "sender_identities" {
  description = "Domains or addresses that mails are sent from. A person has to prove that they are yours."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for identity in var.sender_identities : can(regex("^([A-Za-z0-9._+-]+@)?[a-z0-9-]+(\\.[a-z0-9-]+)+$", identity))])
    error_message = "Write domains or addresses, such as octo.example or uptake-dev@octo.example."
  }
}

variable "saml_metadata_parameter" {
  description = "Name of the SSM parameter with the identity provider's metadata, where a Grafana workspace is made: whoever plans reads it."
  type        = string
  default     = null

  validation {
    condition     = var.saml_metadata_parameter == null || can(regex("^/", var.saml_metadata_parameter))
    error_message = "Write the name of a parameter, such as /uptake/prod/saml-metadata."
  }
}
