// Where things lie in the repository, and where the page is bundled to.

import { mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { bundle } from "./bundle.ts";
import { QueryError } from "./frames.ts";
import type { Places } from "./server.ts";

const here = dirname(fileURLToPath(import.meta.url));
export const ROOT = resolve(here, "../../..");
const PAGE = join(ROOT, "target/preview");

/** The folder that `UPTAKE_STORE` names, or the demo's. */
export function storeFolder(named: string | undefined): string {
  if (named === undefined || named === "") {
    return join(ROOT, "uptake-data");
  }
  if (!named.startsWith("file:///")) {
    throw new QueryError(`UPTAKE_STORE is ${named}; the preview draws what lies in a folder: file:///absolute/folder`);
  }
  return fileURLToPath(named);
}

async function newest(folder: string): Promise<number> {
  const names = await readdir(folder);
  const times = names.map(async (name) => (await stat(join(folder, name))).mtimeMs);
  return Math.max(...(await Promise.all(times)));
}

/** Everything that the server needs, the page bundled if a source is newer than it. */
export async function places(store: string): Promise<Places> {
  await mkdir(PAGE, { recursive: true });
  const made = await stat(join(PAGE, "page.js")).catch(() => undefined);
  const lock = await stat(join(here, "../package-lock.json"));
  if (made === undefined || made.mtimeMs < Math.max(await newest(here), lock.mtimeMs)) {
    await bundle(PAGE);
  }
  return { dashboards: join(ROOT, "dashboards"), store, page: PAGE };
}
