//! Who speaks: the OpenTelemetry resource of this process.
//!
//! A resource passes no processor, so it is sanitized here, and it never holds the command line:
//! arguments can be secrets.

use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;

use super::export::sanitize_attribute;

const SERVICE_NAME: &str = "service.name";
const INSTANCE_ID: &str = "service.instance.id";

/// The resource and its `service.instance.id`. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`
/// win over what is detected.
pub(super) fn detect(service_name: &'static str) -> (Resource, String) {
    let from_environment = Resource::builder().build();
    let mut attributes = vec![
        KeyValue::new(SERVICE_NAME, service_name),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new(INSTANCE_ID, random_id()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    attributes.extend(host_name().map(|name| KeyValue::new("host.name", name)));
    for (key, value) in from_environment.iter() {
        let is_placeholder =
            key.as_str() == SERVICE_NAME && value.as_str().starts_with("unknown_service");
        if !is_placeholder {
            attributes.retain(|attribute| attribute.key != *key);
            attributes.push(KeyValue::new(key.clone(), value.clone()));
        }
    }
    attributes.iter_mut().for_each(sanitize_attribute);
    let instance_id = attributes
        .iter()
        .find(|attribute| attribute.key.as_str() == INSTANCE_ID)
        .map(|attribute| attribute.value.as_str().into_owned())
        .unwrap_or_default();
    (Resource::builder_empty().with_attributes(attributes).build(), instance_id)
}

/// Who speaks when a page does: it is served by this process, but does not run in it.
pub(super) fn of_page(service: &Resource) -> Resource {
    let is_shared = |key: &str| ![SERVICE_NAME, "process.pid", "host.name"].contains(&key);
    let own = service.iter().filter(|(key, _)| is_shared(key.as_str()));
    let mut attributes: Vec<_> =
        own.map(|(key, it)| KeyValue::new(key.clone(), it.clone())).collect();
    let name = service.get(&Key::from_static_str(SERVICE_NAME)).map(|name| format!("{name}-page"));
    attributes.extend(name.map(|name| KeyValue::new(SERVICE_NAME, name)));
    Resource::builder_empty().with_attributes(attributes).build()
}

/// A random UUID (version 4, RFC 9562).
fn random_id() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
