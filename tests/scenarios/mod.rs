//! Scenarios, by what they are about.

mod approvals;
mod browser;
mod core;
mod demo;
mod hostile;
mod kill;
mod live;
mod mentions;
mod notify_core;
mod outages;
mod owed;
mod program;
mod reading;
mod real_mattermost;
mod requests_core;
mod restart;
mod rights;
mod secrets;
mod settings;
mod setup;
mod steps;
mod store;
mod together;
mod wire;
mod words;
mod writes;
