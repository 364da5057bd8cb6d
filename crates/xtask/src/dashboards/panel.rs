//! Panels: one figure or a few, with everything that lets a reader understand them, in Grafana's v1 JSON.

use serde_json::{Value, json};

use super::query::{Query, datasource};

pub(super) const RED: &str = "semi-dark-red";
pub(super) const ORANGE: &str = "semi-dark-orange";
pub(super) const GREEN: &str = "semi-dark-green";
pub(super) const BLUE: &str = "semi-dark-blue";
pub(super) const PURPLE: &str = "semi-dark-purple";
pub(super) const GREY: &str = "#8e8e8e";

/// Told apart on dark and on light.
const HUES: [&str; 11] = [
    "blue",
    "orange",
    "green",
    "purple",
    "yellow",
    "red",
    "super-light-blue",
    "super-light-orange",
    "super-light-green",
    "super-light-purple",
    "super-light-yellow",
];
const TWO_DAYS_MS: u32 = 172_800_000;

/// A panel before it has its place.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    kind: &'static str,
    title: String,
    description: String,
    pub(super) width: u32,
    pub(super) height: u32,
    queries: Vec<Query>,
    defaults: Value,
    overrides: Vec<Value>,
    options: Value,
    transformations: Vec<Value>,
    time_from: Option<&'static str>,
}

fn fixed(color: &str) -> Value {
    json!({"mode": "fixed", "fixedColor": color})
}

fn panel(kind: &'static str, title: &str, description: &str, size: (u32, u32), queries: Vec<Query>) -> Panel {
    Panel {
        kind,
        title: title.to_owned(),
        description: description.to_owned(),
        width: size.0,
        height: size.1,
        queries,
        defaults: json!({
            "unit": "locale", "mappings": [], "noValue": "Nothing in this time range",
            "color": fixed(BLUE),
            "thresholds": {"mode": "absolute", "steps": [{"color": "text", "value": null}]},
        }),
        overrides: Vec::new(),
        options: json!({}),
        transformations: Vec::new(),
        time_from: None,
    }
}

/// A tile with the newest value, its course, and its change over the time range. The change has the colour of the value: Grafana
/// paints a figure that did not change as one that became worse.
pub(super) fn tile(title: &str, description: &str, queries: Vec<Query>) -> Panel {
    let mut stat = panel("stat", title, description, (4, 5), queries);
    stat.options = json!({
        "reduceOptions": {"values": false, "calcs": ["lastNotNull"], "fields": ""},
        "orientation": "auto", "textMode": "auto", "wideLayout": true, "colorMode": "value", "graphMode": "area",
        "justifyMode": "auto", "showPercentChange": true, "percentChangeColorMode": "same_as_value",
    });
    stat
}

/// Several tiles out of one query, each column one; what a column is called is what it shows.
pub(super) fn tiles(title: &str, description: &str, query: Query) -> Panel {
    let mut stats = tile(title, description, vec![query]).size(24, 5);
    stats.options["textMode"] = "value_and_name".into();
    stats.options["graphMode"] = "none".into();
    stats.options["orientation"] = "vertical".into();
    stats
}

/// Lines over time.
pub(super) fn lines(title: &str, description: &str, queries: Vec<Query>) -> Panel {
    let mut lines = panel("timeseries", title, description, (12, 9), queries);
    // By name: the order of series from logs is any, and differs from chart to chart.
    lines.defaults["color"] = json!({"mode": "palette-classic-by-name"});
    lines.defaults["decimals"] = 0.into();
    lines.defaults["custom"] = custom("line", 8, "none");
    lines.options = json!({
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": false},
    });
    lines
}

/// Bars over time, one upon the other.
pub(super) fn bars(title: &str, description: &str, queries: Vec<Query>) -> Panel {
    let mut bars = lines(title, description, queries);
    bars.defaults["custom"] = custom("bars", 70, "normal");
    bars.options["legend"]["calcs"] = json!(["sum"]);
    bars
}

