// What the page knows of a dashboard and of its figures.

import type { DataLink, FieldConfigSource } from "@grafana/data";

import type { Frame, Range } from "./frames.ts";
import type { Choice, Dashboard, Panel, Variables } from "./panels.ts";

export interface PagePanel extends Panel {
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  options: Record<string, any>;
  fieldConfig: FieldConfigSource<any>;
  transformations?: { id: string; options: unknown }[];
  transparent?: boolean;
  collapsed?: boolean;
  panels?: PagePanel[];
  links?: DataLink[];
}

export interface PageDashboard extends Omit<Dashboard, "panels"> {
  panels: PagePanel[];
}

/** Figures of a dashboard. */
export interface Answer {
  /** What was asked. */
  asked: string;
  range: Range;
  offered: { name: string; choices: Choice[] }[];
  variables: Variables;
  panels: { id: number; frames?: Frame[]; error?: string }[];
  isEmpty: boolean;
}
