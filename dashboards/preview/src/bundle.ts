// Bundles the page. It takes seconds, so it is done once and again when a source is newer.

import { copyFile, cp, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

/** What Grafana calls its letters, and what the font's package does. */
const LETTERS = { Regular: "400-normal", Italic: "400-italic", Medium: "500-normal" };

export async function bundle(to: string): Promise<void> {
  await build({
    entryPoints: [join(here, "page.tsx")],
    outfile: join(to, "page.js"),
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    jsx: "automatic",
    legalComments: "none",
    logLevel: "warning",
    define: { "process.env.NODE_ENV": '"production"', "process.env": "{}", global: "globalThis" },
    alias: { "react-router-dom-v5-compat": "react-router-dom" },
    loader: { ".svg": "dataurl", ".png": "dataurl", ".woff": "dataurl", ".woff2": "dataurl", ".ttf": "dataurl" },
  });
  await copyFile(join(here, "index.html"), join(to, "index.html"));
  // Grafana's letters and icons, where its styles and components look for them.
  const within = (name: string) => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  await mkdir(join(to, "fonts/inter"), { recursive: true });
  for (const [name, file] of Object.entries(LETTERS)) {
    await copyFile(join(within("@fontsource/inter"), `files/inter-latin-${file}.woff2`), join(to, `fonts/inter/Inter-${name}.woff2`));
  }
  await cp(join(within("@grafana/ui"), "dist/public/img/icons"), join(to, "build/img/icons"), { recursive: true });
}
