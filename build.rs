//! Makes sure that the folder of the built page exists, so that the binary builds without Node.
//!
//! A binary built then has no page; `make build` builds the page first.

use std::path::Path;

fn main() {
    let page = Path::new("ui/dist");
    println!("cargo::rerun-if-changed=ui/dist");
    println!("cargo::rerun-if-changed=migrations");
    if !page.join("index.html").exists() {
        println!("cargo::warning=ui/dist holds no page; run `make ui` to build it");
        // Without the folder the embedding itself fails, with a message that helps nobody.
        let _ = std::fs::create_dir_all(page);
    }
}
