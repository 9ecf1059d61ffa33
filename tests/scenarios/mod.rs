//! Scenarios, by what they are about.

mod browser;
mod core;
mod demo;
mod hostile;
mod mentions;
mod outages;
mod program;
mod reading;
mod restart;
mod rights;
mod settings;
mod setup;
mod steps;
mod store;
mod together;
mod wire;
mod words;
