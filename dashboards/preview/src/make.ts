// Bundles the page ahead of time, so that the preview is up at once.

import { places, storeFolder } from "./places.ts";

await places(storeFolder(undefined));
