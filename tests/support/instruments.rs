//! The instruments that `telemetry/` declares, for the tests that hold them against the source and
//! against what arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// An instrument in the registry's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Instrument {
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) brief: String,
    pub(crate) attributes: BTreeSet<String>,
}

/// Instruments by their names.
pub(crate) type Instruments = BTreeMap<String, Instrument>;

/// The instruments that the registry declares. Its YAML is read line by line, as in
/// tests/registry.rs.
pub(crate) fn declared() -> Instruments {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("telemetry");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = files.filter(|it| it.file_name().to_string_lossy().starts_with("metrics"));
    let mut declared = Instruments::new();
    for file in files {
        add(&mut declared, &fs::read_to_string(file.path()).unwrap());
    }
    assert!(declared.len() > 30, "the search for instruments finds too little: {declared:?}");
    declared
}

fn add(declared: &mut Instruments, text: &str) {
    let (mut name, mut is_brief) = (String::new(), false);
    for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with('#')) {
        name = line.strip_prefix("metric_name: ").map_or(name, str::to_owned);
        if name.is_empty() {
            continue;
        }
        let own = declared.entry(name.clone()).or_default();
        let Some((key, value)) = line.split_once(": ").or(line.strip_suffix(':').zip(Some("")))
        else {
            // A brief that is too long for its line goes on below.
            if is_brief {
                own.brief.push_str(if own.brief.is_empty() { "" } else { " " });
                own.brief.push_str(line);
            }
            continue;
        };
        is_brief = key == "brief";
        let value = value.trim_matches('"');
        match key {
            "instrument" => value.clone_into(&mut own.kind),
            "unit" => value.clone_into(&mut own.unit),
            "brief" if value != ">-" => value.clone_into(&mut own.brief),
            "- ref" => _ = own.attributes.insert(value.to_owned()),
            _ => {}
        }
    }
}

/// How two sets of instruments differ, one difference a line.
pub(crate) fn differences(
    (own, here): (&Instruments, &str),
    (others, there): (&Instruments, &str),
) -> Vec<String> {
    let names: BTreeSet<_> = own.keys().chain(others.keys()).collect();
    let differs = |name: &&String| own.get(*name) != others.get(*name);
    let told = |name: &String| {
        format!("{name}\n    {here}: {:?}\n    {there}: {:?}", own.get(name), others.get(name))
    };
    names.into_iter().filter(differs).map(told).collect()
}
