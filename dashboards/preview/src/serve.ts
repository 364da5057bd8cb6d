// `make preview`: serves the page until somebody presses Ctrl-C.

import { places, storeFolder } from "./places.ts";
import { serve } from "./server.ts";

const PORT = Number(process.env["PORT"] ?? 3100);

try {
  const folder = storeFolder(process.env["UPTAKE_STORE"]);
  const { url } = await serve(await places(folder), PORT);
  console.log(`The dashboards over ${folder}, drawn with Grafana's components: ${url}\nCtrl-C ends it.`);
} catch (error) {
  const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
  console.error(isTaken ? `Port ${PORT} is taken; set PORT to another.` : error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
