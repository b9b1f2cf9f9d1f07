//! The views: what an instrument may tell is what its definition says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

use super::{Definition, Kind, definitions, view};

/// The attributes of each point, by the instrument; for a histogram, its bounds too.
type Told = BTreeMap<String, (Vec<Vec<KeyValue>>, Vec<f64>)>;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Told>>);

fn points<T: Copy>(data: &MetricData<T>) -> (Vec<Vec<KeyValue>>, Vec<f64>) {
    match data {
        MetricData::Sum(sum) => {
            (sum.data_points().map(|it| it.attributes().cloned().collect()).collect(), vec![])
        }
        MetricData::Histogram(histogram) => {
            let all = histogram.data_points().map(|it| it.attributes().cloned().collect());
            let bounds = histogram.data_points().flat_map(|it| it.bounds()).collect();
            (all.collect(), bounds)
        }
        _ => panic!("this test makes sums and histograms only"),
    }
}

impl PushMetricExporter for Kept {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let all = metrics.scope_metrics().flat_map(|scope| scope.metrics());
        let told = all.map(|metric| {
            let points = match metric.data() {
                AggregatedMetrics::F64(data) => points(data),
                AggregatedMetrics::U64(data) => points(data),
                AggregatedMetrics::I64(data) => points(data),
            };
            (metric.name().to_owned(), points)
        });
        self.0.lock().unwrap().extend(told);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// What is exported of what is recorded to instruments with our views.
fn told(record: impl FnOnce(&Meter)) -> Told {
    let kept = Kept::default();
    let reader = PeriodicReader::builder(kept.clone()).build();
    let provider = SdkMeterProvider::builder().with_view(view).with_reader(reader).build();
    record(&provider.meter("test"));
    provider.shutdown().unwrap();
    kept.0.lock().unwrap().clone()
}

fn named(name: &str) -> &'static Definition {
    definitions().find(|it| it.name == name).unwrap()
}

#[test]
fn what_is_not_listed_is_dropped() {
    let told = told(|meter| {
        let counter = named("bangui.fail2ban.connection.errors").build_counter(meter);
        counter.add(1, &[KeyValue::new("user.id", "somebody")]);
        let words = [KeyValue::new("error.type", "store"), KeyValue::new("user.id", "somebody")];
        named("bangui.auth.sign_ins").build_counter(meter).add(1, &words);
    });
    assert_eq!(told["bangui.fail2ban.connection.errors"].0, [vec![]; 1]);
    assert_eq!(told["bangui.auth.sign_ins"].0, [vec![KeyValue::new("error.type", "store")]]);
}

#[test]
fn series_beyond_the_limit_are_one() {
    let told = told(|meter| {
        let counter = named("bangui.audit.rows").build_counter(meter);
        for number in 0..1000_i64 {
            counter.add(1, &[KeyValue::new("bangui.result", number)]);
        }
    });
    let points = &told["bangui.audit.rows"].0;
    let is_overflow = |point: &&Vec<KeyValue>| point[0].key.as_str() == "otel.metric.overflow";
    assert_eq!(points.iter().filter(is_overflow).count(), 1);
    assert_eq!(points.len(), super::fact::SERIES_MAX + 1);
}

#[test]
fn a_histogram_has_the_bounds_of_its_definition() {
    let told = told(|meter| {
        named("bangui.task.duration").build_histogram(meter).record(1.0, &[]);
        named("http.server.request.body.size").build_size(meter).record(1, &[]);
    });
    for name in ["bangui.task.duration", "http.server.request.body.size"] {
        let Kind::Histogram(bounds) = named(name).kind else { panic!("{name}") };
        assert_eq!(told[name].1, bounds);
    }
}

#[test]
fn an_instrument_without_a_definition_tells_nothing() {
    let told = told(|meter| meter.u64_counter("test.undefined").build().add(1, &[]));
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn every_definition_makes_a_view() {
    for definition in definitions() {
        assert!(definition.view().is_some(), "{definition:?}");
    }
}
