// The dashboards are what Grafana's published types say, of 12.4 and of 13; a misspelt option is not.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";

import { ROOT } from "../src/places.ts";
import { readDashboards } from "../src/server.ts";
import { PACKAGES, typeFaults } from "../src/types.ts";
import type { DashboardJson } from "../src/types.ts";

// Node reads only the older form of this package, which asks a browser for its language.
globalThis.navigator ??= { language: "en-US", languages: ["en-US"] } as unknown as Navigator;
const { getValueFormats } = createRequire(import.meta.url)("@grafana/data") as typeof import("@grafana/data");

const dashboards = await readDashboards(join(ROOT, "dashboards"));

for (const [version, schema] of Object.entries(PACKAGES)) {
  for (const [uid, dashboard] of dashboards) {
    test(`${uid} is a dashboard of Grafana ${version}`, () => {
      assert.deepEqual(typeFaults(dashboard as unknown as DashboardJson, schema), []);
    });
  }
}

test("a misspelt option, an unknown value and an unknown field of a query are told", () => {
  const changes: [string, (panel: Record<string, any>) => void][] = [
    ["colourMode", (panel) => (panel["options"].colourMode = "value")],
    ["steep", (panel) => (panel["options"].graphMode = "steep")],
    ["metricname", (panel) => (panel["targets"][0].metricname = "Seats")],
    ["unti", (panel) => (panel["fieldConfig"].defaults.unti = "s")],
  ];
  for (const [named, change] of changes) {
    const dashboard = structuredClone(dashboards.get("uptake-overview")) as unknown as DashboardJson;
    const panel = dashboard.panels.find((panel) => panel.type === "stat") as unknown as Record<string, any>;
    change(panel);
    for (const [version, schema] of Object.entries(PACKAGES)) {
      const faults = typeFaults(dashboard, schema);
      assert.ok(faults.some((fault) => fault.includes(named)), `${named} of ${version}: ${faults.join("; ")}`);
    }
  }
});

test("every unit is one that Grafana has", () => {
  const known = new Set(getValueFormats().flatMap((category) => category.submenu ?? []).map((format) => format.value));
  const units = JSON.stringify([...dashboards.values()]).matchAll(/"unit":"(\w+)"|"id":"unit","value":"(\w+)"/g);
  const used = new Set([...units].map((match) => match[1] ?? match[2] ?? ""));
  assert.ok(used.size > 3);
  assert.deepEqual([...used].filter((unit) => !known.has(unit)), []);
});
