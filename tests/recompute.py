"""Reads every table of the lake with readers that are not ours, and computes every score once more.

    python tests/recompute.py LAKE [--threshold 20] [--new-license-days 14]

LAKE is the folder `lake` of a store, or its s3:// address. The log is read by delta-rs, the data files by Polars. What a table should be is
read from docs/TABLES.md, how a score follows from docs/QUERIES.md ("A score by hand"). Prints one JSON object; ends with 1 where anything differs.
"""

import argparse
import json
import math
import pathlib
import re
import sys
from collections import Counter, defaultdict
from datetime import timedelta
from fractions import Fraction

import polars
from deltalake import DeltaTable

TYPES = {
    "string": polars.String,
    "array<string>": polars.List(polars.String),
    "date": polars.Date,
    "timestamp": polars.Datetime("us", "UTC"),
    "bigint": polars.Int64,
    "double": polars.Float64,
    "boolean": polars.Boolean,
}
APPS = ["teams_on", "word_on", "excel_on", "powerpoint_on", "outlook_on", "onenote_on", "loop_on", "chat_on"]
OTHER_DATES = ["last_activity_on", "chat_work_on", "chat_web_on", "agent_on", "edge_on"]
WINDOW, SETTLING, FRESH = timedelta(days=29), timedelta(days=7), timedelta(days=2)

# What differs, by kind: how often, and the first few.
counts, examples = Counter(), defaultdict(list)


def differs(kind, what):
    counts[kind] += 1
    if len(examples[kind]) < 5:
        examples[kind].append(what)


def declared_tables():
    """The tables of docs/TABLES.md: by name, key, partitions and columns with their types."""
    text = (pathlib.Path(__file__).parent.parent / "docs" / "TABLES.md").read_text()
    columns = lambda part: re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", part, re.MULTILINE)
    first, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    everywhere = [(name, kind) for name, kind in columns(first) if name in ("collected_at", "invocation_id")]
    tables = {}
    for section in sections:
        key, partitions = re.search(r"^Key: (.*?)\. Partitions: (.*?)\. Written", section, re.MULTILINE).groups()
        names = lambda part: re.findall(r"`(\w+)`", part)
        tables[section.split("\n", 1)[0]] = (names(key), names(partitions), columns(section) + everywhere)
    return tables


def read(lake, name, key, partitions, columns):
    """The rows of a table, once it is what it is declared to be; nothing if it is not there."""
    uri = f"{lake}/{name}"
    if not DeltaTable.is_deltatable(uri):
        return None
    table = DeltaTable(uri)
    protocol = table.protocol()
    if (protocol.min_reader_version, protocol.min_writer_version) != (1, 2):
        differs("protocol", f"{name}: {protocol}")
    if table.metadata().partition_columns != partitions:
        differs("partitions", f"{name}: {table.metadata().partition_columns}")
    for path in polars.DataFrame(table.get_add_actions(flatten=True))["path"]:
        if [folder.split("=")[0] for folder in path.split("/")[:-1]] != partitions:
            differs("partitions", f"{name}: {path}")
    frame = polars.scan_delta(uri).collect()
    if list(frame.schema.items()) != [(column, TYPES[kind]) for column, kind in columns]:
        differs("types", f"{name}: {frame.schema}")
    for column in [*(key or ["log_id"]), *partitions, "collected_at", "invocation_id"]:
        if frame[column].null_count():
            differs("null in key", f"{name}.{column}")
    if frame.select(key or ["log_id"]).n_unique() != frame.height:
        differs("key twice", name)
    return frame


def ids_by_name(users):
    """Whose a name is: the present name of an account in use that was seen last."""
    claims = {}
    for user in users:
        for name, present in [(user["upn"], True), *((former, False) for former in user["former_upns"] or [])]:
            claim = (present, user["account_enabled"], user["last_seen_on"])
            if name not in claims or claims[name][0] < claim:
                claims[name] = (claim, user["user_id"])
    return {name: user_id for name, (_, user_id) in claims.items()}


