// `make pictures`: one picture of each dashboard, as the README shows them.

import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

import { findChromium, launch, look } from "./browser.ts";
import { places, ROOT, storeFolder } from "./places.ts";
import { readDashboards, serve } from "./server.ts";

const WIDTH = 1600;
/** Of these the README shows what is in view when they are opened. */
const IN_README = ["uptake-overview", "uptake-workflows", "uptake-m365"];
const FOLDER = join(ROOT, "docs/images/dashboards");

const chromium = await findChromium();
if (chromium === undefined) {
  throw new Error("there is no Chromium; install Debian's package chromium, or name one with CHROMIUM");
}
const where = await places(storeFolder(process.env["UPTAKE_STORE"]));
const { server, url } = await serve(where, 0);
const browser = await launch(chromium);
await mkdir(FOLDER, { recursive: true });
for (const uid of (await readDashboards(where.dashboards)).keys()) {
  const name = join(FOLDER, uid.replace("uptake-", ""));
  const { picture, top } = await look(browser, url, uid, WIDTH, []);
  await writeFile(`${name}.png`, picture);
  if (IN_README.includes(uid)) {
    await writeFile(`${name}-top.png`, top);
  }
  console.log(`${relative(ROOT, name)}.png`);
}
await browser.close();
server.close();
