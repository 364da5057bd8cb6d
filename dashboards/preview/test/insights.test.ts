// Logs Insights: what a query of ours returns is what a plain loop over the events returns, for any events.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import fc from "fast-check";

import { QueryError } from "../src/frames.ts";
import type { Cell } from "../src/frames.ts";
import { evaluateLogs, parse } from "../src/insights.ts";
import { asking, interpolate } from "../src/panels.ts";
import { ROOT } from "../src/places.ts";
import { readDashboards } from "../src/server.ts";
import type { LogEvent, Store } from "../src/store.ts";

const dashboards = await readDashboards(join(ROOT, "dashboards"));
const DAY = 86_400_000;
/** A Monday. */
const MONDAY = Date.UTC(2026, 10, 16);
const RANGE = { from: MONDAY, to: MONDAY + 14 * DAY, now: MONDAY + 14 * DAY };

const event: fc.Arbitrary<LogEvent> = fc
  .record({ at: fc.integer({ min: MONDAY - DAY, max: MONDAY + 15 * DAY }), team: fc.constantFrom("a", "b", "pay"), minutes: fc.nat(90), failed: fc.nat(1), queue: fc.option(fc.nat(50), { nil: undefined }) })
  .map(({ at, team, minutes, failed, queue }) => ({ at, message: { team, minutes, failed, ...(queue === undefined ? {} : { queue }) } }));
const events = fc.array(event, { maxLength: 60 });

const storeOf = (all: LogEvent[]): Store => ({ series: [], groups: new Map([["/uptake/runs-1", all.slice(0, 5)], ["/uptake/runs-2", all.slice(5)], ["/uptake/other-1", all]]), newest: 0 });

/** The rows of a query, as objects. */
function rows(all: LogEvent[], expression: string): Record<string, Cell>[] {
  const [frame] = evaluateLogs(storeOf(all), { refId: "A", logGroupPrefixes: ["/uptake/runs-"], expression, statsGroups: [] }, RANGE);
  const fields = frame?.fields ?? [];
  const length = fields[0]?.values.length ?? 0;
  return Array.from({ length }, (_, place) => Object.fromEntries(fields.map((field) => [field.name, field.values[place] ?? null])));
}

const within = (all: LogEvent[]) => all.filter(({ at }) => at >= RANGE.from && at < RANGE.to);
const number = (event: LogEvent, field: string) => event.message[field] as number;

test("stats by a field are those of its events, within the range, of the groups that are asked for", () => {
  fc.assert(
    fc.property(events, (all) => {
      const result = rows(all, "stats count(*) as n, sum(minutes) as total, sum(minutes) / count(minutes) as mean, pct(minutes, 100) as most, 100 * sum(failed) / count(*) as share by team\n| sort team asc\n| limit 100");
      const teams = [...new Set(within(all).map(({ message }) => message["team"] as string))].sort();
      assert.deepEqual(result.map((row) => row["team"]), teams);
      for (const row of result) {
        const of = within(all).filter(({ message }) => message["team"] === row["team"]);
        const minutes = of.map((one) => number(one, "minutes"));
        const total = minutes.reduce((sum, value) => sum + value, 0);
        assert.deepEqual([row["n"], row["total"], row["most"]], [of.length, total, Math.max(...minutes)]);
        assert.ok(Math.abs((row["mean"] as number) - total / of.length) < 1e-9);
        const failed = of.reduce((sum, one) => sum + number(one, "failed"), 0);
        assert.ok(Math.abs((row["share"] as number) - (100 * failed) / of.length) < 1e-9);
      }
    }),
  );
});

test("bins cover every event once: by hour, day, week and month", () => {
  fc.assert(
    fc.property(events, fc.constantFrom("1h", "1d", "1w", "1mo"), (all, step) => {
      const result = rows(all, `stats count(*) as n by bin(${step}) as time\n| sort time asc\n| limit 10000`);
      assert.equal(result.reduce((sum, row) => sum + (row["n"] as number), 0), within(all).length);
      for (const row of result) {
        const begins = new Date(row["time"] as number);
        assert.equal(begins.getUTCMinutes() + begins.getUTCSeconds(), 0);
        assert.ok(step === "1h" || begins.getUTCHours() === 0);
        assert.ok(step !== "1w" || begins.getUTCDay() === 1);
        assert.ok(step !== "1mo" || begins.getUTCDate() === 1);
      }
    }),
  );
});

