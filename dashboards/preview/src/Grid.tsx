// Panels in their places on Grafana's grid, under headings that open and close.

import type { TimeRange } from "@grafana/data";
import { useEffect, useState } from "react";

import type { Answer, PageDashboard, PagePanel } from "./model.ts";
import { PanelView } from "./PanelView.tsx";

/** Grafana's grid: 24 columns, lines of 30 pixels, 8 between them. */
const COLUMNS = 24;
const LINE = 30;
const GAP = 8;

function useWidth(): number {
  const read = () => document.documentElement.clientWidth - 2 * GAP;
  const [width, setWidth] = useState(read);
  useEffect(() => {
    const resized = () => setWidth(read());
    window.addEventListener("resize", resized);
    return () => window.removeEventListener("resize", resized);
  }, []);
  return width;
}

/** Panels as they stand when some closed headings are open: what is below moves down. */
function laidOut(panels: PagePanel[], opened: Set<number>): PagePanel[] {
  let lower = 0;
  return panels.flatMap((panel) => {
    const at = (one: PagePanel, y: number) => ({ ...one, gridPos: { ...one.gridPos, y } });
    const here = at(panel, panel.gridPos.y + lower);
    const within = panel.panels ?? [];
    if (!opened.has(panel.id) || within.length === 0) {
      return [here];
    }
    const below = within.map((one) => at(one, one.gridPos.y + lower));
    lower += Math.max(...within.map((one) => one.gridPos.y + one.gridPos.h)) - panel.gridPos.y - 1;
    return [here, ...below];
  });
}

interface Props {
  dashboard: PageDashboard;
  answer: Answer;
  span: TimeRange;
  isCurrent: boolean;
}

export function Grid({ dashboard, answer, span, isCurrent }: Props) {
  const width = useWidth();
  const isAllOpen = new URLSearchParams(window.location.search).has("open");
  const closed = dashboard.panels.filter((panel) => panel.collapsed === true).map((panel) => panel.id);
  const [opened, setOpened] = useState(() => new Set(isAllOpen ? closed : []));
  const toggle = (id: number) => {
    const next = new Set(opened);
    if (!next.delete(id)) {
      next.add(id);
    }
    setOpened(next);
  };
  const panels = laidOut(dashboard.panels, opened);
  const column = (width + GAP) / COLUMNS;
  const lowest = Math.max(...panels.map((panel) => panel.gridPos.y + panel.gridPos.h));
  return (
    <main data-current={isCurrent} style={{ height: lowest * (LINE + GAP) + GAP }}>
      {panels.map((panel) => {
        const { x, y, w, h } = panel.gridPos;
        const place = { left: x * column + GAP, top: y * (LINE + GAP) + GAP };
        const size = { width: w * column - GAP, height: h * (LINE + GAP) - GAP };
        if (panel.type === "row") {
          const isOpen = panel.collapsed !== true || opened.has(panel.id);
          return (
            <h2 key={panel.id} style={{ ...place, ...size }}>
              <button type="button" disabled={panel.collapsed !== true} onClick={() => toggle(panel.id)}>
                {isOpen ? "▾" : "▸"} {panel.title}
                {!isOpen && <small> ({panel.panels?.length ?? 0} panels)</small>}
              </button>
            </h2>
          );
        }
        return (
          <section key={panel.id} style={{ ...place, ...size }} data-panel={panel.title}>
            <PanelView panel={panel} {...size} span={span} variables={answer.variables} result={answer.panels.find((one) => one.id === panel.id)} />
          </section>
        );
      })}
    </main>
  );
}
