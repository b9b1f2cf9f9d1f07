//! The lock: its keeper on a real store, and its promises in the simulation.

mod model;
mod process;
mod promises;
mod simulation;
mod store;
