//! The reference in docs/METRICS.md: every metric of the registry with its name in Prometheus, its
//! labels, an example, and how many series there can be. What is around it is written by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bangui::telemetry::metrics::{Definition, Kind, definitions};

use super::registry::{Attribute, Metric, attributes, metrics};
use super::{files, keep, read};

const PAGE: &str = "docs/METRICS.md";
const BEGIN: &str = "<!-- begin: made of telemetry/ by `BANGUI_UPDATE_DOCS=1 cargo test --test \
                     generated`; edit there -->\n";
const END: &str = "<!-- end -->\n";

/// What the collector makes of two instruments: a count by status class, and copies under the
/// documented names. Each has no more points than its source.
const MADE_BY_THE_COLLECTOR: [(&str, bool); 3] = [
    ("http.server.request.duration", false),
    ("http.server.request.duration", true),
    ("http.server.active_requests", false),
];

/// The headings of the registry's files; another is called by its name.
fn heading(file: &str) -> String {
    match file {
        "metrics.yaml" => "Requests, fail2ban, database, log, tasks".into(),
        "metrics_browser.yaml" => "What the page measures".into(),
        "metrics_business.yaml" => "What the product does".into(),
        "metrics_process.yaml" => "The process and its runtime".into(),
        "metrics_tls.yaml" => "Certificates".into(),
        other => {
            let name = other.trim_start_matches("metrics_").trim_end_matches(".yaml");
            format!("More: {}", name.replace('_', " "))
        }
    }
}

fn definition(name: &str) -> Option<&'static Definition> {
    definitions().find(|definition| definition.name == name)
}

/// The name that the collector's exporter gives a metric, and its type there.
pub(super) fn in_prometheus(metric: &Metric) -> (String, &'static str) {
    let unit = match metric.unit.as_str() {
        "s" => "_seconds",
        "ms" => "_milliseconds",
        "By" => "_bytes",
        "1" if metric.instrument == "gauge" => "_ratio",
        _ => "",
    };
    let (total, kind) = match metric.instrument.as_str() {
        "counter" => ("_total", "counter"),
        "histogram" => ("", "histogram"),
        "gauge" | "updowncounter" => ("", "gauge"),
        other => panic!("{}: what is a {other} in Prometheus?", metric.name),
    };
    (format!("{}{unit}{total}", label(&metric.name)), kind)
}

fn label(attribute: &str) -> String {
    attribute.replace('.', "_")
}

/// How many series there can be of one instance.
#[derive(Default, Clone, Copy)]
struct Budget {
    /// The product of the labels' limits.
    product: u64,
    /// Points, after the limit of the instrument and with the series that takes the overflow.
    points: u64,
    /// Samples in an exposition: a histogram's point has one for each bucket, a sum and a count.
    samples: u64,
}

fn budget(metric: &Metric, attributes: &BTreeMap<String, Attribute>) -> Budget {
    let limit = |name: &String| {
        let limit = attributes.get(name).and_then(|attribute| attribute.values_max);
        limit.unwrap_or_else(|| panic!("{name} has no annotation values_max"))
    };
    let product: u64 = metric.attributes.iter().map(limit).product();
    let own = definition(&metric.name);
    let enforced = own.map_or(product, |own| own.series_max as u64);
    let points = if product > enforced { enforced + 1 } else { product };
    let each = match own.map(|own| own.kind) {
        // The last bucket has no upper bound.
        Some(Kind::Histogram(bounds)) => bounds.len() as u64 + 3,
        _ => 1,
    };
    Budget { product, points, samples: points * each }
}

fn table(file: &str, attributes: &BTreeMap<String, Attribute>, page: &mut String) {
    writeln!(page, "\n### {}", heading(file)).unwrap();
    writeln!(page, "| metric | in Prometheus | type | unit | labels | points | tells |").unwrap();
    writeln!(page, "|---|---|---|---|---|---|---|").unwrap();
    for metric in metrics(file) {
        let (name, kind) = in_prometheus(&metric);
        let labels: Vec<_> = metric.attributes.iter().map(|it| label(it)).collect();
        let labels = if labels.is_empty() { "–".into() } else { labels.join(", ") };
        let note = if metric.note.is_empty() { String::new() } else { format!(" {}", metric.note) };
        writeln!(
            page,
            "| `{}` | `{name}` | {kind} | {} | {labels} | {} | {}{note}<br>`{}` |",
            metric.name,
            metric.unit,
            budget(&metric, attributes).points,
            metric.brief,
            metric.example_query,
        )
        .unwrap();
    }
}

