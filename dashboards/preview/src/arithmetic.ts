// Arithmetic over series, as CloudWatch's metric math does it: + - * /, brackets, numbers, and the names of other queries.

import { QueryError } from "./frames.ts";
import type { Millis } from "./frames.ts";

/** Values by the moment at which their period begins. */
export type Points = Map<Millis, number>;

type Operand = number | Points;

/** The sum over series that have names. A moment that one of them lacks has no result, as has a division by zero. */
export function calculate(expression: string, named: Map<string, Points>): Points {
  const tokens = expression.match(/[A-Za-z_][A-Za-z0-9_]*|\d+(?:\.\d+)?|\S/g) ?? [];
  let place = 0;
  const peek = () => tokens[place];
  const take = () => tokens[place++];

  function operand(): Operand {
    const token = take();
    if (token === undefined) {
      throw new QueryError(`"${expression}" ends too early`);
    }
    if (token === "(") {
      const inner = sum();
      if (take() !== ")") {
        throw new QueryError(`"${expression}" lacks a bracket`);
      }
      return inner;
    }
    if (/^\d/.test(token)) {
      return Number(token);
    }
    const series = named.get(token);
    if (series === undefined) {
      throw new QueryError(`"${expression}" names ${token}, which is no query`);
    }
    return series;
  }

  function product(): Operand {
    let left = operand();
    while (peek() === "*" || peek() === "/") {
      left = combine(take() as string, left, operand());
    }
    return left;
  }

  function sum(): Operand {
    let left = product();
    while (peek() === "+" || peek() === "-") {
      left = combine(take() as string, left, product());
    }
    return left;
  }

  const result = sum();
  if (place < tokens.length) {
    throw new QueryError(`"${expression}" goes on with ${peek()}, which the preview does not know`);
  }
  if (typeof result === "number") {
    throw new QueryError(`"${expression}" is a number; CloudWatch wants a series`);
  }
  return result;
}

function combine(operator: string, left: Operand, right: Operand): Operand {
  if (typeof left === "number" && typeof right === "number") {
    return apply(operator, left, right) ?? Number.NaN;
  }
  const moments = typeof left === "number" ? (right as Points).keys() : left.keys();
  const result: Points = new Map();
  for (const at of moments) {
    const [a, b] = [left, right].map((side) => (typeof side === "number" ? side : side.get(at)));
    const value = a === undefined || b === undefined ? undefined : apply(operator, a, b);
    if (value !== undefined) {
      result.set(at, value);
    }
  }
  return result;
}

function apply(operator: string, a: number, b: number): number | undefined {
  const value = operator === "+" ? a + b : operator === "-" ? a - b : operator === "*" ? a * b : a / b;
  return Number.isFinite(value) ? value : undefined;
}
