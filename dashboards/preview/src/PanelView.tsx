// One panel: its frames through Grafana's transformations and overrides into the component that Grafana draws its kind with.

import {
  applyFieldOverrides,
  applyNullInsertThreshold,
  cacheFieldDisplayNames,
  FieldConfigOptionsRegistry,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  renderMarkdown,
  toDataFrame,
  transformDataFrame,
  VizOrientation,
} from "@grafana/data";
import type { DataFrame, DisplayValueAlignmentFactors, FieldConfigPropertyItem, FieldDisplay, GrafanaTheme2, InterpolateFunction, TimeRange } from "@grafana/data";
import { BarGauge, BigValue, PanelChrome, TimeSeries, TooltipPlugin2, useTheme2, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import { Component, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";

import type { Answer, PagePanel } from "./model.ts";
import type { Variables } from "./panels.ts";

interface Props {
  panel: PagePanel;
  width: number;
  height: number;
  span: TimeRange;
  variables: Variables;
  result: Answer["panels"][number] | undefined;
}

/** What Grafana's option registry knows of every field, and what the panel itself uses. */
const STANDARD = ["unit", "min", "max", "decimals", "displayName", "noValue", "color", "thresholds", "mappings", "links"];

function registry(panel: PagePanel): FieldConfigOptionsRegistry {
  const set = panel.fieldConfig.overrides.flatMap((override) => override.properties.map((property) => property.id));
  const custom = [...Object.keys(panel.fieldConfig.defaults.custom ?? {}).map((key) => `custom.${key}`), ...set.filter((id) => id.startsWith("custom."))];
  const item = (id: string) =>
    ({
      id,
      path: id.replace(/^custom\./, ""),
      isCustom: id.startsWith("custom."),
      name: id,
      editor: () => null,
      override: () => null,
      process: (value: unknown) => value,
      shouldApply: () => true,
    }) as unknown as FieldConfigPropertyItem;
  return new FieldConfigOptionsRegistry(() => [...new Set([...STANDARD, ...custom])].map(item));
}

/** Grafana's own variables in links and names. */
function replacing(variables: Variables, span: TimeRange): InterpolateFunction {
  return (text, scoped) =>
    (text ?? "").replace(/\$\{([\w.]+)(?::(\w+))?\}/g, (whole, name: string, format: string | undefined) => {
      const context = scoped?.["__dataContext"]?.value as { frame: DataFrame; rowIndex?: number; field: DataFrame["fields"][number] } | undefined;
      const row = context?.rowIndex ?? 0;
      const value = (() => {
        if (name === "__url_time_range") {
          return `from=${span.raw.from.valueOf()}&to=${span.raw.to.valueOf()}`;
        }
        if (name.startsWith("__data.fields.")) {
          return context?.frame.fields.find((field) => field.name === name.slice(14))?.values[row];
        }
        return name.startsWith("__value") ? context?.field.values[row] : variables[name];
      })();
      if (value === undefined) {
        return whole;
      }
      return format === "percentencode" ? encodeURIComponent(String(value)) : String(value);
    });
}

/** Frames as the panel's component wants them: transformed first, then with the options of their fields. */
function useFrames({ panel, span, variables, result }: Props, theme: GrafanaTheme2): DataFrame[] | undefined {
  const [transformed, setTransformed] = useState<DataFrame[] | undefined>();
  useEffect(() => {
    const frames = (result?.frames ?? []).map((frame) => toDataFrame(frame));
    const steps = (panel.transformations ?? []).map(({ id, options }) => ({ id, options }));
    const subscription = transformDataFrame(steps, frames).subscribe(setTransformed);
    return () => subscription.unsubscribe();
  }, [panel, result]);
  return useMemo(() => {
    if (transformed === undefined) {
      return undefined;
    }
    const frames = applyFieldOverrides({
      data: transformed,
      fieldConfig: panel.fieldConfig,
      fieldConfigRegistry: registry(panel),
      replaceVariables: replacing(variables, span),
      theme,
      timeZone: "utc",
    });
    cacheFieldDisplayNames(frames);
    return frames;
  }, [transformed, panel, variables, span, theme]);
}

export function PanelView(props: Props) {
  const { panel, width, height, result } = props;
  const theme = useTheme2();
  const frames = useFrames(props, theme);
  if (panel.type === "text") {
    return <div className="text" dangerouslySetInnerHTML={{ __html: renderMarkdown(String(panel.options["content"])) }} />;
  }
  return (
    <PanelChrome title={panel.title} description={panel.description ?? ""} width={width} height={height} padding={panel.type === "table" ? "none" : "md"} {...(result?.error === undefined ? {} : { statusMessage: result.error })}>
      {(innerWidth, innerHeight) => (
        <Boundary key={JSON.stringify(result?.frames?.length ?? 0)} title={panel.title}>
          {result?.error !== undefined ? (
            <p className="empty">{result.error}</p>
          ) : (
            frames && <Visualization {...props} frames={frames} width={innerWidth} height={innerHeight} theme={theme} />
          )}
        </Boundary>
      )}
    </PanelChrome>
  );
}

/** What goes wrong in one panel stays there, and is seen. */
class Boundary extends Component<{ title: string; children: ReactNode }, { problem: string }> {
  override state = { problem: "" };

  static getDerivedStateFromError(error: unknown) {
    return { problem: String(error) };
  }

  override render() {
    return this.state.problem === "" ? this.props.children : <p className="broken">{this.state.problem}</p>;
  }
}

interface Drawing extends Props {
  frames: DataFrame[];
  theme: GrafanaTheme2;
}

function Visualization(props: Drawing) {
  const { panel, frames } = props;
  const hasRows = frames.some((frame) => frame.length > 0);
  if (!hasRows && panel.type !== "stat") {
    return <p className="empty">{panel.fieldConfig.defaults.noValue}</p>;
  }
  switch (panel.type) {
    case "stat":
      return <Stat {...props} />;
    case "bargauge":
      return <Bars {...props} />;
    case "table":
      return <Table {...props} />;
    default:
      return <Series {...props} />;
  }
}

function displayed({ panel, frames, theme, variables, span }: Drawing, isStat: boolean): FieldDisplay[] {
  return getFieldDisplayValues({
    data: frames,
    reduceOptions: panel.options["reduceOptions"],
    fieldConfig: panel.fieldConfig,
    replaceVariables: replacing(variables, span),
    sparkline: isStat && panel.options["graphMode"] !== "none",
    percentChange: isStat && panel.options["showPercentChange"] === true,
    theme,
    timeZone: "utc",
  });
}

function Stat(props: Drawing) {
  const { panel, width, height, theme } = props;
  const { options } = panel;
  const values = () => displayed(props, true);
  if (values().every((one) => one.display.text === panel.fieldConfig.defaults.noValue)) {
    return <p className="empty">{panel.fieldConfig.defaults.noValue}</p>;
  }
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, count, alignmentFactors }) => (
        <BigValue
          value={value.display}
          count={count}
          {...(value.sparkline === undefined ? {} : { sparkline: value.sparkline })}
          colorMode={options["colorMode"]}
          graphMode={options["graphMode"]}
          justifyMode={options["justifyMode"]}
          textMode={options["textMode"]}
          percentChangeColorMode={options["percentChangeColorMode"]}
          alignmentFactors={alignmentFactors}
          width={width}
          height={height}
          theme={theme}
        />
      )}
      width={width}
      height={height}
      source={props.frames}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options["orientation"] as VizOrientation}
    />
  );
}

