# What a workspace needs.

variable "name" {
  description = "Name of the workspace and of its role."
  type        = string
}

variable "saml_metadata_parameter" {
  description = "Name of the SSM parameter (String) that holds the identity provider's metadata as XML."
  type        = string
}

variable "admin_groups" {
  description = "Values of the role assertion that make somebody an administrator of Grafana."
  type        = list(string)
}

variable "editor_groups" {
  description = "Values of the role assertion that make somebody an editor."
  type        = list(string)
}

variable "reader_policy_arn" {
  description = "Policy that lets Grafana read figures, log events and tables."
  type        = string
}