test("what an event lacks is left out of means and percentiles, and is not zero", () => {
  fc.assert(
    fc.property(events, (all) => {
      const [row] = rows(all, "stats sum(queue) / count(queue) as mean, pct(queue, 90) as most, count(queue) as n by 1 = 1 as every\n| limit 1");
      const queues = within(all).map(({ message }) => message["queue"] as number | undefined).filter((value) => value !== undefined).sort((a, b) => a - b);
      if (row === undefined) {
        assert.equal(within(all).length, 0);
        return;
      }
      assert.equal(row["n"], queues.length);
      assert.equal(row["mean"] === null, queues.length === 0);
      assert.equal(row["most"], queues[Math.max(Math.ceil(0.9 * queues.length) - 1, 0)] ?? null);
    }),
  );
});

test("weeks are counted back from now", () => {
  fc.assert(
    fc.property(events, (all) => {
      const result = rows(all, "fields floor((now() - toMillis(@timestamp) / 1000) / 604800) as weeks_ago | filter weeks_ago < 2 | stats count(*) as n by weeks_ago | sort weeks_ago desc | limit 3");
      for (const row of result) {
        const to = RANGE.now - (row["weeks_ago"] as number) * 7 * DAY;
        assert.equal(row["n"], within(all).filter(({ at }) => at <= to && at > to - 7 * DAY).length);
      }
    }),
  );
});

test("a chosen team is that team alone, whatever its name, and a star is every team", () => {
  const asked = asking(dashboards.get("uptake-workflows") ?? assert.fail()).flatMap((panel) => (panel.targets ?? []) as unknown as { expression: string }[]);
  const filter = asked.flatMap(({ expression }) => /^filter concat[^\n]+/.exec(expression) ?? [])[0] ?? assert.fail();
  const name = fc.string({ unit: fc.constantFrom(..."ab -/.|()[]{}^$+?*\\\"'"), minLength: 1, maxLength: 5 }).filter((name) => name !== "*");
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 8 }), (names) => {
      const all = names.map((team, place) => ({ at: MONDAY + place, message: { team } }));
      const teams = (choice: string) => rows(all, `${interpolate(filter, { team: choice })} | fields team | limit 10`).map((row) => row["team"]);
      assert.deepEqual(teams(names[0] as string), [names[0]]);
      assert.deepEqual(teams("*"), names);
    }),
  );
});

test("Grafana asks for names of group and stream before the fields, and fields add up", () => {
  const [row] = rows([{ at: MONDAY, message: { team: "a", minutes: 1 } }], "fields team | filter minutes = 1 | fields minutes as spent | limit 1");
  assert.deepEqual(Object.keys(row ?? {}), ["@timestamp", "__log__grafana_internal__", "__logstream__grafana_internal__", "team", "spent"]);
});

test("groups over time are a frame each, and a table is one", () => {
  const all = [["a", 1], ["b", 2], ["a", 3]].map(([team, minutes], place) => ({ at: MONDAY + place * DAY, message: { team: team as string, minutes: minutes as number } }));
  const query = { refId: "A", logGroupPrefixes: ["/uptake/runs-"], expression: "stats sum(minutes) as minutes by bin(1d) as time, team | sort time asc | limit 10" };
  const frames = evaluateLogs(storeOf(all), { ...query, statsGroups: ["time", "team"] }, RANGE);
  assert.deepEqual(frames.map((frame) => [frame.name, frame.fields.map((field) => field.type)]), [["a", ["time", "string", "number"]], ["b", ["time", "string", "number"]]]);
  assert.equal(evaluateLogs(storeOf(all), { ...query, statsGroups: [] }, RANGE).length, 1);
});

test("the newest event tells the latest value", () => {
  const all = [3, 1, 2].map((day) => ({ at: MONDAY + day * DAY, message: { team: "a", minutes: day } }));
  assert.deepEqual(rows(all, "stats latest(minutes) as now by team | limit 1"), [{ team: "a", now: 3 }]);
});

test("whatever the dashboards do not use is refused, by name", () => {
  for (const [expression, named] of [
    ["parse @message /x/", "parse"],
    ["stats stddev(minutes) by team", "stddev"],
    ["filter minutes = 1 and failed = 1", "and"],
    ["filter team in ['a']", "["],
    ["fields minutes ^ 2", "^"],
    ["stats count(*) by bin(3w)", "bin(3w)"],
    ["limit many", "number"],
    ["filter", "ends too early"],
  ] as const) {
    assert.throws(() => rows([{ at: MONDAY, message: { team: "a", minutes: 1 } }], expression), (error) => error instanceof QueryError && error.message.includes(named), expression);
  }
});

test("a bar within a pattern or a text divides no steps", () => {
  assert.equal(parse('filter team like /(a|b)/ | filter team != "a|b" | limit 5').length, 3);
});
