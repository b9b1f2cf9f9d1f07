//! What the collector reads, and how much of it it sends on: settings that belong to no provider.
//!
//! The service needs none of them. It checks them for the same reason as the providers' own: here
//! is where an operator looks for what is wrong.

use super::Environment;
use super::external::Shown;
use super::forms::{self, Form};

/// One setting of the collector.
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// Empty for none.
    pub(super) default: &'static str,
    pub(super) form: Form,
}

const fn setting(name: &'static str, default: &'static str, form: Form) -> Setting {
    Setting { name, default, form }
}

/// All of them, in the order of the documentation.
pub(super) static SETTINGS: [Setting; 8] = [
    // A month is the most: by then nobody wants a refused record any more.
    setting("BANGUI_EXTERNAL_LOGGING_GIVE_UP_HOURS", "4", forms::number::<720>),
    setting("BANGUI_EXTERNAL_LOGGING_FIELDS", "", forms::field_names),
    setting("BANGUI_COLLECTOR_FILE_DAYS", "14", forms::number::<365>),
    setting("BANGUI_LOGS_KEPT_PERCENT", "100", forms::percent),
    setting("BANGUI_TRACES_KEPT_PERCENT", "100", forms::percent),
    setting("BANGUI_TRACES_SLOW_MS", "1000", forms::number::<3_600_000>),
    setting("BANGUI_FAIL2BAN_LOG", "", forms::plain_path),
    setting("BANGUI_HOST_METRICS_ENABLED", "false", forms::boolean),
];

/// Checks all settings; what is in force, by name.
pub(super) fn read(env: &mut Environment) -> Vec<(String, Shown)> {
    let mut values = Vec::new();
    for setting in &SETTINGS {
        let text = env.text(setting.name).unwrap_or_else(|| setting.default.to_owned());
        if text.is_empty() {
            continue;
        }
        match (setting.form)(&text) {
            Ok(()) => values.push((setting.name.to_owned(), Shown::Plain(text))),
            Err(reason) => env.problem(setting.name, reason),
        }
    }
    values
}
