//! Generates the gRPC code from `proto/`, and makes sure that the folder of the built page exists,
//! so that the binary builds without Node.
//!
//! A binary built then has no page; `make build` builds the page first.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// The folder of the contract, below the root of imports.
const CONTRACT: &str = "proto/bangui/v1";

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
    let mut files = Vec::new();
    for entry in std::fs::read_dir(CONTRACT)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    // A folder has no order; what is generated must always be the same.
    files.sort();
    // protox names the place of an error in the .proto file, and its descriptors keep comments.
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("bangui.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
