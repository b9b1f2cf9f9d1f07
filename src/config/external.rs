//! What the collector sends on, and to whom: the settings that it shares with the service.
//!
//! The service itself needs few of them. It checks them all, because `bangui config` and the start
//! of the service are where an operator looks for what is wrong.

use super::export::Switches;
use super::providers::{PROVIDERS, Provider, Setting};
use super::{Environment, collector};

const PROVIDER: &str = "BANGUI_EXTERNAL_LOGGING_PROVIDER";
const DEFAULT_PROVIDER: &str = "otlp";
const DELIVERY: &str = "BANGUI_EXTERNAL_LOGGING_DELIVERY";
const METRICS_PROVIDER: &str = "BANGUI_METRICS_PROVIDER";

/// How hard the collector tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// A queue on disk and no end of attempts.
    Durable,
    /// A queue in memory and a few attempts.
    Bounded,
}

/// Who gets metrics beside Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricsProvider {
    Prometheus,
    Datadog,
    NewRelic,
}

/// External logging and the providers of metrics.
#[derive(Debug, Clone)]
pub struct External {
    /// Whether logs leave for a provider.
    pub is_enabled: bool,
    /// Whether metrics leave the service.
    pub metrics_enabled: bool,
    pub(super) providers: Vec<&'static Provider>,
    pub(super) delivery: Delivery,
    metrics_provider: MetricsProvider,
    /// The collector's and the providers' settings by name, with defaults and without secrets, for
    /// people to read.
    pub(super) values: Vec<(String, Shown)>,
}

/// The value of a setting as people may see it.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    Plain(String),
    Masked,
}

impl External {
    pub(super) fn read(env: &mut Environment, switches: Switches) -> Self {
        let choices = [("durable", Delivery::Durable), ("bounded", Delivery::Bounded)];
        let metrics = [
            ("prometheus", MetricsProvider::Prometheus),
            ("datadog", MetricsProvider::Datadog),
            ("newrelic", MetricsProvider::NewRelic),
        ];
        let mut external = Self {
            is_enabled: switches.external_logging,
            metrics_enabled: switches.metrics,
            providers: providers(env),
            delivery: env.choice(DELIVERY, Delivery::Durable, &choices),
            metrics_provider: env.choice(METRICS_PROVIDER, MetricsProvider::Prometheus, &metrics),
            values: collector::read(env),
        };
        for provider in &PROVIDERS {
            let is_used = external.is_used(provider);
            for setting in provider.settings() {
                let shown = read(env, provider, setting, is_used);
                let name = provider.name(setting);
                external.values.extend(shown.map(|shown| (name, shown)));
            }
            check_pairs(env, provider, is_used);
        }
        external
    }

    /// The provider of metrics beside Prometheus, if metrics leave at all.
    pub(super) fn metrics_provider(&self) -> Option<&'static Provider> {
        let word = match self.metrics_provider {
            MetricsProvider::Prometheus => return None,
            MetricsProvider::Datadog => "datadog",
            MetricsProvider::NewRelic => "newrelic",
        };
        Provider::of(word).filter(|_| self.metrics_enabled)
    }

    /// The providers of logs, if any leave.
    pub(super) fn log_providers(&self) -> &[&'static Provider] {
        if self.is_enabled { &self.providers } else { &[] }
    }

    fn is_used(&self, provider: &Provider) -> bool {
        let mut used = self.log_providers().iter().copied().chain(self.metrics_provider());
        used.any(|other| other.word == provider.word)
    }

    /// The value of a provider's setting, unless it is a secret.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        match self.values.iter().find(|(own, _)| own == name) {
            Some((_, Shown::Plain(value))) => Some(value.clone()),
            _ => None,
        }
    }

    /// Variables by which telemetry travels in the clear.
    pub fn unencrypted(&self) -> impl Iterator<Item = String> {
        let used = PROVIDERS.iter().filter(|provider| self.is_used(provider));
        used.filter_map(|provider| provider.unencrypted(|name| self.value(name)))
    }
}

/// The chosen providers. Nobody chose the default one, so it need not know where to send to: what
/// the collector gets may stay there.
fn providers(env: &mut Environment) -> Vec<&'static Provider> {
    let Some(list) = env.text(PROVIDER) else {
        let is_used = env.any(&["BANGUI_OTLP_ENDPOINT"]);
        return Provider::of(DEFAULT_PROVIDER).filter(|_| is_used).into_iter().collect();
    };
    let mut chosen: Vec<&'static Provider> = Vec::new();
    for word in list.split(',') {
        match Provider::of(word) {
            Some(provider) if chosen.iter().any(|other| other.word == provider.word) => {
                env.problem(PROVIDER, format!("names {word} twice"));
            }
            Some(provider) => chosen.push(provider),
            None => {
                let words: Vec<_> = PROVIDERS.iter().map(|provider| provider.word).collect();
                let words = words.join(", ");
                let reason = format!("{word:?} is none of {words} (separate them by commas alone)");
                env.problem(PROVIDER, reason);
            }
        }
    }
    chosen
}

/// Reads and checks one setting.
fn read(
    env: &mut Environment,
    provider: &Provider,
    setting: &Setting,
    is_used: bool,
) -> Option<Shown> {
    if setting.is_foreign() && !is_used {
        return None;
    }
    let sources = provider.sources(setting);
    if !env.any(&sources) {
        if setting.is_required && is_used {
            env.problem(&sources[0], format!("is required by the provider {}", provider.word));
        }
        let is_shown = is_used && !setting.default.is_empty();
        return is_shown.then(|| Shown::Plain(setting.default.to_owned()));
    }
    let (name, result, shown) = if setting.is_secret {
        let (name, secret) = env.secret_of(&sources)?;
        (name, (setting.form)(secret.expose()), Shown::Masked)
    } else {
        let name = provider.name(setting);
        let text = env.text(&name)?;
        (name, (setting.form)(&text), Shown::Plain(text))
    };
    result.map_err(|reason| env.problem(&name, reason)).ok().map(|()| shown)
}

fn check_pairs(env: &mut Environment, provider: &Provider, is_used: bool) {
    for pair in provider.together() {
        let is_foreign = pair[0][0].starts_with("AWS_");
        let missing = match pair.each_ref().map(|sources| env.any(sources)) {
            _ if is_foreign && !is_used => continue,
            [true, false] => 1,
            [false, true] => 0,
            _ => continue,
        };
        let reason = format!("is needed beside {}; set both or neither", pair[1 - missing][0]);
        env.problem(&pair[missing][0], reason);
    }
    let is_conflict = |pair: &[Vec<String>; 2]| pair.iter().all(|sources| env.any(sources));
    let conflict = provider.exclusive().find(is_conflict);
    if let Some([one, other]) = conflict {
        env.problem(&one[0], format!("is set together with {}; set one", other[0]));
    }
}
