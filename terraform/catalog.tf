# The tables as Athena sees them, and who may query them.

locals {
  # Written by `cargo xtask generate` out of crates/domain/src/tables.rs.
  tables = jsondecode(file("${path.module}/generated/tables.json"))

  # The engagement tables are apart in everything: database, workgroup, results, key, readers.
  databases = {
    lake = {
      name    = replace(local.prefix, "-", "_")
      about   = "Uptake ${var.environment}: licences, usage, audit, scores. Shows single people"
      bucket  = module.store.bucket
      folder  = "lake/"
      key_arn = aws_kms_key.store.arn
      readers = var.lake_readers
    }
    engagement = {
      name    = replace("${local.prefix}-engagement", "-", "_")
      about   = "Uptake ${var.environment}: streaks, points and totals under encrypted names"
      bucket  = module.engagement.bucket
      folder  = ""
      key_arn = aws_kms_key.engagement.arn
      readers = var.engagement_readers
    }
  }
}

resource "aws_glue_catalog_database" "tables" {
  for_each = local.databases

  name        = each.value.name
  description = each.value.about
}

# Athena (engine 3) reads columns, partitions and files out of the Delta log. What it takes from Glue is that the table
# is one, and where: `spark.sql.sources.provider` and the folder in the SerDe's `path`, as Athena's guide has it
# (delta-lake-tables-syncing-metadata, read 2026-11-22). Columns stand here for people and for Lake Formation.
# Partition columns are among them: for Glue, a Delta table has no partitions that it would have to know of.
resource "aws_glue_catalog_table" "delta" {
  for_each = local.tables

  name          = each.key
  description   = each.value.description
  database_name = aws_glue_catalog_database.tables[each.value.store].name
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                     = "TRUE"
    table_type                   = "DELTA"
    "spark.sql.sources.provider" = "delta"
    partitions                   = join(",", each.value.partitions)
  }

  storage_descriptor {
    location      = local.table_folders[each.key]
    input_format  = "org.apache.hadoop.mapred.SequenceFileInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
      parameters = {
        "serialization.format" = "1"
        path                   = local.table_folders[each.key]
      }
    }

    dynamic "columns" {
      for_each = each.value.columns
      content {
        name = columns.value.name
        type = columns.value.type
        # Glue takes 255 characters.
        comment = substr(columns.value.comment, 0, 255)
      }
    }
  }
}

locals {
  table_folders = {
    for table, is in local.tables :
    table => "s3://${local.databases[is.store].bucket.name}/${local.databases[is.store].folder}${table}/"
  }
}

# Results hold what was asked for, names too: they are encrypted like the tables, and go after a month.
module "query_results" {
  source   = "./modules/bucket"
  for_each = local.databases

  name              = "${local.prefix}-${each.key}-queries-${local.account}"
  key_arn           = each.value.key_arn
  log_bucket        = module.access_logs.log_bucket
  expire_after_days = 30
  force_destroy     = true
}

resource "aws_athena_workgroup" "queries" {
  for_each = local.databases

  name        = "${local.prefix}-${each.key}"
  description = each.value.about

  # An apply that takes the workgroup away takes the history of its queries along.
  force_destroy = true

  configuration {
    # A query cannot choose another place or key for its results.
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    # Ten gigabytes, five cents: a query without a partition in its WHERE ends there and not at the end of the month.
    bytes_scanned_cutoff_per_query = 10 * 1024 * 1024 * 1024

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${module.query_results[each.key].bucket.name}/"
      expected_bucket_owner = local.account
      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = each.value.key_arn
      }
    }
  }

  # The Athena data source of Grafana looks for workgroups that are tagged so.
  tags = each.key == "lake" ? { GrafanaDataSource = "true" } : {}
}

# What a reader needs and no more: tables, catalogue, workgroup, results (docs/QUERIES.md has the list in prose).
resource "aws_iam_policy" "reader" {
  for_each = local.databases

  name        = "${local.prefix}-${each.key}-reader"
  description = "Query ${each.value.about}"
  policy      = data.aws_iam_policy_document.reader[each.key].json
}

data "aws_iam_policy_document" "reader" {
  for_each = local.databases

  statement {
    sid       = "Tables"
    actions   = ["s3:GetObject"]
    resources = ["${each.value.bucket.arn}/${each.value.folder}*"]
  }

  statement {
    sid       = "ListTables"
    actions   = ["s3:ListBucket"]
    resources = [each.value.bucket.arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${each.value.folder}*"]
    }
  }

  statement {
    sid       = "Locations"
    actions   = ["s3:GetBucketLocation"]
    resources = [each.value.bucket.arn, module.query_results[each.key].bucket.arn]
  }

  statement {
    sid     = "Catalogue"
    actions = ["glue:GetDatabase", "glue:GetDatabases", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"]
    resources = [
      "arn:${local.partition}:glue:${var.region}:${local.account}:catalog",
      "arn:${local.partition}:glue:${var.region}:${local.account}:database/${each.value.name}",
      "arn:${local.partition}:glue:${var.region}:${local.account}:table/${each.value.name}/*",
    ]
  }

  statement {
    sid = "Queries"
    actions = [
      "athena:GetQueryExecution",
      "athena:GetQueryResults",
      "athena:GetWorkGroup",
      "athena:StartQueryExecution",
      "athena:StopQueryExecution",
    ]
    resources = ["arn:${local.partition}:athena:${var.region}:${local.account}:workgroup/${local.prefix}-${each.key}"]
  }

  statement {
    sid       = "Results"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${module.query_results[each.key].bucket.arn}/*"]
  }

  statement {
    sid       = "ListResults"
    actions   = ["s3:ListBucket"]
    resources = [module.query_results[each.key].bucket.arn]
  }

  statement {
    sid       = "Decryption"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [each.value.key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

# Roles of IAM Identity Center cannot be attached to from here: name the policy in their permission set instead.
resource "aws_iam_role_policy_attachment" "reader" {
  for_each = merge([
    for store, database in local.databases : {
      for arn in database.readers : "${store} ${arn}" => { store = store, role = reverse(split("/", arn))[0] }
      if !strcontains(arn, ":role/aws-reserved/")
    }
  ]...)

  role       = each.value.role
  policy_arn = aws_iam_policy.reader[each.value.store].arn
}
