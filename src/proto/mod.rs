//! The contract in `proto/`, as Rust: messages, and for each service a server and a client.
//!
//! `build.rs` generates all of it; what a field or a call means stands in the `.proto` files and,
//! from there, in the documentation of the items here.

/// The package `bangui.v1`.
pub mod v1 {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("bangui.v1");
}

/// The contract as a set of file descriptors, with comments, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("bangui");
