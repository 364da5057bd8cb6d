// Tables of values in the shape that Grafana's back end hands to its panels.

/** A moment in milliseconds. */
export type Millis = number;

export type Cell = number | string | null;

export interface Field {
  name: string;
  type: "time" | "number" | "string";
  values: Cell[];
  labels?: Record<string, string>;
  config?: { displayNameFromDS?: string };
}

export interface Frame {
  refId: string;
  name: string;
  fields: Field[];
}

/** What is asked for: [from, to), and the moment that counts as now. */
export interface Range {
  from: Millis;
  to: Millis;
  now: Millis;
  /** From one date to another, whatever the day: then no panel has a time range of its own. */
  isAbsolute?: boolean;
}

/** A query that the preview does not understand, or that Grafana or CloudWatch would refuse. */
export class QueryError extends Error {}
