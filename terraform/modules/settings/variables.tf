# What the table of functions and their environments is computed from.

variable "known" {
  description = "generated/settings.json: every variable there is, with the functions that read it."
  type        = map(object({ functions = list(string), meaning = optional(string) }))
}

variable "functions" {
  description = "Functions to deploy."
  type        = set(string)
}

variable "settings" {
  description = "Values of UPTAKE_ variables."
  type        = map(string)

  validation {
    condition     = alltrue([for variable in keys(var.settings) : contains(keys(var.known), variable)])
    error_message = "Nothing reads ${join(", ", [for variable in keys(var.settings) : variable if !contains(keys(var.known), variable)])}: write names as docs/CONFIGURATION.md has them."
  }

  validation {
    condition     = alltrue([for variable in keys(var.settings) : !try(local.parameters[variable].secret, false)])
    error_message = "A secret does not belong into settings, which end up in Terraform's state: leave out ${join(", ", [for variable in keys(var.settings) : variable if try(local.parameters[variable].secret, false)])}, and put it into SSM with the command of `terraform output put_parameters`."
  }

  validation {
    condition     = alltrue([for variable in keys(var.settings) : !contains(local.own, variable)])
    error_message = "Terraform sets ${join(", ", [for variable in keys(var.settings) : variable if contains(local.own, variable)])} itself: leave it out (the sender is `sender`, Grafana is `grafana`, parameters are named by environment)."
  }

  validation {
    condition     = alltrue([for variable, value in var.settings : trimspace(value) != ""])
    error_message = "${join(", ", [for variable, value in var.settings : variable if trimspace(value) == ""])}: write a value, or leave the variable out to get its default."
  }
}

variable "provided" {
  description = "Variables that Terraform knows the value of: stores, queue, sender, Grafana's address."
  type        = map(string)
}

variable "parameter_path" {
  description = "What names of SSM parameters begin with, as in /uptake/dev."
  type        = string
}
