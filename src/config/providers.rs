//! The providers that the collector sends on to, as a table: what each can be told, in which form,
//! and what it cannot do without.

use super::forms::{self, Form, PlainUrl};

/// One setting of a provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// What follows the provider's prefix, or a name of AWS as a whole.
    name: &'static str,
    /// Another name for the same.
    alias: Option<&'static str>,
    pub(super) form: Form,
    /// Empty for none.
    pub(super) default: &'static str,
    pub(super) is_required: bool,
    /// Whether it is masked, and may stand in a file instead.
    pub(super) is_secret: bool,
}

const fn optional(name: &'static str, default: &'static str, form: Form) -> Setting {
    Setting { name, alias: None, form, default, is_required: false, is_secret: false }
}

const fn required(name: &'static str, form: Form) -> Setting {
    Setting { is_required: true, ..optional(name, "", form) }
}

const fn secret(setting: Setting) -> Setting {
    Setting { is_secret: true, ..setting }
}

/// What every provider can be told about TLS.
const TLS: [Setting; 3] = [
    optional("CA_FILE", "", forms::pem_file),
    optional("CLIENT_CERT_FILE", "", forms::pem_file),
    optional("CLIENT_KEY_FILE", "", forms::pem_file),
];
const TLS_TOGETHER: (&str, &str) = ("CLIENT_CERT_FILE", "CLIENT_KEY_FILE");

/// A destination of the collector.
#[derive(Debug)]
pub(super) struct Provider {
    /// The word that chooses it.
    pub(super) word: &'static str,
    prefix: &'static str,
    settings: &'static [Setting],
    /// Pairs of which both are set or neither.
    together: &'static [(&'static str, &'static str)],
    /// Pairs of which one at most is set.
    exclusive: &'static [(&'static str, &'static str)],
    /// What tells where it is: the first that has a value, with the port if there is one.
    place: &'static [&'static str],
}

/// All providers, in the order of the documentation.
pub(super) static PROVIDERS: [Provider; 7] =
    [DATADOG, PAPERTRAIL, ELASTICSEARCH, NEWRELIC, SPLUNK, CLOUDWATCH, OTLP];

const DATADOG: Provider = Provider {
    word: "datadog",
    prefix: "BANGUI_DATADOG_",
    settings: &[
        secret(required("API_KEY", forms::secret)),
        optional("SITE", "datadoghq.com", forms::site),
        optional("BATCH_SIZE", "10", forms::number::<1000>),
        optional("FLUSH_INTERVAL_SECONDS", "5", forms::number::<300>),
        optional("ENDPOINT", "", forms::private_url),
    ],
    together: &[],
    exclusive: &[],
    place: &["ENDPOINT", "SITE"],
};

const PAPERTRAIL: Provider = Provider {
    word: "papertrail",
    prefix: "BANGUI_PAPERTRAIL_",
    settings: &[
        required("HOST", forms::host),
        required("PORT", forms::number::<65535>),
        optional("PROGRAM_NAME", "bangui", forms::program_name),
        optional("TLS", "true", forms::boolean),
    ],
    together: &[],
    exclusive: &[],
    place: &["HOST"],
};

const ELASTICSEARCH: Provider = Provider {
    word: "elasticsearch",
    prefix: "BANGUI_ELASTICSEARCH_",
    settings: &[
        required("HOSTS", forms::urls),
        optional("INDEX_PREFIX", "bangui", forms::index_prefix),
        optional("BATCH_SIZE", "10", forms::number::<1000>),
        optional("FLUSH_INTERVAL_SECONDS", "5", forms::number::<300>),
        secret(optional("API_KEY", "", forms::secret)),
        optional("USER", "", forms::user),
        secret(optional("PASSWORD", "", forms::secret)),
    ],
    together: &[("USER", "PASSWORD")],
    exclusive: &[("API_KEY", "USER"), ("API_KEY", "PASSWORD")],
    place: &["HOSTS"],
};

const NEWRELIC: Provider = Provider {
    word: "newrelic",
    prefix: "BANGUI_NEWRELIC_",
    settings: &[
        secret(required("API_KEY", forms::secret)),
        optional("ACCOUNT_ID", "", forms::digits),
        optional("ENDPOINT", "https://otlp.nr-data.net:4318", forms::private_url),
    ],
    together: &[],
    exclusive: &[],
    place: &["ENDPOINT"],
};

