// The preview's server, on loopback alone: page, dashboards, and the figures of panels over what the jobs wrote.

import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { join } from "node:path";

import { QueryError } from "./frames.ts";
import { asking, choices, evaluate, moment } from "./panels.ts";
import type { Dashboard, Variables } from "./panels.ts";
import { readStore } from "./store.ts";

export interface Places {
  /** Where the dashboards' JSON lies. */
  dashboards: string;
  /** Where the jobs wrote to. */
  store: string;
  /** Where the page was bundled to. */
  page: string;
}

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

export async function readDashboards(folder: string): Promise<Map<string, Dashboard>> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("uptake-") && name.endsWith(".json"));
  const read = names.sort().map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8")) as Dashboard);
  return new Map((await Promise.all(read)).map((dashboard) => [dashboard.uid, dashboard]));
}

/** What a page asks for. */
interface Request {
  uid: string;
  from: string;
  to: string;
  variables: Variables;
}

/** A dashboard's choices and frames; what a panel cannot be asked is an error in its place. */
async function answer(places: Places, dashboard: Dashboard, request: Request): Promise<unknown> {
  const store = await readStore(places.store);
  const now = Math.max(Date.now(), store.newest + 1);
  const isAbsolute = ![request.from, request.to].some((moment) => moment.includes("now"));
  const range = { from: moment(request.from, now), to: moment(request.to, now), now, isAbsolute };
  const offered = dashboard.templating.list.map((variable) => ({ name: variable.name, choices: choices(store, variable) }));
  const chosen = dashboard.templating.list.map((variable, place) => {
    const values = offered[place]?.choices.map(({ value }) => value) ?? [];
    const wanted = request.variables[variable.name] ?? variable.current?.value ?? "";
    return [variable.name, values.includes(wanted) ? wanted : (values[0] ?? "")];
  });
  const variables = Object.fromEntries(chosen) as Variables;
  const panels = asking(dashboard).map((panel) => {
    try {
      return { id: panel.id, frames: evaluate(store, panel, variables, range) };
    } catch (error) {
      if (error instanceof QueryError) {
        return { id: panel.id, error: error.message };
      }
      throw error;
    }
  });
  return { range, offered, variables, panels, isEmpty: store.newest === 0 };
}

async function respond(places: Places, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const send = (status: number, type: string, body: string | Buffer) => {
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
  };
  const json = (value: unknown) => send(200, "application/json", JSON.stringify(value));
  const dashboards = () => readDashboards(places.dashboards);
  if (url.pathname === "/api/dashboards") {
    json([...(await dashboards()).values()]);
    return;
  }
  if (url.pathname === "/api/figures") {
    const asked = Object.fromEntries(url.searchParams);
    const dashboard = (await dashboards()).get(asked["uid"] ?? "");
    if (dashboard === undefined) {
      send(404, "text/plain", "there is no such dashboard");
      return;
    }
    const variables = Object.fromEntries(Object.entries(asked).filter(([key]) => key.startsWith("var-")).map(([key, value]) => [key.slice(4), value]));
    const { from, to } = { ...dashboard.time, ...asked };
    json(await answer(places, dashboard, { uid: dashboard.uid, from, to, variables }));
    return;
  }
  // Names of the bundle and nothing else: no dots that lead out of it.
  const named = /^\/d\/([\w-]+)$/.exec(url.pathname)?.[1];
  const isPage = url.pathname === "/" || (named !== undefined && (await dashboards()).has(named));
  const file = isPage ? "index.html" : /^\/((?:[\w-]+\/)*[\w-]+\.(?:css|js|svg|woff2))$/.exec(url.pathname)?.[1];
  if (file === undefined) {
    send(404, "text/plain", "there is nothing here");
    return;
  }
  const content = await readFile(join(places.page, file)).catch(() => undefined);
  if (content === undefined) {
    send(404, "text/plain", "there is nothing here");
    return;
  }
  send(200, TYPES[file.slice(file.lastIndexOf("."))] ?? "text/plain", content);
}

/** Listens on loopback; port 0 is any that is free. */
export function serve(places: Places, port: number): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    respond(places, request, response).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      response.writeHead(error instanceof QueryError ? 400 : 500, { "content-type": "text/plain" }).end(message);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const chosen = typeof address === "object" && address !== null ? address.port : port;
      resolve({ server, url: `http://127.0.0.1:${chosen}/` });
    });
  });
}
