# Which function gets which variable: as generated/settings.json names them, and with the rules below.

locals {
  # Set by Terraform, because it knows them better than a settings file could.
  own = setunion(keys(var.provided), [for variable in keys(local.parameters) : "${variable}_PARAMETER"])

  # What lies in SSM, by the variable it stands for. Terraform knows names only: a value would end up in its state.
  parameters = {
    UPTAKE_GITHUB_TOKEN      = { name = "github-token", secret = true }
    UPTAKE_GITHUB_APP_KEY    = { name = "github-app-key", secret = true }
    UPTAKE_TENANT_ID         = { name = "tenant-id", secret = false }
    UPTAKE_CLIENT_ID         = { name = "client-id", secret = false }
    UPTAKE_CLIENT_SECRET     = { name = "client-secret", secret = true }
    UPTAKE_IDENTITY_KEY      = { name = "identity-key", secret = true }
    UPTAKE_NEXT_IDENTITY_KEY = { name = "next-identity-key", secret = true }
    UPTAKE_WEBHOOK_AUTH_ID   = { name = "webhook-auth-id", secret = true }
  }

  has_app            = contains(keys(var.settings), "UPTAKE_GITHUB_APP_ID")
  has_enterprise     = contains(keys(var.settings), "UPTAKE_GITHUB_ENTERPRISE")
  has_exclusion_site = contains(keys(var.settings), "UPTAKE_EXCLUSION_SITE_ID")

  # Microsoft is asked by these for nothing but an exclusion list in SharePoint.
  only_for_exclusion_list = local.has_exclusion_site ? {} : {
    scoring    = ["UPTAKE_TENANT_ID", "UPTAKE_CLIENT_ID", "UPTAKE_CLIENT_SECRET"]
    engagement = ["UPTAKE_CLIENT_ID", "UPTAKE_CLIENT_SECRET"]
  }

  not_read_by = {
    for function in var.functions : function => concat(
      # A value given in the settings (tenant, client) needs no parameter.
      keys(var.settings),
      lookup(local.only_for_exclusion_list, function, []),
      # Token or App: GitHub takes an App in place of a token, but not for an enterprise's seats.
      [local.has_app && !(local.has_enterprise && function == "copilot-seats") ? "UPTAKE_GITHUB_TOKEN" : "UPTAKE_GITHUB_APP_KEY"],
    )
  }

  # function -> variables that it reads from SSM.
  read_from_ssm = {
    for function in var.functions : function => [
      for variable in keys(local.parameters) : variable
      if contains(try(var.known["${variable}_PARAMETER"].functions, []), function) && !contains(local.not_read_by[function], variable)
    ]
  }

  environment = {
    for function in var.functions : function => merge(
      { for variable, value in merge(var.settings, var.provided) : variable => value if contains(try(var.known[variable].functions, []), function) },
      { for variable in local.read_from_ssm[function] : "${variable}_PARAMETER" => "${var.parameter_path}/${local.parameters[variable].name}" },
      # 500,000 audit events a day then fit into 256 MB: threads keep no freed memory to themselves.
      function == "audit-events" ? { MALLOC_ARENA_MAX = "1" } : {},
    )
  }
}