fn custom(style: &str, fill: u32, stacking: &str) -> Value {
    // A line ends where two days are missing; a bar would become as narrow as the gaps that are put in.
    let gap = if style == "bars" {
        Value::Bool(false)
    } else {
        json!(TWO_DAYS_MS)
    };
    json!({
        "drawStyle": style, "lineInterpolation": "linear", "lineWidth": if style == "bars" { 0 } else { 2 }, "fillOpacity": fill,
        "gradientMode": "none", "showPoints": "auto", "pointSize": 4, "spanNulls": false, "insertNulls": gap,
        "barAlignment": 1, "barWidthFactor": 0.7, "axisPlacement": "auto", "axisLabel": "", "axisColorMode": "text",
        "axisBorderShow": false, "axisGridShow": true, "axisCenteredZero": false, "axisSoftMin": 0, "axisSoftMax": 1,
        "scaleDistribution": {"type": "linear"}, "stacking": {"mode": stacking, "group": "A"},
        "hideFrom": {"legend": false, "tooltip": false, "viz": false}, "thresholdsStyle": {"mode": "off"},
    })
}

/// The newest value of each series, the largest ten of them, as bars.
pub(super) fn ranking(title: &str, description: &str, query: Query) -> Panel {
    let mut ranking = panel("bargauge", title, description, (12, 8), vec![query]);
    ranking.options = json!({
        "displayMode": "gradient", "orientation": "horizontal", "valueMode": "text", "namePlacement": "left",
        "reduceOptions": {"values": true, "calcs": ["lastNotNull"], "fields": "", "limit": 10},
        "showUnfilled": true, "sizing": "auto", "minVizHeight": 16, "minVizWidth": 8, "maxVizHeight": 28,
        "legend": {"calcs": [], "displayMode": "hidden", "placement": "right", "showLegend": false},
    });
    ranking.defaults["min"] = 0.into();
    ranking.transformations = vec![
        json!({"id": "reduce", "options": {"mode": "seriesToRows", "reducers": ["lastNotNull"]}}),
        json!({"id": "sortBy", "options": {"fields": {}, "sort": [{"field": "Last *", "desc": true}]}}),
        json!({"id": "limit", "options": {"limitField": 10}}),
    ];
    ranking
}

/// A table.
pub(super) fn table(title: &str, description: &str, query: Query) -> Panel {
    let mut table = panel("table", title, description, (24, 9), vec![query]);
    table.defaults["custom"] = json!({
        "align": "auto", "cellOptions": {"type": "auto"}, "inspect": false, "filterable": false, "minWidth": 80,
    });
    table.defaults["color"] = json!({"mode": "thresholds"});
    table.options = json!({"showHeader": true, "frameIndex": 0, "cellHeight": "sm"});
    // Where a query does not aggregate, Grafana asks for the names of group and stream as well.
    let table = table.matching("byRegexp", "/^__log/", &[("custom.hideFrom.viz", json!(true))]);
    // The text for no value is for a table without rows; a cell has a dash.
    table.matching("byRegexp", "/.*/", &[("noValue", json!("–"))])
}

/// What a dashboard is for: its question, and in a few lines what one has to know of the answer.
pub(super) fn introduction(question: &str, answer: &str) -> Panel {
    let mut text = panel("text", "", "", (24, 3), Vec::new());
    text.options = json!({
        "mode": "markdown", "content": format!("**{question}**\\\n{answer}"),
        "code": {"language": "plaintext", "showLineNumbers": false, "showMiniMap": false},
    });
    text
}

impl Panel {
    pub(super) fn size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    pub(super) fn unit(mut self, unit: &str) -> Self {
        self.defaults["unit"] = unit.into();
        // Hours and days are steps of an axis that want their decimals.
        if let Some(defaults) = self.defaults.as_object_mut().filter(|_| unit == "s") {
            defaults.remove("decimals");
        }
        self
    }

    pub(super) fn decimals(mut self, decimals: u32) -> Self {
        self.defaults["decimals"] = decimals.into();
        self
    }

    pub(super) fn percent(mut self) -> Self {
        self.defaults["min"] = 0.into();
        self.defaults["max"] = 100.into();
        self.unit("percent").decimals(0)
    }

