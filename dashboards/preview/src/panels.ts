// From a panel of a dashboard to its frames: variables put in, queries run, time range of its own heeded.

import type { Frame, Millis, Range } from "./frames.ts";
import { QueryError } from "./frames.ts";
import { evaluateLogs } from "./insights.ts";
import type { LogQuery } from "./insights.ts";
import { dimensionValues, evaluateMetrics } from "./metrics.ts";
import type { MetricQuery } from "./metrics.ts";
import type { Store } from "./store.ts";

const ALL = "*";

/** The values of variables, by name; `*` is all of them. */
export type Variables = Record<string, string>;

export interface Target {
  queryMode: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  targets?: Target[];
  timeFrom?: string;
  panels?: Panel[];
}

export interface VariableModel {
  type: string;
  name: string;
  label?: string;
  includeAll?: boolean;
  allValue?: string;
  query: unknown;
  options?: { text: string; value: string }[];
  current?: { value: string };
}

export interface Dashboard {
  uid: string;
  title: string;
  time: { from: string; to: string };
  panels: Panel[];
  templating: { list: VariableModel[] };
}

export interface Choice {
  text: string;
  value: string;
}

/** What a person may choose for a variable, the first being what is chosen at first. */
export function choices(store: Store, variable: VariableModel): Choice[] {
  if (variable.type === "custom") {
    return (variable.options ?? []).map(({ text, value }) => ({ text, value }));
  }
  if (variable.type !== "query") {
    return [];
  }
  const values = dimensionValues(store, variable.query as Parameters<typeof dimensionValues>[1]);
  const each = values.map((value) => ({ text: value, value }));
  return variable.includeAll === true ? [{ text: "All", value: variable.allValue ?? ".*" }, ...each] : each;
}

/** Variables in a text; Grafana's own, which begin with two underscores, and CloudWatch's PROP are left. */
export function interpolate(text: string, variables: Variables, written: (value: string) => string = (value) => value): string {
  return text.replace(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (whole, braced: string | undefined, format: string | undefined, plain: string | undefined) => {
    const name = braced ?? plain ?? "";
    const value = name.startsWith("__") ? undefined : variables[name];
    if (value === undefined) {
      return whole;
    }
    // What stands for all values is put in as it is, whatever the format.
    return written(format === "regex" && value !== ALL ? value.replace(/[\\^$*+?.()|[\]{}/]/g, "\\$&") : value);
  });
}

/** `now-28d` and the like, in milliseconds. */
export function moment(text: string, now: Millis): Millis {
  if (text === "now") {
    return now;
  }
  const match = /^now-(\d+)([hdwM])$/.exec(text);
  const unit = { h: 3_600_000, d: 86_400_000, w: 604_800_000, M: 2_592_000_000 }[match?.[2] ?? ""];
  if (match === null || unit === undefined) {
    const at = Number.isNaN(Number(text)) ? Date.parse(text) : Number(text);
    if (Number.isNaN(at)) {
      throw new QueryError(`"${text}" is no moment: write now-28d or 2026-11-22`);
    }
    return at;
  }
  return now - Number(match[1]) * unit;
}

/** The frames of a panel. */
export function evaluate(store: Store, panel: Panel, variables: Variables, range: Range): Frame[] {
  const own = panel.timeFrom === undefined || range.isAbsolute === true ? range : { ...range, from: moment(`now-${panel.timeFrom}`, range.now), to: range.now };
  const targets = (panel.targets ?? []).map((target) => JSON.parse(interpolate(JSON.stringify(target), variables, withinJson)) as Target);
  const metrics = targets.filter((target) => target.queryMode === "Metrics") as unknown as MetricQuery[];
  const logs = targets.filter((target) => target.queryMode === "Logs") as unknown as LogQuery[];
  if (metrics.length + logs.length !== targets.length) {
    throw new QueryError(`"${panel.title}" has a query that is neither of metrics nor of logs`);
  }
  return [...evaluateMetrics(store, metrics, own), ...logs.flatMap((query) => evaluateLogs(store, query, own))];
}

/** A value as it stands within a JSON text. */
function withinJson(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** Every panel that asks for something, those under closed headings included. */
export function asking(dashboard: Dashboard): Panel[] {
  return dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]).filter((panel) => (panel.targets ?? []).length > 0);
}
