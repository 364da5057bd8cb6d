// What the jobs wrote into a folder: metrics by series and log events by group, as CloudWatch would hold them.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import type { Millis } from "./frames.ts";

/** One datum: a value, or distinct values with how often each occurs. */
export interface Datum {
  at: Millis;
  values: number[];
  counts: number[];
}

export interface Series {
  namespace: string;
  name: string;
  dimensions: Record<string, string>;
  data: Datum[];
}

export interface LogEvent {
  at: Millis;
  message: Record<string, number | string>;
}

export interface Store {
  series: Series[];
  /** Events by the name of their group, oldest first. */
  groups: Map<string, LogEvent[]>;
  /** The newest moment that anything is about: a demo's clock is ahead of ours by some hours. */
  newest: Millis;
}

interface MetricLine {
  namespace: string;
  metric_name: string;
  dimensions: Record<string, string>;
  timestamp: string;
  value?: number;
  values?: number[];
  counts?: number[];
}

/** Files that have been read, and how large they were then: a job only ever appends. */
const parsed = new Map<string, { size: number; lines: unknown[] }>();

async function lines<T>(path: string): Promise<T[]> {
  const { size } = await stat(path);
  const known = parsed.get(path);
  if (known?.size === size) {
    return known.lines as T[];
  }
  const text = await readFile(path, "utf8");
  const read = text.split("\n").filter(Boolean).map((line) => JSON.parse(line) as T);
  parsed.set(path, { size, lines: read });
  return read;
}

async function entries(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return [];
    }
    throw error;
  }
}

/** Everything below `<folder>/cloudwatch`. */
export async function readStore(folder: string): Promise<Store> {
  const series = new Map<string, Series>();
  let newest = 0;
  const metrics = join(folder, "cloudwatch", "metrics");
  for (const file of await entries(metrics)) {
    for (const line of await lines<MetricLine>(join(metrics, file))) {
      const key = JSON.stringify([line.namespace, line.metric_name, line.dimensions]);
      let one = series.get(key);
      if (one === undefined) {
        one = { namespace: line.namespace, name: line.metric_name, dimensions: line.dimensions, data: [] };
        series.set(key, one);
      }
      const values = line.values ?? [line.value ?? 0];
      const at = Date.parse(line.timestamp);
      one.data.push({ at, values, counts: line.counts ?? values.map(() => 1) });
      newest = Math.max(newest, at);
    }
  }
  const groups = new Map<string, LogEvent[]>();
  await readGroups(join(folder, "cloudwatch", "logs"), "", groups);
  for (const events of groups.values()) {
    events.sort((a, b) => a.at - b.at);
    newest = Math.max(newest, events.at(-1)?.at ?? 0);
  }
  return { series: [...series.values()], groups, newest };
}

/** The slashes in a group's name are folders; what has files in it is a group. */
async function readGroups(folder: string, name: string, groups: Map<string, LogEvent[]>): Promise<void> {
  for (const entry of await entries(folder)) {
    const path = join(folder, entry);
    if (!entry.endsWith(".jsonl")) {
      await readGroups(path, `${name}/${entry}`, groups);
      continue;
    }
    const events = groups.get(name) ?? [];
    for (const line of await lines<{ timestamp: string; message: LogEvent["message"] }>(path)) {
      events.push({ at: Date.parse(line.timestamp), message: line.message });
    }
    groups.set(name, events);
  }
}