def in_gold_since(usage):
    """When the report of a day came into gold: the first of the partition's rows."""
    return dict(usage.group_by("day").agg(polars.col("collected_at").min()).iter_rows())


def fresh_report(gold, day, instant):
    """The newest report that a scoring of the day at the instant could use."""
    return max((on for on, since in gold.items() if since <= instant and day - FRESH <= on <= day), default=None)


def scorings_of_days(checks, gold):
    """The first scoring and the last that each day's scores went through, as (instant, the day it was for). A scoring settles its day and the
    seven before, unless a later day was scored already. Each leaves its checks, also where it changes no score."""
    ours = (polars.col("table_name") == "gold_copilot_usage_scores") & (polars.col("check_name") == "coverage_percent")
    first, last, newest = {}, {}, None
    for instant, day in checks.filter(ours).sort("collected_at").select("collected_at", "check_on").iter_rows():
        settles = SETTLING if newest is None or day >= newest else timedelta(0)
        for back in range(settles.days + 1):
            settled = day - timedelta(days=back)
            if fresh_report(gold, settled, instant):
                first.setdefault(settled, (instant, day))
                last[settled] = (instant, day)
        if fresh_report(gold, day, instant):
            newest = max(newest or day, day)
    return first, last


def held_days(licenses):
    """For each person the stretches [from, until) in which a licence was held, through whichever SKUs."""
    spans = defaultdict(list)
    for row in licenses:
        spans[row["user_id"]].append((row["assigned_on"].isoformat(), row["removed_on"] and row["removed_on"].isoformat()))
        spans[row["user_id"]] += [tuple(span.split("/")) for span in row["earlier_holdings"] or []]
    return spans


def held_since(spans, day):
    """The first day of the holding that covers a day."""
    first, on = None, day.isoformat()
    while covering := [since for since, until in spans if since <= on and (until is None or on < until)]:
        first = min(covering)
        # The day before may be covered by another SKU, whose stretch then counts as well.
        on = (type(day).fromisoformat(first) - timedelta(days=1)).isoformat()
    return first and type(day).fromisoformat(first)


def score_of(since, active_days, apps):
    """Score and components, in exact numbers."""
    if since is None or since > 29:
        return 0, Fraction(0), Fraction(0), Fraction(0)
    recency = min(max(100 - Fraction(since * 100, 30), 0), 100)
    frequency = min(Fraction(100), Fraction(active_days * 100, 30))
    breadth = Fraction(apps * 100, 8)
    return math.floor(recency / 2 + frequency * 3 / 10 + breadth / 5 + Fraction(1, 2)), recency, frequency, breadth


