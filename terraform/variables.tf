# Everything that can be chosen. environments/<environment>.tfvars are examples.

variable "environment" {
  description = "Which deployment this is; there is a file environments/<environment>.tfvars for it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "Write an environment of 2 to 12 lower-case letters and digits, such as dev or prod."
  }

  validation {
    condition     = fileexists("${path.root}/environments/${var.environment}.tfvars")
    error_message = "There is no environment ${var.environment}: write the name of one of the files in terraform/environments, or add ${var.environment}.tfvars and ${var.environment}.s3.tfbackend there."
  }
}

variable "name" {
  description = "What names of everything begin with."
  type        = string
  default     = "uptake"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name))
    error_message = "Write a name of 3 to 16 lower-case letters, digits and hyphens, such as uptake: buckets are called after it."
  }
}

variable "region" {
  description = "AWS region to deploy to."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Write a region of AWS, such as eu-central-1."
  }
}

variable "functions" {
  description = "Functions to deploy. The webhook only hastens what audit-events does hourly, and is open to the internet: it has to be asked for. grafana-health is left out where there is no Grafana."
  type        = set(string)
  default = [
    "audit-events",
    "copilot-seats",
    "engagement",
    "engagement-api",
    "grafana-health",
    "identity-keys",
    "m365-usage",
    "mailer",
    "scoring",
    "workflow-metrics",
  ]

  validation {
    condition = length(setsubtract(var.functions, [
      "activity-webhook",
      "audit-events",
      "copilot-seats",
      "engagement",
      "engagement-api",
      "grafana-health",
      "identity-keys",
      "m365-usage",
      "mailer",
      "scoring",
      "workflow-metrics",
    ])) == 0
    error_message = "Write names of folders in lambdas/, such as copilot-seats and workflow-metrics."
  }

  validation {
    condition     = length(var.functions) > 0
    error_message = "Write at least one function, such as copilot-seats."
  }

  validation {
    condition     = !contains(var.functions, "activity-webhook") || contains(var.functions, "audit-events")
    error_message = "activity-webhook only leaves hints for audit-events: write audit-events, too, or leave out activity-webhook."
  }
}

variable "architecture" {
  description = "Processor that the packages were built for. x86_64 is what the tests run; arm64 is cheaper."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Write x86_64 or arm64."
  }
}

variable "packages" {
  description = "Folder with a <function>.zip for each function, as `make package` leaves them; relative to terraform/."
  type        = string
  default     = "../target/packages"

  validation {
    condition     = trimspace(var.packages) != ""
    error_message = "Write the folder that `make package` leaves zips in, such as ../target/packages."
  }
}

variable "time_zone" {
  description = "Time zone of schedules. All of them are hourly: it matters only where a zone is not whole hours from UTC."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+)+)$", var.time_zone))
    error_message = "Write a time zone of the IANA list, such as UTC or Europe/Berlin."
  }
}

variable "settings" {
  description = "Values of UPTAKE_ variables (docs/CONFIGURATION.md). Each reaches the functions that read it; those of functions that are not deployed reach nobody. No secrets: those are SSM parameters."
  type        = map(string)
  default     = {}
}

variable "sender" {
  description = "Address that mails are sent from; null only without the mailer."
  type        = string
  default     = null

  validation {
    condition     = var.sender == null || can(regex("^[A-Za-z0-9._+-]+@[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.sender))
    error_message = "Write one plain address, such as uptake@octo.example."
  }

  validation {
    condition     = var.sender != null || !contains(var.functions, "mailer")
    error_message = "Write the address that mails are sent from, such as uptake@octo.example, or leave mailer out of `functions`."
  }
}

variable "sender_identity" {
  description = "What is verified with SES for the sender: its domain (the default), or the address itself. Two environments in one account need an identity each, because SES has one place for bounces per identity."
  type        = string
  default     = null

  validation {
    condition     = var.sender_identity == null || var.sender_identity == var.sender || endswith(coalesce(var.sender, "none"), "@${coalesce(var.sender_identity, "-")}")
    error_message = "Write the sender's domain or the sender's whole address: SES would refuse to send for anything else."
  }
}

variable "recipient_domains" {
  description = "Domains that mails may go to; IAM refuses every other recipient."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for domain in var.recipient_domains : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", domain))])
    error_message = "Write domains such as octo.example, without @ and without *."
  }

  validation {
    condition     = length(var.recipient_domains) > 0 || !contains(var.functions, "mailer")
    error_message = "Write at least one domain that mails may go to, such as octo.example, or leave mailer out of `functions`."
  }
}

variable "alarm_emails" {
  description = "Who is told of alarms, and of bounced mails. Each has to confirm a mail of Amazon SNS once."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "Write mail addresses, such as operators@octo.example."
  }
}

