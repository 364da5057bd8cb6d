// Metrics: each statistic of any data is what it is by definition, in the period it belongs to.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { QueryError } from "../src/frames.ts";
import { dimensionValues, evaluateMetrics, inPeriods } from "../src/metrics.ts";
import type { MetricQuery } from "../src/metrics.ts";
import type { Datum, Series, Store } from "../src/store.ts";

const HOUR = 3_600_000;
const RANGE = { from: 0, to: 10 * HOUR, now: 10 * HOUR };

const datum: fc.Arbitrary<Datum> = fc
  .tuple(fc.nat(12 * HOUR), fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 5 }))
  .map(([at, pairs]) => ({ at, values: pairs.map(([value]) => value), counts: pairs.map(([, count]) => count) }));

/** Every single value of a period, one by one. */
function values(data: Datum[], begins: number): number[] {
  const within = data.filter(({ at }) => at >= begins && at < begins + HOUR);
  return within.flatMap(({ values, counts }) => values.flatMap((value, place) => Array<number>(counts[place] ?? 1).fill(value))).sort((a, b) => a - b);
}

test("every statistic is that of the single values, in each period that begins in the range", () => {
  fc.assert(
    fc.property(fc.array(datum), fc.constantFrom("Maximum", "Minimum", "Sum", "Average", "p50", "p90"), (data, statistic) => {
      const result = inPeriods(data, { period: "3600", statistic }, RANGE);
      for (let begins = 0; begins < 12 * HOUR; begins += HOUR) {
        const all = values(data, begins);
        if (all.length === 0 || begins >= RANGE.to) {
          assert.equal(result.has(begins), false);
          continue;
        }
        const sum = all.reduce((total, value) => total + value, 0);
        const rank = (part: number) => all[Math.max(Math.ceil(part * all.length) - 1, 0)];
        const expected = { Maximum: all.at(-1), Minimum: all[0], Sum: sum, Average: sum / all.length, p50: rank(0.5), p90: rank(0.9) }[statistic];
        assert.ok(Math.abs((result.get(begins) ?? Number.NaN) - (expected ?? Number.NaN)) < 1e-9, `${statistic} ${all}`);
      }
      assert.deepEqual([...result.keys()], [...result.keys()].sort((a, b) => a - b));
    }),
  );
});

test("a repeated value does not change a maximum", () => {
  fc.assert(
    fc.property(fc.array(datum), (data) => {
      const once = inPeriods(data, { period: "3600", statistic: "Maximum" }, RANGE);
      assert.deepEqual(inPeriods([...data, ...data], { period: "3600", statistic: "Maximum" }, RANGE), once);
    }),
  );
});

const series = (dimensions: Record<string, string>, value: number): Series => ({
  namespace: "Uptake/Copilot",
  name: "Seats",
  dimensions,
  data: [{ at: HOUR, values: [value], counts: [1] }],
});

const store: Store = {
  series: [series({}, 9), series({ Team: "b" }, 2), series({ Team: "a" }, 1), series({ Editor: "vim" }, 4)],
  groups: new Map(),
  newest: HOUR,
};

const query = (changes: Partial<MetricQuery>): MetricQuery => ({
  refId: "A", namespace: "Uptake/Copilot", metricName: "Seats", dimensions: {}, statistic: "Maximum", period: "3600", id: "", expression: "", label: "seats", hide: false,
  ...changes,
});

test("dimensions match exactly: the total is not a team, and a star is every team and no editor", () => {
  const names = (dimensions: Record<string, string>, label: string) => evaluateMetrics(store, [query({ dimensions, label })], RANGE).map((frame) => [frame.name, frame.fields[1]?.values[0]]);
  assert.deepEqual(names({}, "all"), [["all", 9]]);
  assert.deepEqual(names({ Team: "*" }, "${PROP('Dim.Team')}"), [["a", 1], ["b", 2]]);
  assert.deepEqual(names({ Team: "b" }, "${PROP('Dim.Team')}"), [["b", 2]]);
  assert.deepEqual(names({ Team: "nobody" }, "none"), [["none", undefined]]);
});

test("a hidden query is there for sums alone", () => {
  const frames = evaluateMetrics(
    store,
    [query({ id: "all", hide: true }), query({ refId: "B", dimensions: { Team: "a" }, id: "team", hide: true }), query({ refId: "C", expression: "100 * team / all", label: "share" })],
    RANGE,
  );
  assert.deepEqual(frames.map((frame) => [frame.name, frame.fields[1]?.values]), [["share", [100 / 9]]]);
});

test("a variable offers the values of its dimension", () => {
  assert.deepEqual(dimensionValues(store, { namespace: "Uptake/Copilot", metricName: "Seats", dimensionKey: "Team" }), ["a", "b"]);
});

test("an unknown statistic is refused", () => {
  assert.throws(() => evaluateMetrics(store, [query({ statistic: "TM(10%:90%)" })], RANGE), QueryError);
});