def recompute(tables, threshold, new_license_days):
    """Compares every stored score with one that follows from the other tables. Returns how many were compared, and how many could not be."""
    gold = in_gold_since(tables["gold_copilot_usage"])
    first, last = scorings_of_days(tables["gold_copilot_dq_results"], gold)
    users = tables["silver_users"].to_dicts()
    names, known = ids_by_name(users), {user["user_id"] for user in users}
    snapshots = defaultdict(list)
    for row in tables["silver_copilot_usage"].sort("report_refresh_on").iter_rows(named=True):
        user_id = row["user_id"] or names.get(row["upn"])
        if user_id in known and row["report_refresh_on"] in gold:
            snapshots[user_id].append(row)
    # Events are only inserted, so each tells when it came to be known.
    events = defaultdict(set)
    told = tables["silver_audit_events"]
    for row in [] if told is None else told.select("user_id", "upn", "event_on", "collected_at").unique().iter_rows(named=True):
        user_id = row["user_id"] or names.get(row["upn"])
        events[user_id].add((row["event_on"], row["collected_at"]))
    licenses = tables["silver_user_licenses"]
    holdings = held_days(licenses.to_dicts())
    licensed_as_now_since = dict(licenses.group_by("user_id").agg(polars.col("collected_at").max()).iter_rows())
    scores = {(row["score_on"], row["user_id"]): row for row in tables["gold_copilot_usage_scores"].iter_rows(named=True)}
    compared = changed_since = 0
    for day in sorted({day for day, _ in scores}):
        if day not in last:
            differs("scores of a day without a scoring or without a fresh report", str(day))
            continue
        instant, scored_for = last[day]
        as_of = fresh_report(gold, day, instant)
        for user in users:
            row = scores.get((day, user["user_id"]))
            since = held_since(holdings[user["user_id"]], day)
            is_held = since is not None and user["first_seen_on"] <= scored_for
            licensed_since = licensed_as_now_since.get(user["user_id"], instant)
            if (row is not None) != is_held and licensed_since <= instant:
                differs("a licence without a score, or a score without a licence", f"{day} {user['user_id']}")
            if row is None:
                continue
            if licensed_since > first[day][0]:
                since = row["assigned_on"]
            seen, apps, reported, changed = set(), set(), 0, False
            for snapshot in snapshots[user["user_id"]]:
                refresh_on = snapshot["report_refresh_on"]
                if gold[refresh_on] > instant:
                    continue
                # The score rests on what the row said then, and the table tells only what it says now.
                changed |= snapshot["collected_at"] > instant and refresh_on >= as_of - WINDOW
                for column in APPS + OTHER_DATES:
                    if (on := snapshot[column]) is not None and on <= as_of:
                        seen.add(on)
                        if column in APPS and on >= as_of - WINDOW:
                            apps.add(column)
                if refresh_on == as_of:
                    reported = snapshot["active_days_reported"] or 0
            if changed:
                changed_since += 1
                continue
            seen.update(on for on, known_at in events[user["user_id"]] if known_at <= instant and on <= as_of)
            compared += 1
            last_on = max(seen, default=None)
            since_last = None if last_on is None else (as_of - last_on).days
            active_days = max(sum(on >= as_of - WINDOW for on in seen), reported)
            score, recency, frequency, breadth = score_of(since_last, active_days, len(apps))
            days_held = (day - row["assigned_on"]).days
            expected = {
                "as_of_on": as_of,
                "last_activity_on": last_on,
                "days_since_last_activity": since_last,
                "active_days": active_days,
                "apps_used_count": len(apps),
                "score": score,
                "assigned_on": since,
                "days_held": days_held,
                "new_assignment": days_held < new_license_days,
                "underutilized": days_held >= new_license_days and score <= threshold,
                "rubric_version": 1,
                "license_status": "assigned",
            }
            for column, value in expected.items():
                if row[column] != value:
                    differs(column, f"{day} {user['user_id']}: {row[column]}, not {value}")
            for column, value in {"recency": recency, "frequency": frequency, "breadth": breadth}.items():
                if abs(row[column] - value) > 1e-9:
                    differs(column, f"{day} {user['user_id']}: {row[column]}, not {value}")
    return compared, changed_since


arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("lake")
arguments.add_argument("--threshold", type=int, default=20, help="UPTAKE_UNDERUTILIZED_THRESHOLD of the scorings")
arguments.add_argument("--new-license-days", type=int, default=14, help="UPTAKE_NEW_LICENSE_DAYS of the scorings")
given = arguments.parse_args()
frames = {name: read(given.lake, name, *declared) for name, declared in declared_tables().items()}
compared, changed_since = recompute(frames, given.threshold, given.new_license_days)
answer = {
    "rows": {name: None if frame is None else frame.height for name, frame in frames.items()},
    "scores_compared": compared,
    "inputs_changed_since": changed_since,
    "mismatches": sum(counts.values()),
    "by_kind": counts,
    "examples": examples,
}
print(json.dumps(answer))
sys.exit(1 if counts else 0)