variable "documentation_url" {
  description = "Where docs/OPERATIONS.md can be read; alarms link to its headings."
  type        = string
  default     = "docs/OPERATIONS.md"

  validation {
    condition     = can(regex("OPERATIONS", var.documentation_url))
    error_message = "Write the address of docs/OPERATIONS.md in your repository, such as https://github.com/octo-org/uptake/blob/main/docs/OPERATIONS.md."
  }
}

variable "log_retention_days" {
  description = "Days for which functions' own logs are kept. Weekly log groups follow UPTAKE_LOG_RETENTION_DAYS."
  type        = number
  default     = 400

  validation {
    condition     = contains([14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Write a number of days that CloudWatch knows, such as 14, 30, 90, 365 or 400."
  }
}

variable "reserve_concurrency" {
  description = "Whether one invocation of a function at a time is guaranteed by reserved concurrency. A new account, with a limit of 10 in all, cannot reserve any."
  type        = bool
  default     = true
}

variable "grafana" {
  description = "Grafana: none, a workspace of Amazon Managed Grafana (which needs identity-provider metadata in an SSM parameter and a group of administrators), or an existing one by its address."
  type = object({
    mode                    = string
    url                     = optional(string)
    saml_metadata_parameter = optional(string)
    admin_groups            = optional(list(string), [])
    editor_groups           = optional(list(string), [])
  })
  default = { mode = "none" }

  validation {
    condition     = contains(["none", "workspace", "existing"], var.grafana.mode)
    error_message = "Write none, workspace or existing as the mode of grafana."
  }

  validation {
    condition     = var.grafana.mode != "existing" || can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.grafana.url))
    error_message = "Write the address of the existing Grafana as url, with https:// and without a path, such as https://grafana.octo.example."
  }

  validation {
    condition     = var.grafana.mode == "existing" || var.grafana.url == null
    error_message = "Leave out url: it is for mode existing, and a workspace gets its address from Amazon."
  }

  validation {
    condition     = var.grafana.mode != "workspace" || can(regex("^/[A-Za-z0-9_./-]+$", var.grafana.saml_metadata_parameter))
    error_message = "Write the name of the SSM parameter with the identity provider's metadata as saml_metadata_parameter, such as /uptake/prod/saml-metadata."
  }

  validation {
    condition     = var.grafana.mode != "workspace" || length(var.grafana.admin_groups) > 0
    error_message = "Write at least one group as admin_groups: nobody else could look after the workspace."
  }
}

variable "vpc" {
  description = "Subnets and security groups to run functions in; null runs them outside any VPC. The subnets need a way out to GitHub, Microsoft and AWS (README.md)."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null || try(length(var.vpc.subnet_ids) > 0 && alltrue([for id in var.vpc.subnet_ids : startswith(id, "subnet-")]), false)
    error_message = "Write at least one subnet, such as subnet-0123456789abcdef0."
  }

  validation {
    condition     = var.vpc == null || try(length(var.vpc.security_group_ids) > 0 && alltrue([for id in var.vpc.security_group_ids : startswith(id, "sg-")]), false)
    error_message = "Write at least one security group, such as sg-0123456789abcdef0, that lets HTTPS out."
  }
}

variable "lake_readers" {
  description = "ARNs of roles that may read the lake's tables with Athena: they show single people."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.lake_readers : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "Write ARNs of roles, such as arn:aws:iam::111122223333:role/analysts."
  }
}

variable "engagement_readers" {
  description = "ARNs of roles that may read the engagement tables. Nobody else can, administrators of the account included, unless they change the key's policy."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.engagement_readers : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "Write ARNs of roles, such as arn:aws:iam::111122223333:role/programme."
  }
}