fn all_metrics() -> Vec<Metric> {
    files("telemetry", "metrics").iter().flat_map(|file| metrics(file)).collect()
}

fn labels(attributes: &BTreeMap<String, Attribute>, page: &mut String) {
    writeln!(page, "\n### Labels\n| label | values at most | is | for example |").unwrap();
    writeln!(page, "|---|---|---|---|").unwrap();
    let used: BTreeSet<_> =
        all_metrics().into_iter().flat_map(|metric| metric.attributes).collect();
    for name in used {
        let Attribute { brief, examples, values_max } = &attributes[&name];
        let values_max = values_max.unwrap_or_default();
        writeln!(page, "| {} | {values_max} | {brief} | {examples} |", label(&name)).unwrap();
    }
}

/// Thousands apart, so that they can be read.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn sums(attributes: &BTreeMap<String, Attribute>, page: &mut String) {
    let all = all_metrics();
    let of = |metric: &Metric| budget(metric, attributes);
    let made = MADE_BY_THE_COLLECTOR.map(|(source, is_count)| {
        let own = of(all.iter().find(|metric| metric.name == source).unwrap());
        Budget { samples: if is_count { own.points } else { own.samples }, ..own }
    });
    let total = |field: fn(Budget) -> u64| all.iter().map(|it| field(of(it))).sum::<u64>();
    let of_made = |field: fn(Budget) -> u64| made.iter().map(|it| field(*it)).sum::<u64>();
    let (points, samples) = (total(|it| it.points), total(|it| it.samples));
    let (more_points, more_samples) = (of_made(|it| it.points), of_made(|it| it.samples));
    let product = total(|it| it.product);
    let mut largest: Vec<_> = all.iter().map(|it| (of(it).samples, in_prometheus(it).0)).collect();
    largest.sort_unstable_by(|one, other| other.cmp(one));
    let largest: Vec<_> = largest.into_iter().take(5).collect();
    let largest = largest.iter().map(|(count, name)| format!("`{name}` {}", grouped(*count)));
    write!(
        page,
        "\n### Cardinality budget\n\
         For one instance, at the worst: if every label took every value that it may (being absent is one), the {} \
         metrics would have {} points. Each has a limit that the service enforces (the column \
         *points*), beyond which measurements fall into one overflow series: **{} points** leave \
         the process, which are {} series in Prometheus, since a histogram's point has one for \
         each bucket, a sum and a count. The documented copies that the collector makes add {} \
         points, {} series: **{} series in all**. The largest: {}.\n",
        all.len(),
        grouped(product),
        grouped(points),
        grouped(samples),
        grouped(more_points),
        grouped(more_samples),
        grouped(samples + more_samples),
        largest.collect::<Vec<_>>().join(", "),
    )
    .unwrap();
}

#[test]
fn the_reference_of_metrics_is_what_the_registry_says() {
    let attributes = attributes();
    let mut reference = String::from(BEGIN);
    for file in files("telemetry", "metrics") {
        table(&file, &attributes, &mut reference);
    }
    labels(&attributes, &mut reference);
    sums(&attributes, &mut reference);
    reference.push('\n');
    let page = read(PAGE);
    let (head, rest) = page.split_once(BEGIN).expect("the page has no begin of the reference");
    let (_, tail) = rest.split_once(END).expect("the page has no end of the reference");
    keep(PAGE, &format!("{head}{reference}{END}{tail}"));
}

#[test]
fn every_metric_has_an_example_that_is_about_it() {
    let all = all_metrics();
    assert!(all.len() > 40, "the search for metrics finds {}", all.len());
    for metric in all {
        let (name, _) = in_prometheus(&metric);
        assert!(metric.example_query.contains(&name), "example_query of {}", metric.name);
        // It stands in a table.
        assert!(!metric.example_query.contains(['|', '`']), "{}", metric.example_query);
    }
}
