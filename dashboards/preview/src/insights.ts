// CloudWatch Logs Insights, as far as the dashboards use it: filter, fields, stats, sort, limit. Anything else is refused.

import { QueryError } from "./frames.ts";
import type { Cell, Field, Frame, Range } from "./frames.ts";
import type { LogEvent, Store } from "./store.ts";

export interface LogQuery {
  refId: string;
  logGroupPrefixes: string[];
  expression: string;
  statsGroups: string[];
}

/** A value while a query runs; a moment is a number of milliseconds and is shown as time. */
type Value = number | string | boolean | null;
type Row = Map<string, Value>;

type Expression =
  | { kind: "literal"; value: Value }
  | { kind: "field"; name: string }
  | { kind: "call"; name: string; args: Expression[] }
  | { kind: "period"; count: number; unit: string }
  | { kind: "binary"; operator: string; left: Expression; right: Expression }
  | { kind: "like"; of: Expression; pattern: RegExp };

interface Column {
  name: string;
  expression: Expression;
}

type Step =
  | { kind: "filter"; condition: Expression }
  | { kind: "fields"; columns: Column[] }
  | { kind: "stats"; columns: Column[]; by: Column[] }
  | { kind: "sort"; by: Expression; descending: boolean }
  | { kind: "limit"; count: number };

export const AGGREGATES = ["count", "latest", "pct", "sum"];
export const FUNCTIONS = ["bin", "concat", "floor", "now", "toMillis"];
/** Rows that one query returns at most, whatever its limit (AWS: "Logs Insights quotas"). */
const MOST_ROWS = 10_000;
const DAY = 86_400_000;
/** What Grafana asks for in front of every query; hidden where a dashboard says so. */
const ASKED_BY_GRAFANA = ["@timestamp", "__log__grafana_internal__", "__logstream__grafana_internal__"];
const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: DAY };

/** The frames of one query over every group whose name begins as asked, within the range. */
export function evaluateLogs(store: Store, query: LogQuery, range: Range): Frame[] {
  const steps = parse(query.expression);
  const groups = [...store.groups.keys()].filter((name) => query.logGroupPrefixes.some((prefix) => name.startsWith(prefix)));
  const rows = groups.flatMap((group) => {
    const events = store.groups.get(group) ?? [];
    return events.filter((event) => event.at >= range.from && event.at < range.to).map((event) => row(group, event));
  });
  const result = run(steps, rows, range.now);
  return grouped(query, byTime(fieldsOf(result)));
}

function row(group: string, event: LogEvent): Row {
  const [time, log, stream] = ASKED_BY_GRAFANA as [string, string, string];
  return new Map<string, Value>([[time, event.at], [log, group], [stream, ""], ...Object.entries(event.message)]);
}

// Reading.

class Reader {
  private place = 0;
  private readonly tokens: string[];
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
    this.tokens = tokens(text);
  }

  peek(): string | undefined {
    return this.tokens[this.place];
  }

  take(): string {
    const token = this.tokens[this.place++];
    if (token === undefined) {
      throw new QueryError(`"${this.text}" ends too early`);
    }
    return token;
  }

  takes(token: string): boolean {
    if (this.peek() !== token) {
      return false;
    }
    this.place++;
    return true;
  }

  expect(token: string): void {
    const found = this.take();
    if (found !== token) {
      throw new QueryError(`"${this.text}" has ${found} where the preview expects ${token}`);
    }
  }

  list<T>(one: () => T): T[] {
    const all = [one()];
    while (this.takes(",")) {
      all.push(one());
    }
    return all;
  }

  end(): void {
    if (this.peek() !== undefined) {
      throw new QueryError(`"${this.text}" goes on with ${this.peek()}, which the preview does not know`);
    }
  }

  column(): Column {
    const from = this.place;
    const expression = this.expression();
    const name = this.takes("as") ? this.take() : this.tokens.slice(from, this.place).join("");
    return { name, expression };
  }

  expression(): Expression {
    const left = this.sum();
    const operator = this.peek();
    if (operator === "like") {
      this.take();
      return { kind: "like", of: left, pattern: pattern(this.take()) };
    }
    if (operator !== undefined && ["=", "!=", "<", "<=", ">", ">="].includes(operator)) {
      this.take();
      return { kind: "binary", operator, left, right: this.sum() };
    }
    return left;
  }

  private sum(): Expression {
    return this.binary(["+", "-"], () => this.binary(["*", "/"], () => this.operand()));
  }

  private binary(operators: string[], operand: () => Expression): Expression {
    let left = operand();
    for (let token = this.peek(); token !== undefined && operators.includes(token); token = this.peek()) {
      this.take();
      left = { kind: "binary", operator: token, left, right: operand() };
    }
    return left;
  }

  private operand(): Expression {
    const token = this.take();
    if (token === "(") {
      const inner = this.expression();
      this.expect(")");
      return inner;
    }
    if (token.startsWith('"')) {
      return { kind: "literal", value: token.slice(1, -1) };
    }
    const period = /^(\d+)(ms|s|m|h|d|w|mo|q|y)$/.exec(token);
    if (period !== null) {
      return { kind: "period", count: Number(period[1]), unit: period[2] ?? "" };
    }
    if (/^\d/.test(token)) {
      return { kind: "literal", value: Number(token) };
    }
    if (!/^[@A-Za-z_]/.test(token)) {
      throw new QueryError(`"${this.text}" has ${token} where the preview expects a value`);
    }
    if (!this.takes("(")) {
      return { kind: "field", name: token };
    }
    const args = this.takes(")") ? [] : this.arguments();
    if (![...AGGREGATES, ...FUNCTIONS].includes(token)) {
      throw new QueryError(`the preview does not know ${token}()`);
    }
    return { kind: "call", name: token, args };
  }

  private arguments(): Expression[] {
    const args = this.takes("*") ? [{ kind: "literal", value: 1 } as Expression] : this.list(() => this.expression());
    this.expect(")");
    return args;
  }
}

