# The table of deployed functions, and the parameters they read.

output "functions" {
  description = "Function -> schedule, payload, period, memory, timeout, concurrency, URL, environment, and names of the SSM parameters that it reads."
  value = {
    for function in var.functions : function => merge(local.functions[function], {
      environment = local.environment[function]
      parameters  = [for variable in local.read_from_ssm[function] : local.environment[function]["${variable}_PARAMETER"]]
    })
  }

  precondition {
    condition     = alltrue([for function in var.functions : contains(keys(local.functions), function)])
    error_message = "No such function: ${join(", ", [for function in var.functions : function if !contains(keys(local.functions), function)])}. Write some of ${join(", ", keys(local.functions))}."
  }

  precondition {
    condition = alltrue([
      for variable in keys(var.known) : contains(local.own, variable) if endswith(variable, "_PARAMETER")
    ])
    error_message = "modules/settings/environment.tf has no parameter name for ${join(", ", [for variable in keys(var.known) : variable if endswith(variable, "_PARAMETER") && !contains(local.own, variable)])}: add it to `parameters` there."
  }
}

output "parameters" {
  description = "SSM parameters that deployed functions read: name -> whether it is a secret, and by whom it is read."
  value = {
    for variable, parameter in local.parameters : "${var.parameter_path}/${parameter.name}" => {
      secret    = parameter.secret
      variable  = variable
      functions = [for function in var.functions : function if contains(local.read_from_ssm[function], variable)]
    } if anytrue([for function in var.functions : contains(local.read_from_ssm[function], variable)])
  }
}

output "timeouts" {
  description = "Every function's timeout in seconds, deployed or not."
  value       = { for function, is in local.functions : function => is.timeout_seconds }
}
