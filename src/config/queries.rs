//! How a record is found in each destination, by its uid.

use super::External;
use super::providers::Provider;

impl External {
    /// The providers of logs, each with a query in its own language. A uid is hexadecimal digits,
    /// so that it needs no quoting.
    pub fn queries(&self, uid: &str) -> Vec<(&'static str, String)> {
        let query = |provider: &&'static Provider| (provider.word, self.query(provider, uid));
        self.log_providers().iter().map(query).collect()
    }

    fn query(&self, provider: &Provider, uid: &str) -> String {
        let value = |name: &str| self.value(name).unwrap_or_default();
        match provider.word {
            "datadog" => format!("@uid:{uid}"),
            "papertrail" => format!("program:{} {uid}", value("BANGUI_PAPERTRAIL_PROGRAM_NAME")),
            "elasticsearch" => {
                let prefix = value("BANGUI_ELASTICSEARCH_INDEX_PREFIX");
                format!("GET {prefix}-*/_search?q=uid:{uid}")
            }
            "newrelic" => format!("SELECT * FROM Log WHERE uid = '{uid}'"),
            "splunk" => match value("BANGUI_SPLUNK_INDEX").as_str() {
                "" => format!("index=* source=bangui uid={uid}"),
                index => format!("index={index} source=bangui uid={uid}"),
            },
            "cloudwatch" => {
                let group = value("BANGUI_CLOUDWATCH_LOG_GROUP");
                format!("filter @message like '{uid}' (Logs Insights on {group})")
            }
            _ => format!("a log record whose attribute uid is {uid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::export::Switches;
    use crate::config::{Environment, External};

    #[test]
    fn each_provider_has_a_query_of_its_own() {
        let words = "datadog,papertrail,elasticsearch,newrelic,splunk,cloudwatch,otlp";
        let env = [
            ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
            ("BANGUI_EXTERNAL_LOGGING_PROVIDER", words),
            ("BANGUI_ELASTICSEARCH_INDEX_PREFIX", "audit"),
            ("BANGUI_CLOUDWATCH_LOG_GROUP", "/bangui"),
            ("BANGUI_SPLUNK_INDEX", "main"),
        ];
        let mut env = Environment::from_pairs(env);
        let switches = Switches::read(&mut env);
        let external = External::read(&mut env, switches);
        let queries = external.queries("00ff");
        let told: Vec<_> = queries.iter().map(|(word, _)| *word).collect();
        assert_eq!(told.join(","), words);
        assert!(queries.iter().all(|(_, query)| query.contains("00ff")), "{queries:?}");
        let texts: Vec<_> = queries.iter().map(|(_, query)| query.as_str()).collect();
        assert_eq!(texts[1], "program:bangui 00ff");
        assert_eq!(texts[2], "GET audit-*/_search?q=uid:00ff");
        assert_eq!(texts[4], "index=main source=bangui uid=00ff");
        assert_eq!(texts[5], "filter @message like '00ff' (Logs Insights on /bangui)");
    }
}