function tokens(text: string): string[] {
  const found: string[] = [];
  const token = /\s*(?:("[^"]*")|(like)\s*(\/(?:[^/\\]|\\.)*\/)|([@A-Za-z_][A-Za-z0-9_@.]*)|(\d+(?:\.\d+)?(?:ms|mo|[smhdwqy])?)|(!=|<=|>=|[-+*/(),=<>]))/y;
  while (token.lastIndex < text.length) {
    const from = token.lastIndex;
    const match = token.exec(text);
    if (match === null) {
      const rest = text.slice(from).trim();
      if (rest === "") {
        break;
      }
      throw new QueryError(`the preview does not understand "${rest}"`);
    }
    found.push(...match.slice(1).filter((part): part is string => part !== undefined));
  }
  return found;
}

function pattern(token: string): RegExp {
  if (token.startsWith("/")) {
    try {
      return new RegExp(token.slice(1, -1));
    } catch {
      throw new QueryError(`${token} is no pattern`);
    }
  }
  if (token.startsWith('"')) {
    return new RegExp(token.slice(1, -1).replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  }
  throw new QueryError(`like wants a pattern or a text, not ${token}`);
}

/** The steps between bars; a bar within a text or a pattern is none. */
function split(expression: string): string[] {
  return expression.match(/(?:"[^"]*"|like\s*\/(?:[^/\\]|\\.)*\/|[^|])+/g) ?? [];
}

export function parse(expression: string): Step[] {
  return split(expression).map((part) => {
    const reader = new Reader(part);
    const command = reader.take();
    const step = command === "filter" ? filter(reader) : command === "fields" ? fields(reader) : command === "stats" ? stats(reader) : command === "sort" ? sort(reader) : command === "limit" ? limit(reader) : undefined;
    if (step === undefined) {
      throw new QueryError(`the preview does not know the command ${command}`);
    }
    reader.end();
    return step;
  });
}

function filter(reader: Reader): Step {
  return { kind: "filter", condition: reader.expression() };
}

function fields(reader: Reader): Step {
  return { kind: "fields", columns: reader.list(() => reader.column()) };
}

function stats(reader: Reader): Step {
  const columns = reader.list(() => reader.column());
  const by = reader.takes("by") ? reader.list(() => reader.column()) : [];
  return { kind: "stats", columns, by };
}

function sort(reader: Reader): Step {
  const by = reader.expression();
  const descending = reader.takes("desc");
  if (!descending) {
    reader.takes("asc");
  }
  return { kind: "sort", by, descending };
}

function limit(reader: Reader): Step {
  const count = Number(reader.take());
  if (!Number.isInteger(count) || count < 1) {
    throw new QueryError("limit wants a number");
  }
  return { kind: "limit", count: Math.min(count, MOST_ROWS) };
}

// Running.

interface Result {
  /** Columns in order; all that events have, where nothing chose some. */
  columns: string[];
  /** Those that hold moments. */
  moments: Set<string>;
  rows: Row[];
}

export function run(steps: Step[], rows: Row[], now: number): Result {
  const result: Result = { columns: ASKED_BY_GRAFANA, moments: new Set(["@timestamp"]), rows };
  for (const step of steps) {
    switch (step.kind) {
      case "filter":
        result.rows = result.rows.filter((row) => evaluate(step.condition, row, now) === true);
        break;
      case "fields":
        for (const { name, expression } of step.columns) {
          for (const row of result.rows) {
            row.set(name, evaluate(expression, row, now));
          }
        }
        // Each `fields` adds to those before.
        result.columns = [...new Set([...result.columns, ...step.columns.map(({ name }) => name)])];
        break;
      case "stats":
        result.rows = aggregate(step.columns, step.by, result.rows, now);
        result.columns = [...step.by, ...step.columns].map(({ name }) => name);
        result.moments = new Set(step.by.filter(({ expression }) => isMoment(expression)).map(({ name }) => name));
        break;
      case "sort":
        result.rows = sorted(result.rows, (row) => evaluate(step.by, row, now), step.descending);
        break;
      case "limit":
        result.rows = result.rows.slice(0, step.count);
        break;
    }
  }
  return result;
}

function isMoment(expression: Expression): boolean {
  return (expression.kind === "call" && expression.name === "bin") || (expression.kind === "field" && expression.name === "@timestamp");
}

function sorted(rows: Row[], key: (row: Row) => Value, descending: boolean): Row[] {
  const keyed = rows.map((row) => ({ row, key: key(row) }));
  keyed.sort((a, b) => compare(a.key, b.key) * (descending ? -1 : 1));
  return keyed.map(({ row }) => row);
}

/** What is missing comes first. */
function compare(a: Value, b: Value): number {
  if (a === b) {
    return 0;
  }
  if (a === null || b === null) {
    return a === null ? -1 : 1;
  }
  return a < b ? -1 : 1;
}

function aggregate(columns: Column[], by: Column[], rows: Row[], now: number): Row[] {
  const groups = new Map<string, { values: Value[]; rows: Row[] }>();
  for (const row of rows) {
    const values = by.map(({ expression }) => evaluate(expression, row, now));
    const key = JSON.stringify(values);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { values, rows: [row] });
    } else {
      group.rows.push(row);
    }
  }
  return [...groups.values()].map((group) => {
    const result: Row = new Map();
    by.forEach(({ name }, place) => result.set(name, group.values[place] ?? null));
    for (const { name, expression } of columns) {
      result.set(name, overGroup(expression, group.rows, now));
    }
    return result;
  });
}

/** An expression over a group: aggregates, and arithmetic between them. */
function overGroup(expression: Expression, rows: Row[], now: number): Value {
  if (expression.kind === "binary") {
    return calculate(expression.operator, overGroup(expression.left, rows, now), overGroup(expression.right, rows, now));
  }
  if (expression.kind === "literal") {
    return expression.value;
  }
  if (expression.kind !== "call" || !AGGREGATES.includes(expression.name)) {
    throw new QueryError("stats wants sums, counts and the like");
  }
  const [of, part] = expression.args;
  if (of === undefined) {
    return expression.name === "count" ? rows.length : null;
  }
  const present = rows.map((row) => evaluate(of, row, now)).filter((value) => value !== null);
  const numbers = present.filter((value) => typeof value === "number");
  switch (expression.name) {
    case "count":
      return present.length;
    case "sum":
      return numbers.reduce((sum, value) => sum + value, 0);
    case "latest":
      return latest(of, rows, now);
    default:
      return percentile(numbers, part?.kind === "literal" ? Number(part.value) : Number.NaN);
  }
}

/** The value in the newest event that has one. */
function latest(of: Expression, rows: Row[], now: number): Value {
  let newest: { at: Value; value: Value } = { at: null, value: null };
  for (const row of rows) {
    const value = evaluate(of, row, now);
    const at = row.get("@timestamp") ?? null;
    if (value !== null && compare(at, newest.at) >= 0) {
      newest = { at, value };
    }
  }
  return newest.value;
}

function percentile(numbers: number[], part: number): Value {
  if (!(part >= 0 && part <= 100)) {
    throw new QueryError("pct wants a field and a percentage");
  }
  const ascending = [...numbers].sort((a, b) => a - b);
  const place = Math.max(Math.ceil((part / 100) * ascending.length) - 1, 0);
  return ascending[place] ?? null;
}

function evaluate(expression: Expression, row: Row, now: number): Value {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "field":
      return row.get(expression.name) ?? null;
    case "like": {
      const text = evaluate(expression.of, row, now);
      return text !== null && expression.pattern.test(String(text));
    }
    case "binary":
      return calculate(expression.operator, evaluate(expression.left, row, now), evaluate(expression.right, row, now));
    case "call":
      return call(expression.name, expression.args, row, now);
    case "period":
      throw new QueryError("a period stands in bin() alone");
  }
}

