# Functions that are called over HTTPS. README.md says how they are guarded without a WAF, and how to put one before them.

resource "aws_lambda_function_url" "url" {
  for_each = { for function, is in module.settings.functions : function => is.url if is.url != null }

  function_name      = module.function[each.key].function.name
  authorization_type = each.value
}

# A URL that anybody may call needs two permissions since October 2025. The provider adds lambda:InvokeFunctionUrl
# itself; the other one, lambda:InvokeFunction for calls that come through the URL, its 5th major version has no word
# for (hashicorp/terraform-provider-aws#44829). CloudFormation has.
resource "aws_cloudformation_stack" "public_url" {
  for_each = { for function, url in aws_lambda_function_url.url : function => url if module.settings.functions[function].url == "NONE" }

  name = "${local.prefix}-${each.key}-url"
  template_body = jsonencode({
    Description = "Lets calls through the function URL of ${each.key} in"
    Resources = {
      Permission = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          FunctionName          = module.function[each.key].function.name
          Action                = "lambda:InvokeFunction"
          Principal             = "*"
          InvokedViaFunctionUrl = true
        }
      }
    }
  })
}

# What a caller of the API attaches to its role.
resource "aws_iam_policy" "api_caller" {
  for_each = setintersection(local.functions, ["engagement-api"])

  name        = "${local.prefix}-${each.key}-caller"
  description = "Call the URL of ${each.key}"
  policy      = data.aws_iam_policy_document.api_caller.json
}

data "aws_iam_policy_document" "api_caller" {
  statement {
    sid       = "CallUrl"
    actions   = ["lambda:InvokeFunctionUrl"]
    resources = ["arn:${local.partition}:lambda:${var.region}:${local.account}:function:${local.prefix}-engagement-api"]
  }

  statement {
    sid       = "OnlyThroughUrl"
    actions   = ["lambda:InvokeFunction"]
    resources = ["arn:${local.partition}:lambda:${var.region}:${local.account}:function:${local.prefix}-engagement-api"]
    condition {
      test     = "Bool"
      variable = "lambda:InvokedViaFunctionUrl"
      values   = ["true"]
    }
  }
}
