//! What an instrument is: its name, unit and kind, the attributes that its points may carry, and
//! how many series it may have.
//!
//! Every instrument of the process is built from such a definition, and so is the SDK's view of
//! it: an attribute that is not listed is dropped, and series beyond the limit fall into one
//! overflow series. `telemetry/metrics*.yaml` says the same in words; tests/registry.rs holds the
//! two against each other.

use opentelemetry::Key;
use opentelemetry::metrics::{
    AsyncInstrument, Counter, Histogram, InstrumentBuilder, Meter, UpDownCounter,
};
use opentelemetry_sdk::metrics::{Aggregation, Stream};

/// Bounds of every duration, in seconds: from half a millisecond, because that is what a request
/// costs here, to the ten seconds at which it is given up.
const DURATION_BOUNDS_SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Bounds of every size, in bytes: from a short JSON answer to beyond the page's largest file, with
/// the 64 KiB at which a request is refused among them.
const SIZE_BOUNDS_BYTES: &[f64] =
    &[128.0, 512.0, 2048.0, 8192.0, 32_768.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

/// The kinds of instruments, by the names that the registry has for them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A sum that grows and shrinks.
    UpDownCounter,
    /// A value that is asked for, or absent.
    Gauge,
    /// A distribution, with the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The registry's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::UpDownCounter => "updowncounter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// One instrument.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The name, dotted.
    pub name: &'static str,
    /// The unit, by UCUM; what is counted stands in braces.
    pub unit: &'static str,
    /// What it tells.
    pub brief: &'static str,
    /// What kind of instrument it is.
    pub kind: Kind,
    /// All attributes that a point may have.
    pub attributes: &'static [&'static str],
    /// How many different points there may be.
    pub series_max: usize,
}

impl Definition {
    const fn new(name: &'static str, unit: &'static str, brief: &'static str, kind: Kind) -> Self {
        Self { name, unit, brief, kind, attributes: &[], series_max: 1 }
    }

    pub(super) const fn counter(
        name: &'static str,
        unit: &'static str,
        brief: &'static str,
    ) -> Self {
        Self::new(name, unit, brief, Kind::Counter)
    }

    pub(super) const fn up_down(
        name: &'static str,
        unit: &'static str,
        brief: &'static str,
    ) -> Self {
        Self::new(name, unit, brief, Kind::UpDownCounter)
    }

    pub(super) const fn gauge(name: &'static str, unit: &'static str, brief: &'static str) -> Self {
        Self::new(name, unit, brief, Kind::Gauge)
    }

    pub(super) const fn duration(name: &'static str, brief: &'static str) -> Self {
        Self::new(name, "s", brief, Kind::Histogram(DURATION_BOUNDS_SECONDS))
    }

    pub(super) const fn histogram(
        name: &'static str,
        unit: &'static str,
        brief: &'static str,
        bounds: &'static [f64],
    ) -> Self {
        Self::new(name, unit, brief, Kind::Histogram(bounds))
    }

    pub(super) const fn size(name: &'static str, brief: &'static str) -> Self {
        Self::new(name, "By", brief, Kind::Histogram(SIZE_BOUNDS_BYTES))
    }

    /// The attributes that a point may have, and how many different points there may be.
    pub(super) const fn with(self, attributes: &'static [&'static str], series_max: usize) -> Self {
        Self { attributes, series_max, ..self }
    }

    /// The SDK's view of the instrument.
    pub(super) fn view(&self) -> Option<Stream> {
        let keys = self.attributes.iter().map(|key| Key::from_static_str(key));
        let stream = Stream::builder()
            .with_cardinality_limit(self.series_max)
            .with_allowed_attribute_keys(keys);
        let stream = match self.kind {
            Kind::Histogram(bounds) => {
                stream.with_aggregation(Aggregation::ExplicitBucketHistogram {
                    boundaries: bounds.to_vec(),
                    record_min_max: false,
                })
            }
            _ => stream,
        };
        stream.build().ok()
    }

    pub(super) fn build_counter(&self, meter: &Meter) -> Counter<u64> {
        self.described(meter.u64_counter(self.name)).build()
    }

    /// A counter whose series exists from the start, so that an alert on its increase sees the
    /// first one.
    pub(super) fn build_counter_from_zero(&self, meter: &Meter) -> Counter<u64> {
        let counter = self.build_counter(meter);
        counter.add(0, &[]);
        counter
    }

    pub(super) fn build_up_down(&self, meter: &Meter) -> UpDownCounter<i64> {
        self.described(meter.i64_up_down_counter(self.name)).build()
    }

    pub(super) fn build_histogram(&self, meter: &Meter) -> Histogram<f64> {
        let builder = meter.f64_histogram(self.name);
        builder.with_unit(self.unit).with_description(self.brief).build()
    }

    pub(super) fn build_size(&self, meter: &Meter) -> Histogram<u64> {
        let builder = meter.u64_histogram(self.name);
        builder.with_unit(self.unit).with_description(self.brief).build()
    }

    fn described<'a, T>(&self, builder: InstrumentBuilder<'a, T>) -> InstrumentBuilder<'a, T> {
        builder.with_unit(self.unit).with_description(self.brief)
    }

    /// Has a counter or a gauge tell whole numbers whenever it is asked. The SDK keeps the callback
    /// for as long as the provider lives.
    pub(super) fn observe(
        &self,
        meter: &Meter,
        tell: impl Fn(&dyn AsyncInstrument<u64>) + Send + Sync + 'static,
    ) {
        if self.kind == Kind::Counter {
            let builder = meter.u64_observable_counter(self.name).with_callback(tell);
            builder.with_unit(self.unit).with_description(self.brief).build();
        } else {
            let builder = meter.u64_observable_gauge(self.name).with_callback(tell);
            builder.with_unit(self.unit).with_description(self.brief).build();
        }
    }

    /// The same with fractions of a second.
    pub(super) fn observe_seconds(
        &self,
        meter: &Meter,
        tell: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
    ) {
        if self.kind == Kind::Counter {
            let builder = meter.f64_observable_counter(self.name).with_callback(tell);
            builder.with_unit(self.unit).with_description(self.brief).build();
        } else {
            let builder = meter.f64_observable_gauge(self.name).with_callback(tell);
            builder.with_unit(self.unit).with_description(self.brief).build();
        }
    }

    /// The same for a sum that grows and shrinks.
    pub(super) fn observe_sum(
        &self,
        meter: &Meter,
        tell: impl Fn(&dyn AsyncInstrument<i64>) + Send + Sync + 'static,
    ) {
        let builder = meter.i64_observable_up_down_counter(self.name).with_callback(tell);
        builder.with_unit(self.unit).with_description(self.brief).build();
    }
}
