//! The short form of a panel, and what Grafana wants of it.

use serde_json::{Value, json};

/// The data sources by their uids, which deploy/grafana/provisioning gives them.
pub(super) const PROMETHEUS: &str = "prometheus";
pub(super) const JAEGER: &str = "jaeger";

/// How a panel shows what it asks for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A heading over the panels that follow.
    Row,
    /// Lines over time.
    Lines,
    /// The last value as a number, coloured by thresholds.
    Number,
    /// What Jaeger finds, as a table.
    Search,
    /// One trace as a waterfall.
    Trace,
}

/// A panel.
pub(super) struct Panel {
    kind: Kind,
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    queries: Vec<(String, &'static str)>,
    thresholds: Vec<(f64, &'static str)>,
    links: Vec<Value>,
    max: Option<f64>,
    width: u64,
}

/// Panels of one height fill the 24 columns of Grafana from left to right.
const COLUMNS: u64 = 24;

/// A heading; each begins a new line.
pub(super) fn row(title: &'static str) -> Panel {
    Panel::new(Kind::Row, title, "", "", COLUMNS)
}

/// Lines over time, three panels in a line.
pub(super) fn lines(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Lines, title, description, unit, 8)
}

/// The last value, six in a line.
pub(super) fn number(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Number, title, description, unit, 4)
}

/// A table of traces: of an operation, or of those with a tag.
pub(super) fn search(title: &'static str, description: &'static str, query: Value) -> Panel {
    let panel = Panel::new(Kind::Search, title, description, "none", COLUMNS);
    Panel { links: vec![query], ..panel }
}

/// A trace by its id.
pub(super) fn trace(title: &'static str, description: &'static str, id: &str) -> Panel {
    let panel = Panel::new(Kind::Trace, title, description, "none", COLUMNS);
    Panel { links: vec![json!({ "query": id })], ..panel }
}

impl Panel {
    fn new(
        kind: Kind,
        title: &'static str,
        description: &'static str,
        unit: &'static str,
        width: u64,
    ) -> Self {
        let (queries, thresholds, links) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind, title, description, unit, queries, thresholds, links, max: None, width }
    }

    /// Asks Prometheus; the legend names each series by its labels.
    pub(super) fn ask(mut self, query: impl Into<String>, legend: &'static str) -> Self {
        self.queries.push((query.into(), legend));
        self
    }

    /// The colours from these values on; green below the first.
    pub(super) fn warn(mut self, orange: f64, red: f64) -> Self {
        self.thresholds = vec![(orange, "orange"), (red, "red")];
        self
    }

    /// Red below a value and green from there.
    pub(super) fn need(mut self, value: f64) -> Self {
        self.thresholds = vec![(value, "green")];
        self
    }

    /// The upper end of the axis.
    pub(super) fn up_to(self, max: f64) -> Self {
        Self { max: Some(max), ..self }
    }

    /// A link from a series to the traces of what it counts.
    pub(super) fn leading_to_traces(mut self, operation: &str) -> Self {
        let url = format!("/d/bangui-trace?var-operation={operation}&${{__url_time_range}}");
        self.links.push(json!({ "title": "Traces of this operation", "url": url }));
        self
    }

    fn height(&self) -> u64 {
        match self.kind {
            Kind::Row => 1,
            Kind::Number => 4,
            Kind::Lines | Kind::Search => 8,
            Kind::Trace => 14,
        }
    }

    fn steps(&self) -> Vec<Value> {
        let is_need = matches!(self.thresholds[..], [(_, "green")]);
        let base = json!({ "color": if is_need { "red" } else { "green" }, "value": null });
        let step = |(value, color): &(f64, &str)| json!({ "color": color, "value": value });
        std::iter::once(base).chain(self.thresholds.iter().map(step)).collect()
    }

    /// The parts that differ from kind to kind: type, options, targets.
    fn parts(&self) -> (&'static str, Value, Vec<Value>) {
        let of_jaeger = |own: &Value, kind: Option<&str>| {
            let mut target = own.clone();
            target["refId"] = "A".into();
            if let Some(kind) = kind {
                target["queryType"] = kind.into();
            }
            vec![target]
        };
        match self.kind {
            Kind::Row => ("row", Value::Null, Vec::new()),
            Kind::Lines => (
                "timeseries",
                json!({
                    "legend": { "displayMode": "list", "placement": "bottom" },
                    "tooltip": { "mode": "multi", "sort": "desc" },
                }),
                self.targets(),
            ),
            Kind::Number => (
                "stat",
                json!({
                    "colorMode": "background", "graphMode": "area",
                    "reduceOptions": { "calcs": ["lastNotNull"] },
                }),
                self.targets(),
            ),
            Kind::Search => ("table", json!({}), of_jaeger(&self.links[0], Some("search"))),
            Kind::Trace => ("traces", json!({}), of_jaeger(&self.links[0], None)),
        }
    }

    fn targets(&self) -> Vec<Value> {
        let names = ["A", "B", "C", "D", "E"];
        let target = |((query, legend), name): (&(String, &str), &str)| json!({ "refId": name, "expr": query, "legendFormat": legend });
        assert!(self.queries.len() <= names.len(), "{} asks for too much", self.title);
        self.queries.iter().zip(names).map(target).collect()
    }

    fn json(&self, id: u64, x: u64, y: u64) -> Value {
        let grid = json!({ "h": self.height(), "w": self.width, "x": x, "y": y });
        let (kind, options, targets) = self.parts();
        let (title, id) = (self.title, json!(id));
        if self.kind == Kind::Row {
            return json!({
                "id": id, "type": kind, "title": title, "gridPos": grid,
                "collapsed": false, "panels": [],
            });
        }
        let is_of_jaeger = matches!(self.kind, Kind::Search | Kind::Trace);
        let source = if is_of_jaeger { JAEGER } else { PROMETHEUS };
        let mut defaults = json!({ "unit": self.unit });
        let mut overrides = json!([]);
        if is_of_jaeger {
            // A click on an id shows that trace on this page; the id of a request is the
            // correlation id of its log lines.
            let url = "/d/bangui-trace?var-correlation_id=${__value.raw}&${__url_time_range}";
            let links = json!([{ "title": "Show this trace", "url": url }]);
            overrides = json!([{
                "matcher": { "id": "byName", "options": "Trace ID" },
                "properties": [{ "id": "links", "value": links }],
            }]);
        } else {
            defaults["thresholds"] = json!({ "mode": "absolute", "steps": self.steps() });
            defaults["links"] = json!(self.links);
            defaults["min"] = json!(0);
            if let Some(max) = self.max {
                defaults["max"] = json!(max);
            }
            if self.kind == Kind::Lines && !self.thresholds.is_empty() {
                defaults["custom"] = json!({ "thresholdsStyle": { "mode": "line" } });
            }
        }
        json!({
            "id": id, "type": kind, "title": title, "gridPos": grid,
            "description": self.description,
            "datasource": { "type": source, "uid": source },
            "fieldConfig": { "defaults": defaults, "overrides": overrides },
            "options": options,
            "targets": targets,
        })
    }
}

/// The panels with their ids and places.
pub(super) fn placed(panels: &[Panel]) -> Vec<Value> {
    let (mut x, mut y, mut line) = (0, 0, 0);
    let mut placed = Vec::new();
    for (panel, id) in panels.iter().zip(1..) {
        if x + panel.width > COLUMNS || (x > 0 && panel.height() != line) {
            (x, y) = (0, y + line);
        }
        line = panel.height();
        placed.push(panel.json(id, x, y));
        x += panel.width;
    }
    placed
}
