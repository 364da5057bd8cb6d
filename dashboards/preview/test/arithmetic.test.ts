// Arithmetic over series: what CloudWatch's metric math promises, for any values.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { calculate } from "../src/arithmetic.ts";
import { QueryError } from "../src/frames.ts";

const points = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: -1000, max: 1000 }))).map((pairs) => new Map(pairs));

test("a sum has a value exactly where all of its series have one, and the right one", () => {
  fc.assert(
    fc.property(points, points, points, (a, b, c) => {
      const result = calculate("100 * (a - b) + c / 4", new Map([["a", a], ["b", b], ["c", c]]));
      for (const at of new Set([...a.keys(), ...b.keys(), ...c.keys()])) {
        const [x, y, z] = [a.get(at), b.get(at), c.get(at)];
        const expected = x === undefined || y === undefined || z === undefined ? undefined : 100 * (x - y) + z / 4;
        assert.equal(result.get(at), expected);
      }
    }),
  );
});

test("a division by zero has no value", () => {
  const named = new Map([["a", new Map([[1, 5], [2, 6]])], ["b", new Map([[1, 0], [2, 3]])]]);
  assert.deepEqual([...calculate("a / b", named)], [[2, 2]]);
});

test("products come before sums, and brackets before both", () => {
  const named = new Map([["a", new Map([[1, 2]])]]);
  for (const [expression, expected] of [["1 + a * 3", 7], ["(1 + a) * 3", 9], ["8 / a / 2", 2], ["8 - a - 1", 5]] as const) {
    assert.equal(calculate(expression, named).get(1), expected, expression);
  }
});

test("what CloudWatch would refuse is refused", () => {
  const named = new Map([["a", new Map([[1, 2]])]]);
  for (const expression of ["a +", "a b", "(a", "a + other", "FILL(a, 0)", "2 * 3", ""]) {
    assert.throws(() => calculate(expression, named), QueryError, expression);
  }
});
