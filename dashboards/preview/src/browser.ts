// A real browser on the page: what it draws, and everything that is wrong with it.

import { access } from "node:fs/promises";

import puppeteer from "puppeteer-core";
import type { Browser } from "puppeteer-core";

/** Where distributions put Chromium. */
const USUAL = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium"];

export async function findChromium(): Promise<string | undefined> {
  for (const path of [process.env["CHROMIUM"], ...USUAL]) {
    const isThere = path !== undefined && (await access(path).then(() => true, () => false));
    if (isThere) {
      return path;
    }
  }
  return undefined;
}

export function launch(executablePath: string): Promise<Browser> {
  // Root has no sandbox, and the page is our own.
  return puppeteer.launch({ executablePath, args: ["--no-sandbox", "--hide-scrollbars", "--force-color-profile=srgb"] });
}

/** Higher than any of the dashboards: a page in which nothing has to be scrolled to. */
const HIGHEST = 5000;
/** What a browser shows at once. */
const IN_VIEW = 1000;

export interface Look {
  /** What the console and the page complained of. */
  complaints: string[];
  /** Titles of panels that say that there is nothing, with what they say. */
  empty: string[];
  /** Titles of panels that could not be drawn. */
  broken: string[];
  /** Texts that do not fit where they stand. */
  overflowing: string[];
  panels: number;
  picture: Uint8Array;
  /** What is in view when it is opened. */
  top: Uint8Array;
}

/** Opens a dashboard at a width, everything on it in view, and looks at it. `choices` go into its address: `open` opens closed headings. */
export async function look(browser: Browser, url: string, uid: string, width: number, choices: string[]): Promise<Look> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) {
      complaints.push(message.text());
    }
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(`${request.url()} was not answered`));
  page.on("response", (response) => {
    if (response.status() >= 400) {
      complaints.push(`${response.url()} was answered with ${response.status()}`);
    }
  });
  // As high as the dashboard, from the beginning: what is not in view is not drawn.
  await page.setViewport({ width, height: HIGHEST });
  await page.goto(`${url}?${[`uid=${uid}`, ...choices].join("&")}`, { waitUntil: "networkidle0" });
  await page.waitForSelector("main[data-current=true]");
  await page.waitForNetworkIdle();
  // Letters come last, and lines are drawn once they are there.
  await page.evaluate(() => document.fonts.ready.then(() => new Promise((drawn) => setTimeout(drawn, 300))));
  const told = (selector: string) =>
    page.$$eval(selector, (elements) => elements.map((element) => `${element.closest<HTMLElement>("[data-panel]")?.dataset["panel"] ?? ""}: ${element.textContent}`));
  const overflowing = await page.$$eval("[data-panel] h2, [data-panel] h6, [data-panel] td button, [role=gridcell], [role=columnheader], header select, header label, .note, .text", (elements) =>
    elements
      .filter((element) => {
        const isTooWide = element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
        // Rows of tables take no height of their own.
        const room = element.parentElement?.clientHeight || Infinity;
        return isTooWide || element.scrollHeight > room + 1;
      })
      .map((element) => `${element.closest<HTMLElement>("[data-panel]")?.dataset["panel"] ?? element.tagName}: ${element.textContent}`),
  );
  // A table may be longer than its panel, and not wider.
  const wide = await page.$$eval("[data-panel] [role=grid]", (elements) =>
    elements
      .filter((element) => element.scrollWidth > element.clientWidth + 1)
      .map((element) => `${element.closest<HTMLElement>("[data-panel]")?.dataset["panel"]}: ${element.scrollWidth - element.clientWidth} pixels too wide`),
  );
  const panels = await page.$$eval("[data-panel]", (elements) => elements.length);
  const height = await page.$eval("main", (element) => Math.ceil(element.getBoundingClientRect().bottom));
  const [empty, broken] = [await told(".empty"), await told(".broken")];
  const shot = (height: number) => page.screenshot({ clip: { x: 0, y: 0, width, height }, captureBeyondViewport: false });
  const [picture, top] = [await shot(height), await shot(Math.min(IN_VIEW, height))];
  await page.close();
  return { complaints, empty, broken, overflowing: [...overflowing, ...wide], panels, picture, top };
}
