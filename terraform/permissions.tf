# What each function may do, statement by statement, as the tables in lambdas/*/README.md say, or less. Its own logs, traces and
# dead letters come with modules/scheduled-function, its SSM parameters with parameters.tf.
#
# A test records the calls that the functions make and holds them against these statements: a call that is not allowed
# fails it, and so does an action that nobody needs.

locals {
  store             = module.store.bucket.arn
  engagement        = module.engagement.bucket.arn
  weekly_log_groups = "${local.operations.log_groups_arn}:${lookup(var.settings, "UPTAKE_LOG_GROUP_PREFIX", "/uptake")}"
  activity_queues   = values(local.activity_arn)

  # Tables are written as Delta wants it: files that nobody needs any more are deleted, large ones come in parts.
  engagement_tables = [for table in ["gold_engagement_closings", "gold_engagement_daily", "gold_engagement_totals"] : "${local.engagement}/${table}/*"]

  permissions = {
    workflow-metrics = [
      {
        sid     = "State"
        actions = ["s3:GetObject", "s3:PutObject"]
        resources = [
          "${local.store}/state/quarantine/workflow-metrics/*",
          "${local.store}/state/watermarks/workflow-metrics.json",
          "${local.store}/state/workflow-metrics/*",
        ]
        conditions = []
      },
      { sid = "WhoseRepositories", actions = ["s3:GetObject"], resources = ["${local.store}/${lookup(var.settings, "UPTAKE_REPOSITORIES", "config/repositories.yml")}"], conditions = [] },
      local.may.list_store,
      local.may.encrypt_store,
      merge(local.may.write_weekly_logs, { resources = ["${local.weekly_log_groups}/workflow-runs-*"] }),
      merge(local.may.publish, { conditions = [local.namespaces["workflow-metrics"]] }),
    ]

    copilot-seats = [
      {
        sid     = "Store"
        actions = ["s3:GetObject", "s3:PutObject"]
        resources = [
          "${local.store}/lake/gold_copilot_audit_log/*",
          "${local.store}/lake/gold_copilot_seats/*",
          "${local.store}/reports/copilot_billing_seats_*",
          "${local.store}/state/copilot-seats/*",
          "${local.store}/state/quarantine/copilot-seats/*",
          "${local.store}/state/reports/copilot-seats/*",
          "${local.store}/state/watermarks/copilot-seats.json",
        ]
        conditions = []
      },
      # A complete report takes the place of the incomplete one of its day.
      { sid = "IncompleteReports", actions = ["s3:DeleteObject"], resources = ["${local.store}/reports/copilot_billing_seats_*"], conditions = [] },
      {
        sid        = "BrokenUploads"
        actions    = ["s3:AbortMultipartUpload"]
        resources  = ["${local.store}/lake/gold_copilot_audit_log/*", "${local.store}/lake/gold_copilot_seats/*"]
        conditions = []
      },
      local.may.list_store,
      local.may.encrypt_store,
      merge(local.may.publish, { conditions = [local.namespaces["copilot-seats"]] }),
    ]

    m365-usage = [
      {
        sid     = "Store"
        actions = ["s3:GetObject", "s3:PutObject"]
        resources = [
          "${local.store}/bronze/*",
          "${local.store}/lake/*",
          "${local.store}/state/m365-usage/*",
          "${local.store}/state/watermarks/m365-usage.json",
          "${local.store}/state/exclusions.json",
        ]
        conditions = []
      },
      { sid = "Tables", actions = ["s3:AbortMultipartUpload", "s3:DeleteObject"], resources = ["${local.store}/lake/*"], conditions = [] },
      local.may.read_exclusions,
      local.may.list_store,
      local.may.encrypt_store,
      merge(local.may.publish, { conditions = [local.namespaces["m365-usage"]] }),
    ]

    audit-events = concat(
      [
        {
          sid     = "Store"
          actions = ["s3:GetObject", "s3:PutObject"]
          resources = [
            "${local.store}/bronze/audit_events/*",
            "${local.store}/lake/*",
            "${local.store}/state/audit-events/*",
            "${local.store}/state/watermarks/audit-events.json",
            "${local.store}/state/exclusions.json",
          ]
          conditions = []
        },
        { sid = "WhichKeyIsInUse", actions = ["s3:GetObject"], resources = ["${local.store}/state/identity.json"], conditions = [] },
        { sid = "Forget", actions = ["s3:DeleteObject"], resources = ["${local.store}/lake/*", "${local.store}/state/audit-events/*"], conditions = [] },
        { sid = "BrokenUploads", actions = ["s3:AbortMultipartUpload"], resources = ["${local.store}/lake/*"], conditions = [] },
        local.may.read_exclusions,
        local.may.list_store,
        local.may.encrypt_store,
        merge(local.may.publish, { conditions = [local.namespaces["audit-events"]] }),
      ],
      # Lambda's event source takes hints out of the queue with the function's role. Their key is that of dead letters.
      [for queue in local.activity_queues : {
        sid        = "Hints"
        actions    = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        resources  = [queue]
        conditions = []
      }],
    )

    scoring = [
      {
        sid     = "Store"
        actions = ["s3:GetObject", "s3:PutObject"]
        resources = [
          "${local.store}/lake/*",
          "${local.store}/reports/underutilized_licenses_*",
          "${local.store}/state/scoring/*",
          "${local.store}/state/watermarks/scoring.json",
          "${local.store}/state/exclusions.json",
        ]
        conditions = []
      },
      { sid = "WhetherADayIsCollected", actions = ["s3:GetObject"], resources = ["${local.store}/state/m365-usage/*", "${local.store}/state/watermarks/m365-usage.json"], conditions = [] },
      { sid = "BrokenUploads", actions = ["s3:AbortMultipartUpload"], resources = ["${local.store}/lake/*"], conditions = [] },
      local.may.read_exclusions,
      local.may.list_store,
      local.may.encrypt_store,
      merge(local.may.write_weekly_logs, { resources = ["${local.weekly_log_groups}/license-usage-*"] }),
      merge(local.may.publish, { conditions = [local.namespaces["scoring"]] }),
    ]

    engagement = [
      {
        sid     = "Inputs"
        actions = ["s3:GetObject"]
        resources = [
          "${local.store}/lake/*",
          "${local.store}/state/m365-usage/*",
          "${local.store}/state/watermarks/audit-events.json",
          "${local.store}/state/watermarks/m365-usage.json",
        ]
        conditions = []
      },
      {
        sid     = "State"
        actions = ["s3:GetObject", "s3:PutObject"]
        resources = [
          "${local.store}/state/engagement/*",
          "${local.store}/state/exclusions.json",
          "${local.store}/state/identity.json",
          "${local.store}/state/watermarks/engagement.json",
        ]
        conditions = []
      },
      { sid = "Tables", actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"], resources = ["${local.engagement}/*"], conditions = [] },
      local.may.read_exclusions,
      local.may.list_store,
      local.may.encrypt_store,
      local.may.list_engagement,
      local.may.encrypt_engagement,
      merge(local.may.publish, { conditions = [local.namespaces["engagement"]] }),
    ]

    engagement-api = [
      { sid = "Tables", actions = ["s3:GetObject"], resources = ["${local.engagement}/*"], conditions = [] },
      { sid = "State", actions = ["s3:GetObject"], resources = ["${local.store}/state/engagement/test-data.json", "${local.store}/state/identity.json"], conditions = [] },
      local.may.list_store,
      merge(local.may.encrypt_store, { actions = ["kms:Decrypt"] }),
      local.may.list_engagement,
      merge(local.may.encrypt_engagement, { actions = ["kms:Decrypt"] }),
    ]

    identity-keys = [
      { sid = "State", actions = ["s3:GetObject", "s3:PutObject"], resources = ["${local.store}/state/identity.json"], conditions = [] },
      # Versions, too: a change of key leaves nothing behind that the old one opens.
      { sid = "Tables", actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"], resources = local.engagement_tables, conditions = [] },
      { sid = "ListVersions", actions = ["s3:ListBucketVersions"], resources = [local.engagement], conditions = [] },
      local.may.list_store,
      local.may.encrypt_store,
      local.may.list_engagement,
      local.may.encrypt_engagement,
      merge(local.may.publish, { conditions = [local.namespaces["identity-keys"]] }),
    ]

    mailer = [
      {
        sid     = "WhatIsReported"
        actions = ["s3:GetObject"]
        resources = [
          "${local.store}/${lookup(var.settings, "UPTAKE_RECIPIENTS", "config/emails.json")}",
          "${local.store}/reports/*",
          "${local.store}/state/reports/*",
          "${local.store}/state/scoring/*",
          "${local.store}/state/watermarks/*",
          "${local.store}/state/workflow-metrics/*",
        ]
        conditions = []
      },
      {
        sid        = "WhoGotWhat"
        actions    = ["s3:GetObject", "s3:PutObject"]
        resources  = ["${local.store}/state/mail/*", "${local.store}/state/watermarks/mailer.json"]
        conditions = []
      },
      local.may.list_store,
      local.may.encrypt_store,
      {
        sid       = "Mail"
        actions   = ["ses:SendRawEmail"]
        resources = ["arn:${local.partition}:ses:${var.region}:${local.account}:identity/${coalesce(local.sender_identity, "none")}"]
        conditions = [
          { test = "StringEquals", variable = "ses:FromAddress", values = [coalesce(var.sender, "none")] },
          { test = "ForAllValues:StringLike", variable = "ses:Recipients", values = [for domain in var.recipient_domains : "*@${domain}"] },
        ]
      },
      merge(local.may.publish, { conditions = [local.namespaces["mailer"]] }),
    ]

    activity-webhook = concat(
      [for queue in local.activity_queues : {
        sid        = "Hints"
        actions    = ["sqs:SendMessage"]
        resources  = [queue]
        conditions = []
      }],
      [
        {
          sid        = "HintsAreEncrypted"
          actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
          resources  = [aws_kms_key.operations.arn]
          conditions = [local.via.sqs]
        },
        merge(local.may.publish, { conditions = [local.namespaces["activity-webhook"]] }),
      ],
    )

    grafana-health = [
      merge(local.may.publish, { conditions = [local.namespaces["grafana-health"]] }),
    ]
  }

  # Statements that several functions have.
  may = {
    list_store      = { sid = "ListStore", actions = ["s3:ListBucket"], resources = [local.store], conditions = [] }
    list_engagement = { sid = "ListTables", actions = ["s3:ListBucket"], resources = [local.engagement], conditions = [] }
    read_exclusions = { sid = "WhoIsExcluded", actions = ["s3:GetObject"], resources = ["${local.store}/${lookup(var.settings, "UPTAKE_EXCLUSIONS", "config/exclusions.json")}"], conditions = [] }

    encrypt_store      = { sid = "StoreIsEncrypted", actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [aws_kms_key.store.arn], conditions = [local.via.s3] }
    encrypt_engagement = { sid = "TablesAreEncrypted", actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [aws_kms_key.engagement.arn], conditions = [local.via.s3] }

    write_weekly_logs = {
      sid        = "WeeklyLogs"
      actions    = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:GetLogEvents", "logs:PutLogEvents", "logs:PutRetentionPolicy"]
      conditions = []
    }

    # CloudWatch has no resources to name here; the namespaces are what can be held to.
    publish = { sid = "Metrics", actions = ["cloudwatch:PutMetricData"], resources = ["*"] }
  }

  namespaces = {
    for function, names in {
      activity-webhook = ["Uptake/Pipeline"]
      audit-events     = ["Uptake/Pipeline"]
      copilot-seats    = ["Uptake/Copilot", "Uptake/Pipeline"]
      engagement       = ["Uptake/Engagement", "Uptake/Pipeline"]
      grafana-health   = ["Uptake/Pipeline"]
      identity-keys    = ["Uptake/Pipeline"]
      m365-usage       = ["Uptake/Pipeline"]
      mailer           = ["Uptake/Pipeline"]
      scoring          = ["Uptake/M365", "Uptake/Pipeline"]
      workflow-metrics = ["Uptake/Pipeline", "Uptake/Workflows"]
    } : function => { test = "StringEquals", variable = "cloudwatch:namespace", values = names }
  }

  # A key is used through its service alone: what lies in a bucket cannot be decrypted past the bucket's policy.
  via = {
    for service in ["s3", "sqs"] : service => {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["${service}.${var.region}.amazonaws.com"]
    }
  }
}
