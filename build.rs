//! Generates the gRPC code from `proto/`, and makes sure that the folder of the built page exists,
//! so that the binary builds without Node.
//!
//! A binary built then has no page; `make build` builds the page first.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// The contract, in a fixed order so that what is generated is always the same.
const CONTRACT: [&str; 4] = [
    "bangui/v1/ban.proto",
    "bangui/v1/jail.proto",
    "bangui/v1/status.proto",
    "bangui/v1/watch.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let page = Path::new("ui/dist");
    println!("cargo::rerun-if-changed=ui/dist");
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=proto");
    if !page.join("index.html").exists() {
        println!("cargo::warning=ui/dist holds no page; run `make ui` to build it");
        // Without the folder the embedding itself fails, with a message that helps nobody.
        let _ = std::fs::create_dir_all(page);
    }
    generate()
}

/// The code of `src/proto`, and the descriptors from which reflection answers.
fn generate() -> Result<(), Box<dyn Error>> {
    // protox prints errors with the place in the .proto file, and its descriptors keep comments.
    let descriptors = protox::compile(CONTRACT, ["proto"])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("bangui.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