    pub(super) fn no_value(mut self, text: &str) -> Self {
        self.defaults["noValue"] = text.into();
        self
    }

    /// Colours from values on, where somebody acts.
    pub(super) fn thresholds(mut self, from: &str, steps: &[(f64, &str)]) -> Self {
        let first = json!({"color": from, "value": null});
        let others = steps
            .iter()
            .map(|(value, color)| json!({"color": color, "value": value}));
        let steps: Vec<Value> = std::iter::once(first).chain(others).collect();
        self.defaults["thresholds"]["steps"] = steps.into();
        self.defaults["color"] = json!({"mode": "thresholds"});
        self
    }

    pub(super) fn color(mut self, color: &str) -> Self {
        self.defaults["color"] = fixed(color);
        self
    }

    /// How the values of a tile become one.
    pub(super) fn reduced_by(mut self, calc: &str) -> Self {
        self.options["reduceOptions"]["calcs"] = json!([calc]);
        self.without_change()
    }

    /// The columns that are tiles.
    pub(super) fn only(mut self, fields: &str) -> Self {
        self.options["reduceOptions"]["fields"] = fields.into();
        self
    }

    pub(super) fn without_change(mut self) -> Self {
        self.options["showPercentChange"] = false.into();
        self
    }

    /// A time range of its own, whatever the dashboard's.
    pub(super) fn always(mut self, from: &'static str) -> Self {
        self.time_from = Some(from);
        self
    }

    /// Many series: the legend has the height of the panel.
    pub(super) fn many(mut self) -> Self {
        self.options["legend"]["placement"] = "right".into();
        self
    }

    pub(super) fn legend(mut self, calcs: &[&str]) -> Self {
        self.options["legend"]["calcs"] = json!(calcs);
        self
    }

    pub(super) fn transformed(mut self, transformations: Vec<Value>) -> Self {
        self.transformations = transformations;
        self
    }

    /// The column that a table is sorted by at first, from the top down.
    pub(super) fn sorted_by(mut self, column: &str) -> Self {
        self.options["sortBy"] = json!([{"displayName": column, "desc": true}]);
        self
    }

    /// How a column or a series is shown, by its name.
    pub(super) fn field(self, name: &str, properties: &[(&str, Value)]) -> Self {
        self.matching("byName", name, properties)
    }

    /// The colour of the series whose names match.
    pub(super) fn series(self, pattern: &str, color: &str) -> Self {
        self.matching("byRegexp", &format!("/{pattern}/"), &[("color", fixed(color))])
    }

    /// A hue for each name that is known beforehand, the same on every chart; grey for what is together in `other`. Any other has
    /// the one that follows from its name.
    pub(super) fn hues(self, names: &[&str]) -> Self {
        let hues = names.iter().zip(HUES).chain([(&"other", GREY)]);
        hues.fold(self, |panel, (name, hue)| panel.field(name, &[("color", fixed(hue))]))
    }

    fn matching(mut self, matcher: &str, options: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<Value> = properties
            .iter()
            .map(|(id, value)| json!({"id": id, "value": value}))
            .collect();
        self.overrides
            .push(json!({"matcher": {"id": matcher, "options": options}, "properties": properties}));
        self
    }

    pub(super) fn json(&self, id: u32, x: u32, y: u32) -> Value {
        let mut json = json!({
            "id": id, "type": self.kind, "title": self.title,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "options": self.options,
            "fieldConfig": {"defaults": self.defaults, "overrides": self.overrides},
        });
        if self.kind == "text" {
            json["transparent"] = true.into();
            json["fieldConfig"] = json!({"defaults": {}, "overrides": []});
            return json;
        }
        json["description"] = self.description.as_str().into();
        json["datasource"] = datasource();
        let targets: Vec<Value> = self
            .queries
            .iter()
            .enumerate()
            .map(|(place, query)| query.json(place))
            .collect();
        json["targets"] = targets.into();
        json["transformations"] = json!(self.transformations);
        if let Some(from) = self.time_from {
            json["timeFrom"] = from.into();
            json["hideTimeOverride"] = true.into();
        }
        json
    }
}
