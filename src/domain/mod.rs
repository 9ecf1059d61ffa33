//! What is decided, without deciding anything else: who may do what, the checklist, requests,
//! sensitive operations, notifications, the plan, when people are at work.
//!
//! Pure: no clock, no I/O, nothing asynchronous, no store, no platform. The time is an argument.

pub mod access;
pub mod action;
pub mod approval;
pub mod checklist;
pub mod notify;
pub mod plan;
pub mod working_time;
