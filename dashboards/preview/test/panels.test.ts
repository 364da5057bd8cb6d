// Variables and time ranges: what Grafana puts into a query before it is sent.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import fc from "fast-check";

import { QueryError } from "../src/frames.ts";
import { AGGREGATES, FUNCTIONS, parse } from "../src/insights.ts";
import { asking, choices, evaluate, interpolate, moment } from "../src/panels.ts";
import { ROOT } from "../src/places.ts";
import { readDashboards } from "../src/server.ts";
import type { Store } from "../src/store.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const EMPTY: Store = { series: [], groups: new Map(), newest: 0 };
const dashboards = await readDashboards(join(ROOT, "dashboards"));

test("variables are put in however they are written, and Grafana's own and CloudWatch's are left", () => {
  const variables = { team: "pay", step: "1d", odd: "a/b (c)", every: "*" };
  for (const [text, expected] of [
    ["$team", "pay"],
    ["${team}", "pay"],
    ["${team:raw}$/", "pay$/"],
    ["/^.${odd:regex}$/", "/^.a\\/b \\(c\\)$/"],
    ["/^.${every:regex}$/", "/^.*$/"],
    ["bin($step) as time", "bin(1d) as time"],
    ["${PROP('Dim.Team')}", "${PROP('Dim.Team')}"],
    ["${__data.fields.html_url}", "${__data.fields.html_url}"],
    ["$unknown", "$unknown"],
  ] as const) {
    assert.equal(interpolate(text, variables), expected);
  }
});

test("a value that would end a text of JSON does not", () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const panel = { id: 1, type: "table", title: "t", targets: [{ queryMode: "Metrics", refId: "A", namespace: "n", metricName: "m", dimensions: { Team: "$team" }, statistic: "Sum", period: "60", id: "", expression: "", label: "$team", hide: false }] };
      const [frame] = evaluate(EMPTY, panel, { team: value }, { from: 0, to: NOW, now: NOW });
      assert.equal(value === "*" ? undefined : frame?.name, value === "*" ? undefined : value.replace(/\$\{PROP\('Dim\.(\w+)'\)\}/g, ""));
    }),
  );
});

test("a panel keeps its own time range unless two dates were chosen", () => {
  const day = 86_400_000;
  const series = [{ namespace: "n", name: "m", dimensions: {}, data: [1, 5, 20].map((days) => ({ at: NOW - days * day, values: [days], counts: [1] })) }];
  const target = { queryMode: "Metrics", refId: "A", namespace: "n", metricName: "m", dimensions: {}, statistic: "Sum", period: "3600", id: "", expression: "", label: "", hide: false };
  const seen = (range: object) => evaluate({ ...EMPTY, series }, { id: 1, type: "stat", title: "t", timeFrom: "7d", targets: [target] }, {}, { from: NOW - 30 * day, to: NOW, now: NOW, ...range })[0]?.fields[1]?.values;
  assert.deepEqual(seen({}), [5, 1]);
  assert.deepEqual(seen({ from: NOW - 21 * day, to: NOW - 4 * day, isAbsolute: true }), [20, 5]);
});

test("moments are as people write them", () => {
  assert.equal(moment("now", NOW), NOW);
  assert.equal(moment("now-28d", NOW), NOW - 28 * 86_400_000);
  assert.equal(moment("now-24h", NOW), NOW - 86_400_000);
  assert.equal(moment("2026-11-22T12:00:00Z", NOW), NOW);
  assert.equal(moment(String(NOW), NOW), NOW);
  assert.throws(() => moment("yesterday", NOW), QueryError);
});

test("all values are the first choice where there is one, and a custom variable offers what it lists", () => {
  const store: Store = { ...EMPTY, series: [{ namespace: "Uptake/Workflows", name: "RunAttempts", dimensions: { Team: "pay" }, data: [] }] };
  const variables = dashboards.get("uptake-workflows")?.templating.list ?? [];
  const offered = (name: string) => {
    const variable = variables.find((variable) => variable.name === name);
    return variable === undefined ? [] : choices(store, variable).map(({ value }) => value);
  };
  assert.deepEqual(offered("team"), ["*", "pay"]);
  assert.deepEqual(offered("step"), ["1h", "1d", "1w", "1mo"]);
  assert.deepEqual(offered("datasource"), []);
});

test("every query of every dashboard is within what the evaluator knows", () => {
  let queries = 0;
  for (const dashboard of dashboards.values()) {
    for (const panel of asking(dashboard)) {
      evaluate(EMPTY, panel, { team: "*", assigning_team: "*", repository: "o/r", department: "*", step: "1w" }, { from: 0, to: NOW, now: NOW });
      for (const target of (panel.targets ?? []) as unknown as { queryMode: string; expression: string }[]) {
        if (target.queryMode === "Logs") {
          assert.ok(parse(interpolate(target.expression, { team: "*", repository: "o/r", step: "1w" })).length > 1);
        }
        queries++;
      }
    }
  }
  assert.ok(queries > 100, `${queries} queries`);
});

test("the evaluator knows nothing that no dashboard uses", () => {
  const all = JSON.stringify([...dashboards.values()]);
  for (const name of [...AGGREGATES, ...FUNCTIONS]) {
    assert.ok(all.includes(`${name}(`), name);
  }
});

test("a query outside of it is refused by name", () => {
  const [panel] = asking(dashboards.get("uptake-workflows") ?? assert.fail());
  assert.ok(panel);
  for (const [change, named] of [["pattern @message", "pattern"], ["stats stddev(duration_seconds) by team", "stddev"]] as const) {
    const target = { ...panel.targets?.[0], expression: `${change} | limit 5` } as never;
    assert.throws(() => evaluate(EMPTY, { ...panel, targets: [target] }, {}, { from: 0, to: NOW, now: NOW }), (error) => error instanceof QueryError && error.message.includes(named));
  }
});
