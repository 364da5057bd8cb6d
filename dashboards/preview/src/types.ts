// Dashboards held against the types that Grafana publishes, of two versions: the compiler finds what is misspelt.

import { join } from "node:path";

import ts from "typescript";

import { ROOT } from "./places.ts";

interface PanelJson {
  id: number;
  type: string;
  title: string;
  options?: unknown;
  fieldConfig?: { defaults?: { custom?: unknown } };
  targets?: { queryMode: string }[];
  panels?: PanelJson[];
}

export interface DashboardJson {
  panels: PanelJson[];
}

/** Grafana's packages of types: what Amazon Managed Grafana has today, and the newest. */
export const PACKAGES = { "12.4": "grafana-schema-12", "13.2": "@grafana/schema" };

const MODULES = join(ROOT, "dashboards/preview/node_modules");
/** JSON has no enums: any text or number that one of their members is. */
const JSON_TYPE = `type Json<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends Array<infer U> ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;\n`;

/** What the compiler says against a dashboard; nothing, if it is as Grafana's types are. */
export function typeFaults(dashboard: DashboardJson, schema: string): string[] {
  const raw = join(MODULES, schema, "dist/types/raw");
  const lines = [JSON_TYPE, `import type { Dashboard } from "${raw}/dashboard/x/types.gen.d.ts";\n`];
  const imported = new Map<string, string>();
  const from = (path: string, name: string) => {
    const alias = `T${imported.size}`;
    const key = `import type { ${name} as $ } from "${raw}/${path}/x/types.gen.d.ts";\n`;
    const known = imported.get(key);
    if (known !== undefined) {
      return known;
    }
    imported.set(key, alias);
    return alias;
  };
  const checks: string[] = [];
  const check = (what: string, type: string, value: unknown) => {
    checks.push(`/* ${what} */ const _${checks.length}: Json<${type}> = ${JSON.stringify(value)};\n`);
  };
  check("the dashboard", "Dashboard", dashboard);
  for (const panel of dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])) {
    if (panel.type === "row") {
      continue;
    }
    const cfg = `composable/${panel.type}/panelcfg`;
    check(`options of "${panel.title}"`, from(cfg, "Options"), panel.options);
    const custom = panel.fieldConfig?.defaults?.custom;
    if (custom !== undefined) {
      check(`field options of "${panel.title}"`, `Partial<${from(cfg, "FieldConfig")}>`, custom);
    }
    for (const target of panel.targets ?? []) {
      check(`query of "${panel.title}"`, from("composable/cloudwatch/dataquery", target.queryMode === "Logs" ? "CloudWatchLogsQuery" : "CloudWatchMetricsQuery"), target);
    }
  }
  const imports = [...imported].map(([line, alias]) => line.replace("$", alias));
  return diagnose([...lines, ...imports, ...checks].join(""));
}

function diagnose(source: string): string[] {
  const name = join(MODULES, "..", "dashboard.checked.ts");
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.getSourceFile = (file, ...rest) => (file === name ? ts.createSourceFile(file, source, ts.ScriptTarget.ES2022) : getSourceFile(file, ...rest));
  host.fileExists = (file) => file === name || fileExists(file);
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, " ");
    const before = source.slice(0, diagnostic.start ?? 0);
    const where = /\/\* ([^*]*) \*\/(?![\s\S]*\/\*)/.exec(before)?.[1] ?? "the types";
    return `${where}: ${text}`;
  });
}
