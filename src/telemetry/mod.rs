//! What an operator measures: counters and times for Prometheus, and spans for a collector.
//!
//! Nothing in here knows what is measured. Labels have few values, none of them typed by a person: no
//! channel, no user, no community.

pub mod build;
pub mod metrics;
pub mod otlp;
mod process;
pub mod trace;

pub use metrics::{Figures, Metrics, Waiting};
pub use otlp::Otlp;
pub use trace::Trace;
