// The preview is quick: up in seconds, and a change of the time range within one, on ninety days of data.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { places, ROOT, storeFolder } from "../src/places.ts";
import { readDashboards, serve } from "../src/server.ts";

const DAY = 86_400_000;
const STORE = storeFolder(process.env["UPTAKE_STORE"]);

/** A copy of the demo's figures that goes back ninety days: the same weeks again and again. */
async function ninetyDays(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "uptake-preview-"));
  await cp(join(STORE, "cloudwatch"), join(folder, "cloudwatch"), { recursive: true });
  const metrics = join(folder, "cloudwatch/metrics");
  // The last file is of the day after, which has begun.
  for (const file of (await readdir(metrics)).slice(-15, -1)) {
    const text = await readFile(join(metrics, file), "utf8");
    const on = Date.parse(file.slice(0, 10));
    for (let back = 14; back < 98; back += 14) {
      const day = (at: number) => new Date(at - back * DAY).toISOString().slice(0, 10);
      const shifted = text.replaceAll(/"timestamp":"(\d{4}-\d\d-\d\d)T/g, (_, date: string) => `"timestamp":"${day(Date.parse(date))}T`);
      await writeFile(join(metrics, `${day(on)}.jsonl`), shifted);
    }
  }
  const logs = join(folder, "cloudwatch/logs/uptake");
  for (const group of (await readdir(logs)).filter((name) => name.startsWith("workflow-runs-")).slice(-2)) {
    for (let back = 14; back < 98; back += 14) {
      const day = (date: string) => new Date(Date.parse(date) - back * DAY).toISOString().slice(0, 10);
      const [first, last] = group.slice("workflow-runs-".length).split("_") as [string, string];
      const older = join(logs, `workflow-runs-${day(first)}_${day(last)}`);
      await cp(join(logs, group), older, { recursive: true });
      for (const stream of await readdir(older)) {
        const text = await readFile(join(older, stream), "utf8");
        await writeFile(join(older, stream), text.replaceAll(/"timestamp":"(\d{4}-\d\d-\d\d)T/g, (_, date: string) => `"timestamp":"${day(date)}T`));
      }
    }
  }
  return folder;
}

test("it is up within five seconds", async () => {
  // The page is bundled by now, as it is after `make preview` was given once.
  await places(STORE);
  const begun = Date.now();
  const child = spawn(process.execPath, ["--import", "tsx", "src/serve.ts"], { cwd: join(ROOT, "dashboards/preview"), env: { ...process.env, PORT: "0" } });
  try {
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on("data", (data) => {
        const told = /http:\S+/.exec(String(data))?.[0];
        if (told !== undefined) {
          resolve(told);
        }
      });
      child.once("exit", () => reject(new Error("it ended")));
    });
    const response = await fetch(`${url}api/figures?uid=uptake-overview`);
    assert.equal(response.status, 200);
    assert.ok(Date.now() - begun < 5_000, `${Date.now() - begun} ms`);
  } finally {
    child.kill();
  }
});

test("a change of the time range is answered within a second, on ninety days", async () => {
  const folder = await ninetyDays();
  const { server, url } = await serve(await places(folder), 0);
  try {
    const dashboards = [...(await readDashboards(join(ROOT, "dashboards"))).keys()];
    // The first answer reads the files.
    await (await fetch(`${url}api/figures?uid=uptake-overview`)).text();
    for (const uid of dashboards) {
      for (const from of ["now-90d", "now-7d"]) {
        const begun = Date.now();
        const answer = (await (await fetch(`${url}api/figures?uid=${uid}&from=${from}`)).json()) as { panels: { frames?: { fields: { values: unknown[] }[] }[] }[] };
        const took = Date.now() - begun;
        assert.ok(took < 1_000, `${uid} of ${from} took ${took} ms`);
        if (from === "now-90d" && uid === "uptake-copilot-seats") {
          const days = Math.max(...answer.panels.flatMap((panel) => panel.frames ?? []).map((frame) => frame.fields[0]?.values.length ?? 0));
          assert.ok(days >= 85, `${days} days`);
        }
      }
    }
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

test("whoever has no figures is told what to do, and a bucket is no folder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "uptake-preview-"));
  const { server, url } = await serve(await places(folder), 0);
  const answer = (await (await fetch(`${url}api/figures?uid=uptake-overview`)).json()) as { isEmpty: boolean };
  assert.equal(answer.isEmpty, true);
  for (const [path, status] of [["d/uptake-workflow?var-repository=octo-org%2Fpay-api", 200], ["d/nothing", 404], ["api/figures?uid=nothing", 404], ["../package.json", 404], ["page.css.map", 404], ["api/figures?uid=uptake-overview&from=yesterday", 400]] as const) {
    assert.equal((await fetch(url + path)).status, status, path);
  }
  server.close();
  assert.throws(() => storeFolder("s3://bucket"), /file:/);
  await rm(folder, { recursive: true });
});