function calculate(operator: string, a: Value, b: Value): Value {
  switch (operator) {
    case "=":
      return a === b;
    case "!=":
      return a !== b;
  }
  if (a === null || b === null) {
    return ["<", "<=", ">", ">="].includes(operator) ? false : null;
  }
  switch (operator) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
  }
  if (typeof a !== "number" || typeof b !== "number") {
    return null;
  }
  const value = operator === "+" ? a + b : operator === "-" ? a - b : operator === "*" ? a * b : a / b;
  return Number.isFinite(value) ? value : null;
}

function call(name: string, args: Expression[], row: Row, now: number): Value {
  const [first] = args;
  if (name === "now") {
    return Math.floor(now / 1000);
  }
  if (first === undefined) {
    throw new QueryError(`${name}() wants a value`);
  }
  if (name === "bin") {
    return bin(first, row.get("@timestamp") ?? null);
  }
  const value = evaluate(first, row, now);
  switch (name) {
    case "concat":
      return args.map((arg) => String(evaluate(arg, row, now) ?? "")).join("");
    case "floor":
      return typeof value === "number" ? Math.floor(value) : null;
    case "toMillis":
      return typeof value === "number" ? value : null;
    default:
      throw new QueryError(`${name}() stands in stats alone`);
  }
}

/** Where the period begins that a moment lies in. Weeks begin on Mondays here; AWS does not document when they do there. */
function bin(period: Expression, at: Value): Value {
  if (period.kind !== "period" || typeof at !== "number") {
    throw new QueryError("bin() wants a period, such as 1d");
  }
  const { count, unit } = period;
  const length = UNITS[unit];
  if (length !== undefined) {
    return Math.floor(at / (length * count)) * length * count;
  }
  if (count !== 1) {
    throw new QueryError(`the preview does not know bin(${count}${unit})`);
  }
  const day = new Date(Math.floor(at / DAY) * DAY);
  if (unit === "w") {
    return day.getTime() - ((day.getUTCDay() + 6) % 7) * DAY;
  }
  if (unit === "mo") {
    return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1);
  }
  throw new QueryError(`the preview does not know bin(1${unit})`);
}

