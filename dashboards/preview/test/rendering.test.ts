// Every dashboard in a real browser, over what the jobs wrote in the demo: nothing is complained of, nothing is empty that
// should not be, and no text is cut off. The pictures are kept in target/pictures.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { Browser } from "puppeteer-core";

import { findChromium, launch, look } from "../src/browser.ts";
import { places, ROOT, storeFolder } from "../src/places.ts";
import { readDashboards, serve } from "../src/server.ts";

/** What the demo has nothing for, and why. */
const EMPTY: Record<string, string> = {
  "Grafana answers": "the demo runs no grafana-health",
  "Days until a credential expires": "the demo's credentials have no end",
  "Key rotation paused": "the demo runs no identity-keys",
  Memory: "Lambda's memory is measured on AWS",
  Processor: "Lambda's processor is measured on AWS",
  "Notifications of new audit content": "the demo runs no webhook",
};
const PICTURES = join(ROOT, "target/pictures");
const WIDTHS = [1600, 1280];

const dashboards = await readDashboards(join(ROOT, "dashboards"));
let browser: Browser;
let url: string;
let close: () => void;

before(async () => {
  const chromium = await findChromium();
  assert.ok(chromium, "there is no Chromium; CHROMIUM names one");
  const served = await serve(await places(storeFolder(process.env["UPTAKE_STORE"])), 0);
  url = served.url;
  close = () => served.server.close();
  browser = await launch(chromium);
  await mkdir(PICTURES, { recursive: true });
});

after(async () => {
  await browser.close();
  close();
});

/** Looks at a dashboard, keeps a picture, and wants nothing wrong on it. */
async function looksWell(uid: string, width: number, choices: string[], name: string): Promise<void> {
  const seen = await look(browser, url, uid, width, choices);
  await writeFile(join(PICTURES, `${name}.png`), seen.picture);
  assert.deepEqual(seen.complaints, []);
  assert.deepEqual(seen.broken, []);
  assert.deepEqual(seen.overflowing, []);
  assert.deepEqual(seen.empty.filter((told) => !((told.split(":")[0] ?? "") in EMPTY)), []);
  assert.ok(seen.panels >= 8, `${seen.panels} panels`);
}

for (const uid of dashboards.keys()) {
  for (const width of WIDTHS) {
    test(`${uid} at ${width} pixels`, () => looksWell(uid, width, ["open"], `${uid}-${width}`));
  }
}

for (const step of ["1h", "1w", "1mo"]) {
  test(`workflows in steps of ${step}`, () => looksWell("uptake-workflows", 1600, [`var-step=${step}`], `uptake-workflows-${step}`));
}

test("one team alone", () => looksWell("uptake-workflows", 1600, ["var-team=payments"], "uptake-workflows-payments"));

test("every reason for emptiness is needed", async () => {
  const seen = await look(browser, url, "uptake-pipeline", 1600, ["open"]);
  const empty = new Set(seen.empty.map((told) => told.split(":")[0] ?? ""));
  assert.deepEqual(Object.keys(EMPTY).filter((title) => !empty.has(title)), []);
});
