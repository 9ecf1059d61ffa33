//! The one test binary.

#![allow(clippy::unwrap_used, clippy::panic, clippy::pedantic)]

mod harness;
mod scenarios;