// Answering.

function fieldsOf(result: Result): Field[] {
  return result.columns.map((name) => {
    const values: Cell[] = result.rows.map((row) => {
      const value = row.get(name) ?? null;
      return typeof value === "boolean" ? Number(value) : value;
    });
    if (result.moments.has(name)) {
      return { name, type: "time", values };
    }
    // As in Grafana's back end, the first value decides what a column holds.
    const isNumber = typeof (values.find((value) => value !== null) ?? "") === "number";
    return { name, type: isNumber ? "number" : "string", values };
  });
}

/** Grafana's back end puts what has a time into its order, however the query was sorted. */
function byTime(fields: Field[]): Field[] {
  const time = fields.find((field) => field.type === "time");
  if (time === undefined) {
    return fields;
  }
  const order = time.values.map((at, place) => ({ at: at as number, place })).sort((a, b) => a.at - b.at);
  return fields.map((field) => ({ ...field, values: order.map(({ place }) => field.values[place] ?? null) }));
}

/** One frame for each group where there is time to draw it over; one for all in a table. */
function grouped(query: LogQuery, fields: Field[]): Frame[] {
  const whole: Frame = { refId: query.refId, name: "", fields };
  const groups = fields.filter((field) => query.statsGroups.includes(field.name) && field.type === "string");
  const isOverTime = fields.some((field) => field.type === "time") && fields.some((field) => field.type === "number");
  if (groups.length === 0 || !isOverTime) {
    return [whole];
  }
  const rows = new Map<string, number[]>();
  const length = fields[0]?.values.length ?? 0;
  for (let place = 0; place < length; place++) {
    const key = groups.map((field) => String(field.values[place])).join("");
    const places = rows.get(key);
    if (places === undefined) {
      rows.set(key, [place]);
    } else {
      places.push(place);
    }
  }
  return [...rows].map(([name, places]) => ({
    refId: query.refId,
    name,
    fields: fields.map((field) => ({ ...field, values: places.map((place) => field.values[place] ?? null) })),
  }));
}