const SPLUNK: Provider = Provider {
    word: "splunk",
    prefix: "BANGUI_SPLUNK_",
    settings: &[
        required("HEC_URL", forms::private_url),
        // Splunk's own documents call it the HEC token, so both names are guessed.
        Setting { alias: Some("HEC_TOKEN"), ..secret(required("TOKEN", forms::secret)) },
        optional("INDEX", "", forms::splunk_index),
    ],
    together: &[],
    exclusive: &[],
    place: &["HEC_URL"],
};

const CLOUDWATCH: Provider = Provider {
    word: "cloudwatch",
    prefix: "BANGUI_CLOUDWATCH_",
    settings: &[
        required("LOG_GROUP", forms::log_group),
        required("LOG_STREAM", forms::log_stream),
        required("AWS_REGION", forms::aws_region),
        secret(optional("AWS_ACCESS_KEY_ID", "", forms::secret)),
        secret(optional("AWS_SECRET_ACCESS_KEY", "", forms::secret)),
        optional("ENDPOINT", "", forms::private_url),
    ],
    // Without them the collector looks where AWS's own tools look.
    together: &[("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")],
    exclusive: &[],
    place: &["ENDPOINT", "AWS_REGION"],
};

const OTLP: Provider = Provider {
    word: "otlp",
    prefix: "BANGUI_OTLP_",
    settings: &[required("ENDPOINT", forms::url), secret(optional("HEADERS", "", forms::headers))],
    together: &[],
    exclusive: &[],
    place: &["ENDPOINT"],
};

impl Setting {
    /// Whether the name is another product's, whose other users may have set it.
    pub(super) fn is_foreign(&self) -> bool {
        self.name.starts_with("AWS_")
    }
}

impl Provider {
    pub(super) fn of(word: &str) -> Option<&'static Self> {
        PROVIDERS.iter().find(|provider| provider.word == word)
    }

    pub(super) fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter().chain(&TLS)
    }

    /// The whole name of a variable.
    fn variable(&self, name: &str) -> String {
        match name.starts_with("AWS_") {
            true => name.to_owned(),
            false => format!("{}{name}", self.prefix),
        }
    }

    pub(super) fn name(&self, setting: &Setting) -> String {
        self.variable(setting.name)
    }

    /// All variables that can hold a setting's value, the documented one first.
    pub(super) fn sources(&self, setting: &Setting) -> Vec<String> {
        let names = [Some(setting.name), setting.alias].into_iter().flatten();
        let names = names.map(|name| self.variable(name));
        match setting.is_secret {
            true => names.flat_map(|name| [name.clone(), format!("{name}_FILE")]).collect(),
            false => names.collect(),
        }
    }

    fn sources_of(&self, name: &str) -> Vec<String> {
        let found = self.settings().find(|setting| setting.name == name);
        found.map(|setting| self.sources(setting)).unwrap_or_default()
    }

    /// Pairs of settings, by their variables, of which both are set or neither.
    pub(super) fn together(&self) -> impl Iterator<Item = [Vec<String>; 2]> {
        let pairs = self.together.iter().chain([&TLS_TOGETHER]);
        pairs.map(|(one, other)| [self.sources_of(one), self.sources_of(other)])
    }

    /// Pairs of settings, by their variables, of which one at most is set.
    pub(super) fn exclusive(&self) -> impl Iterator<Item = [Vec<String>; 2]> {
        self.exclusive.iter().map(|(one, other)| [self.sources_of(one), self.sources_of(other)])
    }

    /// Where it is, for people: hosts with their ports.
    pub(super) fn place(&self, value: impl Fn(&str) -> Option<String>) -> String {
        let value = |name: &&str| value(&self.variable(name));
        let found = self.place.iter().find_map(value).unwrap_or_default();
        let host = |item: &str| match PlainUrl::parse(item) {
            Some(url) => url.authority.to_owned(),
            None => item.to_owned(),
        };
        let hosts: Vec<_> = found.split(',').map(host).collect();
        let port = value(&"PORT").map(|port| format!(":{port}")).unwrap_or_default();
        hosts.join(", ") + &port
    }

    /// The variable that lets others read what is sent, if one does.
    pub(super) fn unencrypted(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        let is_plain = |text: &str| PlainUrl::parse(text).is_some_and(|url| !url.is_private());
        let lets_read = |name: &str, text: String| match name {
            "TLS" => ["false", "0"].contains(&text.as_str()),
            _ => text.split(',').any(is_plain),
        };
        let mut names = self.settings().map(|setting| setting.name);
        let name =
            names.find(|name| value(&self.variable(name)).is_some_and(|it| lets_read(name, it)));
        name.map(|name| self.variable(name))
    }
}
