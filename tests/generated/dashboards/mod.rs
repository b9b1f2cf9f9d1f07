//! Grafana's dashboards in short: what each panel is called, asks for and means. The JSON in
//! deploy/grafana/dashboards is made of it, so that every panel looks the same and none lacks a
//! description or a unit.

mod bans;
mod frontend;
mod overview;
mod panel;
mod pipeline;
mod trace;

use serde_json::{Value, json};

use panel::{Panel, placed};

/// A dashboard; its uid is in links and bookmarks and stays as it is.
struct Dashboard {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    refresh: &'static str,
    variables: Vec<Value>,
    panels: Vec<Panel>,
}

impl Dashboard {
    fn json(&self) -> Value {
        // The links at the top, from each to all.
        let links = json!([{
            "type": "dashboards", "title": "BanGUI", "tags": ["bangui"], "keepTime": true,
            "asDropdown": false, "includeVars": false, "targetBlank": false, "icon": "", "url": "",
        }]);
        json!({
            "uid": self.uid, "title": self.title, "description": self.description,
            "tags": ["bangui"], "schemaVersion": 41, "version": 1, "editable": false,
            "graphTooltip": 1, "refresh": self.refresh, "timezone": "browser",
            "time": { "from": "now-1h", "to": "now" },
            "links": links,
            "templating": { "list": self.variables },
            "annotations": { "list": [] },
            "panels": placed(&self.panels),
        })
    }
}

/// A field into which something is typed.
fn text_box(name: &str, label: &str, description: &str, value: &str) -> Value {
    json!({
        "type": "textbox", "name": name, "label": label, "description": description,
        "query": value, "current": { "text": value, "value": value },
        "options": [{ "text": value, "value": value, "selected": true }],
    })
}

/// JSON that is short to read: what fits into a line, which has so much before it, is one.
fn written(value: &Value, indent: usize, before: usize) -> String {
    const WIDTH: usize = 100;
    let one_line = spaced(value);
    if before + one_line.chars().count() < WIDTH {
        return one_line;
    }
    let inner = indent + 2;
    let space = " ".repeat(inner);
    let (open, close, parts): (_, _, Vec<String>) = match value {
        Value::Array(all) => {
            let parts = all.iter().map(|it| format!("{space}{}", written(it, inner, inner)));
            ('[', ']', parts.collect())
        }
        Value::Object(all) => {
            let part = |(key, it): (&String, &Value)| {
                let key = format!("{space}\"{key}\": ");
                let value = written(it, inner, key.chars().count());
                key + &value
            };
            ('{', '}', all.iter().map(part).collect())
        }
        _ => return one_line,
    };
    format!(
        "{open}
{}
{}{close}",
        parts.join(
            ",
"
        ),
        " ".repeat(indent)
    )
}

/// A value on one line.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(all) => {
            format!("[{}]", all.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        Value::Object(all) => {
            let inner = all.iter().map(|(key, value)| format!("\"{key}\": {}", spaced(value)));
            format!("{{{}}}", inner.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[test]
fn dashboards_are_what_their_short_form_says() {
    let all = [
        ("overview", overview::dashboard()),
        ("bans", bans::dashboard()),
        ("frontend", frontend::dashboard()),
        ("pipeline", pipeline::dashboard()),
        ("trace", trace::dashboard()),
    ];
    for (file, dashboard) in &all {
        let text = format!("{}\n", written(&dashboard.json(), 0, 0));
        let path = format!("deploy/grafana/dashboards/{file}.json");
        super::keep(&path, &text);
    }
    let files = super::files("deploy/grafana/dashboards", "");
    assert_eq!(files.len(), all.len(), "a dashboard that nobody makes: {files:?}");
}
