// The page: one dashboard as Grafana's components draw it, with its variables and time range.

import "./boot.ts";

import { createTheme, dateTime, standardTransformers, standardTransformersRegistry, ThemeContext } from "@grafana/data";
import type { TimeRange } from "@grafana/data";
import { initPluginTranslations } from "@grafana/i18n";
import { GlobalStyles } from "@grafana/ui";
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

import { Grid } from "./Grid.tsx";
import type { Answer, PageDashboard } from "./model.ts";

const theme = createTheme({ colors: { mode: "dark" } });
const RANGES = [
  { from: "now-24h", text: "Last 24 hours" },
  { from: "now-7d", text: "Last 7 days" },
  { from: "now-14d", text: "Last 14 days" },
  { from: "now-28d", text: "Last 28 days" },
  { from: "now-90d", text: "Last 90 days" },
];

/** Those that the dashboards use. */
const { reduceTransformer, sortByTransformer, limitTransformer, groupingToMatrixTransformer } = standardTransformers;
standardTransformersRegistry.setInit(() =>
  [reduceTransformer, sortByTransformer, limitTransformer, groupingToMatrixTransformer].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    transformation: async () => transformation,
    editor: () => null,
    imageDark: "",
    imageLight: "",
  })),
);

/** What is looked at; it stands in the address, so that a link leads to the same. */
function useAddress(): [URLSearchParams, (changes: Record<string, string>) => void] {
  const read = () => {
    const address = new URLSearchParams(window.location.search);
    // Links between dashboards are Grafana's: the dashboard stands in the path.
    const uid = /^\/d\/([\w-]+)$/.exec(window.location.pathname)?.[1];
    if (uid !== undefined) {
      address.set("uid", uid);
    }
    return address;
  };
  const [address, setAddress] = useState(read);
  useEffect(() => {
    const back = () => setAddress(read());
    window.addEventListener("popstate", back);
    return () => window.removeEventListener("popstate", back);
  }, []);
  const change = (changes: Record<string, string>) => {
    const next = read();
    for (const [name, value] of Object.entries(changes)) {
      next.set(name, value);
    }
    if ("from" in changes) {
      // A range that is chosen goes up to now.
      next.delete("to");
    }
    window.history.pushState(null, "", `/?${next.toString()}`);
    setAddress(next);
  };
  return [address, change];
}

function Page({ dashboards }: { dashboards: PageDashboard[] }) {
  const [address, change] = useAddress();
  const uid = address.get("uid") ?? "uptake-overview";
  const dashboard = dashboards.find((one) => one.uid === uid) ?? dashboards[0];
  const [answer, setAnswer] = useState<Answer | undefined>();
  const [problem, setProblem] = useState("");
  const from = address.get("from") ?? dashboard?.time.from ?? "now-28d";
  const question = new URLSearchParams(address);
  question.set("uid", dashboard?.uid ?? "");
  question.set("from", from);
  const asked = question.toString();
  useEffect(() => {
    const controller = new AbortController();
    fetch(`/api/figures?${asked}`, { signal: controller.signal })
      .then(async (response) => {
        if (!response.ok) {
          throw new Error(await response.text());
        }
        setAnswer({ ...((await response.json()) as Answer), asked });
        setProblem("");
      })
      .catch((error: unknown) => {
        if (!controller.signal.aborted) {
          setProblem(String(error));
        }
      });
    return () => controller.abort();
  }, [asked]);
  if (dashboard === undefined) {
    return <p>There are no dashboards here.</p>;
  }
  const isCurrent = answer?.asked === asked;
  const span: TimeRange | undefined = answer && {
    from: dateTime(answer.range.from),
    to: dateTime(answer.range.to),
    raw: { from, to: address.get("to") ?? "now" },
  };
  const variables = dashboard.templating.list.filter((variable) => variable.type !== "datasource");
  return (
    <>
      <header>
        <select aria-label="Dashboard" value={dashboard.uid} onChange={(event) => change({ uid: event.target.value })}>
          {dashboards.map((one) => (
            <option key={one.uid} value={one.uid}>
              {one.title}
            </option>
          ))}
        </select>
        {variables.map((variable) => (
          <label key={variable.name}>
            {variable.label}
            <select
              value={answer?.variables[variable.name] ?? ""}
              onChange={(event) => change({ [`var-${variable.name}`]: event.target.value })}
            >
              {(answer?.offered.find((offered) => offered.name === variable.name)?.choices ?? []).map((choice) => (
                <option key={choice.value} value={choice.value}>
                  {choice.text}
                </option>
              ))}
            </select>
          </label>
        ))}
        <span className="space" />
        <span className="note">A preview drawn with Grafana's components. It is not Grafana.</span>
        <select aria-label="Time range" value={from} onChange={(event) => change({ from: event.target.value })}>
          {RANGES.map((range) => (
            <option key={range.from} value={range.from}>
              {range.text}
            </option>
          ))}
        </select>
      </header>
      {problem !== "" && <p className="problem">{problem}</p>}
      {answer?.isEmpty === true && <p className="problem">There are no figures yet: run `make demo` first.</p>}
      {answer !== undefined && span !== undefined && (
        <Grid key={dashboard.uid} dashboard={dashboard} answer={answer} span={span} isCurrent={isCurrent} />
      )}
    </>
  );
}

const response = await fetch("/api/dashboards");
const dashboards = (await response.json()) as PageDashboard[];
await initPluginTranslations("uptake");
createRoot(document.getElementById("page") as HTMLElement).render(
  <StrictMode>
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Page dashboards={dashboards} />
    </ThemeContext.Provider>
  </StrictMode>,
);
