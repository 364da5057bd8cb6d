# SSM parameters: their names, and who may read them. Their values are put there by people, with the commands of
# `terraform output put_parameters`, and are never in Terraform's state.

locals {
  parameter_arns = {
    for name in keys(module.settings.parameters) :
    name => "arn:${local.partition}:ssm:${var.region}:${local.account}:parameter${name}"
  }

  # The identity key and its successor have a KMS key of their own.
  parameter_keys = {
    for name, parameter in module.settings.parameters : name => (
      strcontains(parameter.variable, "IDENTITY_KEY") ? "identity" : "secrets"
    ) if parameter.secret
  }

  reads_parameters = {
    for function, is in module.settings.functions : function => concat(
      length(is.parameters) == 0 ? [] : [{
        sid        = "Parameters"
        actions    = ["ssm:GetParameter"]
        resources  = [for name in is.parameters : local.parameter_arns[name]]
        conditions = []
      }],
      [
        for key in ["identity", "secrets"] : {
          sid       = "ParametersUnder${title(key)}Key"
          actions   = ["kms:Decrypt"]
          resources = [local.keys[key].arn]
          # SSM binds each value to its parameter: another one's cannot be had with this.
          conditions = [
            {
              test     = "StringEquals"
              variable = "kms:EncryptionContext:PARAMETER_ARN"
              values   = [for name in is.parameters : local.parameter_arns[name] if lookup(local.parameter_keys, name, "") == key]
            },
            {
              test     = "StringEquals"
              variable = "kms:ViaService"
              values   = ["ssm.${var.region}.amazonaws.com"]
            },
          ]
        } if anytrue([for name in is.parameters : lookup(local.parameter_keys, name, "") == key])
      ],
      # A value that was wrapped with `aws kms encrypt` before it was put there is unwrapped by the function itself.
      anytrue([for name in is.parameters : lookup(local.parameter_keys, name, "") == "identity"]) ? [{
        sid       = "WrappedIdentityKey"
        actions   = ["kms:Decrypt"]
        resources = [aws_kms_key.identity.arn]
        conditions = [{
          test     = "StringEquals"
          variable = "kms:EncryptionContext:uptake"
          values   = ["identity-key"]
        }]
      }] : [],
    )
  }

  put_parameters = {
    for name, parameter in module.settings.parameters : name => join(" ", concat(
      ["aws ssm put-parameter --region ${var.region} --name ${name}"],
      parameter.secret ? [
        "--type SecureString --key-id alias/${local.prefix}-${local.parameter_keys[name]} --value file://${basename(name)}.txt"
      ] : ["--type String --value ${upper(replace(basename(name), "-", "_"))}"],
    ))
  }
}
