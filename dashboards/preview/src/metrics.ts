// CloudWatch's metrics, as far as the dashboards ask for them: one statistic of each series, in periods.

import { calculate } from "./arithmetic.ts";
import type { Points } from "./arithmetic.ts";
import { QueryError } from "./frames.ts";
import type { Frame, Range } from "./frames.ts";
import type { Datum, Series, Store } from "./store.ts";

export interface MetricQuery {
  refId: string;
  namespace: string;
  metricName: string;
  dimensions: Record<string, string>;
  statistic: string;
  period: string;
  id: string;
  expression: string;
  label: string;
  hide: boolean;
}

/** Grafana's CloudWatch data source draws no more series of one search. */
const MOST_SERIES = 100;

/** The frames of a panel's metric queries: hidden ones are there for sums alone. */
export function evaluateMetrics(store: Store, queries: MetricQuery[], range: Range): Frame[] {
  const named = new Map<string, Points>();
  const frames: Frame[] = [];
  for (const query of queries.filter((query) => query.expression === "")) {
    const found = matching(store, query);
    if (query.id !== "") {
      const [one] = found;
      named.set(query.id, one === undefined ? new Map() : inPeriods(one.data, query, range));
    }
    if (!query.hide) {
      const several = isSearch(query);
      // What is asked for by all its dimensions has a frame even without a value.
      const drawn = several ? found : [found[0] ?? empty(query)];
      frames.push(...drawn.map((series) => frame(query, series.dimensions, inPeriods(series.data, query, range))));
    }
  }
  for (const query of queries.filter((query) => query.expression !== "" && !query.hide)) {
    frames.push(frame(query, {}, calculate(query.expression, named)));
  }
  return frames.sort((a, b) => (a.refId === b.refId ? 0 : a.refId < b.refId ? -1 : 1));
}

function isSearch(query: MetricQuery): boolean {
  return Object.values(query.dimensions).includes("*");
}

function empty(query: MetricQuery): Series {
  return { namespace: query.namespace, name: query.metricName, dimensions: query.dimensions, data: [] };
}

/** Series with exactly these dimensions, in the order of their values. */
function matching(store: Store, query: MetricQuery): Series[] {
  const asked = Object.keys(query.dimensions).sort().join();
  const found = store.series.filter(
    (series) =>
      series.namespace === query.namespace &&
      series.name === query.metricName &&
      Object.keys(series.dimensions).sort().join() === asked &&
      Object.entries(query.dimensions).every(([key, value]) => value === "*" || series.dimensions[key] === value),
  );
  const key = (series: Series) => Object.values(series.dimensions).join();
  return found.sort((a, b) => (key(a) < key(b) ? -1 : 1)).slice(0, MOST_SERIES);
}

/** One value for each period that begins in the range and has data. Periods begin at multiples of their length, UTC. */
export function inPeriods(data: Datum[], query: { period: string; statistic: string }, range: Range): Points {
  const period = Number(query.period) * 1000;
  if (!(period > 0)) {
    throw new QueryError(`a period of ${query.period} seconds is none`);
  }
  const buckets = new Map<number, Datum[]>();
  for (const datum of data) {
    const begins = Math.floor(datum.at / period) * period;
    if (begins >= range.from && begins < range.to) {
      const bucket = buckets.get(begins);
      if (bucket === undefined) {
        buckets.set(begins, [datum]);
      } else {
        bucket.push(datum);
      }
    }
  }
  const moments = [...buckets.keys()].sort((a, b) => a - b);
  return new Map(moments.map((at) => [at, statistic(query.statistic, buckets.get(at) ?? [])]));
}

function statistic(name: string, data: Datum[]): number {
  const pairs = data.flatMap((datum) => datum.values.map((value, place) => [value, datum.counts[place] ?? 1] as const));
  const count = pairs.reduce((sum, [, count]) => sum + count, 0);
  const total = pairs.reduce((sum, [value, count]) => sum + value * count, 0);
  switch (name) {
    case "Maximum":
      return Math.max(...pairs.map(([value]) => value));
    case "Minimum":
      return Math.min(...pairs.map(([value]) => value));
    case "Sum":
      return total;
    case "Average":
      return total / count;
    default:
      return percentile(name, pairs, count);
  }
}

/** The value that a part of all values does not exceed. */
function percentile(name: string, pairs: (readonly [number, number])[], count: number): number {
  const part = /^p(\d+(?:\.\d+)?)$/.exec(name)?.[1];
  if (part === undefined) {
    throw new QueryError(`the preview does not know the statistic ${name}`);
  }
  const rank = (Number(part) / 100) * count;
  let seen = 0;
  for (const [value, times] of [...pairs].sort((a, b) => a[0] - b[0])) {
    seen += times;
    if (seen >= rank) {
      return value;
    }
  }
  return Math.max(...pairs.map(([value]) => value));
}

function frame(query: MetricQuery, dimensions: Record<string, string>, points: Points): Frame {
  const label = query.label.replace(/\$\{PROP\('Dim\.(\w+)'\)\}/g, (_, name: string) => dimensions[name] ?? "");
  return {
    refId: query.refId,
    name: label,
    fields: [
      { name: "Time", type: "time", values: [...points.keys()] },
      {
        name: "Value",
        type: "number",
        values: [...points.values()],
        labels: dimensions,
        config: { displayNameFromDS: label },
      },
    ],
  };
}

/** The values of a dimension, as a variable offers them. */
export function dimensionValues(store: Store, query: { namespace: string; metricName: string; dimensionKey: string }): string[] {
  const found = store.series.filter((series) => series.namespace === query.namespace && series.name === query.metricName);
  const values = found.flatMap((series) => series.dimensions[query.dimensionKey] ?? []);
  return [...new Set(values)].sort();
}