function Bars(props: Drawing) {
  const { panel, width, height, theme } = props;
  const { options } = panel;
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={() => displayed(props, false)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, orientation, alignmentFactors }) => (
        <BarGauge
          value={value.display}
          width={width}
          height={height}
          orientation={orientation}
          field={value.field}
          {...(value.view?.getFieldDisplayProcessor(value.colIndex ?? 0) === undefined ? {} : { display: value.view.getFieldDisplayProcessor(value.colIndex ?? 0) as never })}
          theme={theme}
          itemSpacing={8}
          displayMode={options["displayMode"]}
          valueDisplayMode={options["valueMode"]}
          namePlacement={options["namePlacement"]}
          alignmentFactors={alignmentFactors}
          showUnfilled={options["showUnfilled"]}
        />
      )}
      width={width}
      height={height}
      source={props.frames}
      renderCounter={0}
      orientation={VizOrientation.Horizontal}
      minVizWidth={options["minVizWidth"]}
      minVizHeight={options["minVizHeight"]}
      maxVizHeight={options["maxVizHeight"]}
    />
  );
}

function Table({ panel, frames, width, height, span }: Drawing) {
  const [first] = frames;
  return first === undefined ? null : (
    <TableNG
      data={first}
      width={width}
      height={height}
      timeRange={span}
      fieldConfig={panel.fieldConfig}
      cellHeight={panel.options["cellHeight"]}
      sortBy={panel.options["sortBy"] ?? []}
      noValue={panel.fieldConfig.defaults.noValue ?? ""}
      enableVirtualization
      structureRev={1}
    />
  );
}

function Series({ panel, frames, width, height, span }: Drawing) {
  // As Grafana's panel does, frame by frame: a line does not run across days without a value.
  const withGaps = useMemo(() => frames.map((frame) => applyNullInsertThreshold({ frame })), [frames]);
  return (
    <TimeSeries frames={withGaps} structureRev={1} width={width} height={height} timeRange={span} timeZone="utc" legend={panel.options["legend"]} options={panel.options}>
      {(config) => <TooltipPlugin2 config={config} hoverMode={1} render={() => null} />}
    </TimeSeries>
  );
}
