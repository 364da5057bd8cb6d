# What every function is: when it is offered work, how much of Lambda it gets, and how it is reached.

locals {
  # A day's function is offered its day every hour: it answers `nothing_to_do` until its inputs are there and once its
  # day is done, and picks up what a deadline cut or a late report brings. That is why `period` is not the schedule.
  #
  # Memory and timeout are those of the functions' READMEs.
  table = {
    workflow-metrics = { schedule = "cron(10 * * * ? *)", period = "hour", memory_mb = 512, timeout_seconds = 900, description = "Workflow runs of GitHub Actions into metrics, log events and history" }
    audit-events     = { schedule = "cron(10 * * * ? *)", period = "hour", memory_mb = 1024, timeout_seconds = 900, description = "Copilot interactions of the audit log into tables" }
    copilot-seats    = { schedule = "cron(0 * * * ? *)", period = "day", memory_mb = 512, timeout_seconds = 900, description = "GitHub Copilot seats of the day into a report, a table and metrics" }
    m365-usage       = { schedule = "cron(0 * * * ? *)", period = "day", memory_mb = 1024, timeout_seconds = 900, description = "Directory, licences and usage reports of Microsoft 365 into tables" }
    scoring          = { schedule = "cron(30 * * * ? *)", period = "day", memory_mb = 1024, timeout_seconds = 900, description = "Usage scores of Microsoft 365 Copilot licences" }
    engagement       = { schedule = "cron(30 * * * ? *)", period = "day", memory_mb = 2048, timeout_seconds = 900, description = "Streaks, points and totals under encrypted names" }
    mailer           = { schedule = "cron(0 * * * ? *)", period = "day", memory_mb = 512, timeout_seconds = 300, description = "Daily report and weekly digests by mail" }
    grafana-health   = { schedule = "rate(5 minutes)", period = "5 minutes", memory_mb = 128, timeout_seconds = 30, description = "Whether Grafana answers" }
    identity-keys    = { schedule = "cron(20 * * * ? *)", period = "operator", memory_mb = 2048, timeout_seconds = 900, description = "Another key for the names in engagement tables" }
    engagement-api   = { schedule = null, period = "request", memory_mb = 1024, timeout_seconds = 30, description = "Streaks, completions and leaderboards as JSON" }
    activity-webhook = { schedule = null, period = "request", memory_mb = 256, timeout_seconds = 10, description = "Microsoft's notifications of new audit content into a queue" }
  }

  # Who may call the function's URL, where it has one.
  urls = {
    engagement-api   = "AWS_IAM"
    activity-webhook = "NONE"
  }

  # What the schedule sends. Windows derive from the instant it names, never from now, so that a late or repeated delivery
  # computes the same window. Not by jsonencode: it would write < and > as \u003c and \u003e, and the scheduler would not
  # know its word.
  offer = "{\"scheduled_time\":\"<aws.scheduler.scheduled-time>\"}"
  # An operator changes keys; the schedule only asks how it is, so that an alarm sees a pause that nobody ended.
  payloads = { identity-keys = "{\"action\":\"status\"}" }

  functions = {
    for function, is in local.table : function => merge(is, {
      payload = is.schedule == null ? null : lookup(local.payloads, function, local.offer)
      url     = lookup(local.urls, function, null)
      # One invocation at a time of everything that writes; ten of what a URL lets in, so that nobody outside can use up
      # the account's share.
      concurrency = contains(keys(local.urls), function) ? 10 : 1
    })
  }
}
