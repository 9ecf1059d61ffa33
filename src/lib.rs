//! A ChatOps bot that sets up a Sekoia workspace from the team's own channel.
//!
//! # The way data flows
//!
//! ```text
//! HTTP in -> platform adapter (limit, verify, parse) -> chat::Inbound -> command (words)
//!    -> bot: load the state, may this person?, decide(state, command, now)
//!       -> events -> store::commit -> apply
//!    -> chat::view::View -> platform adapter (render) -> chat
//!    -> due work in the store (owed messages, recorded requests, approved calls) -> bot::Worker
//! ```
//!
//! # The house
//!
//! | Room | What lives there |
//! | --- | --- |
//! | [`cli`] | one file a subcommand |
//! | [`app`] | the composition root: everything is built and stopped here |
//! | [`server`] | every route, connections and their bounds; how the outside is doing |
//! | [`platform`] | the adapters: `slack`, `mattermost`, `web` (the demo's page), what Sekoia's own rules post; how bodies come in |
//! | [`bot`] | joins the others; a room each for the checklist's commands (`steps`), requests (`approvals`), notifications (`rules`), what is owed to the chat (`delivery`), events at Sekoia (`watching`) and what waits for one person (`personal`) |
//! | [`config`] | environment and TOML, every fault reported at once |
//! | [`command`] | the words: one table and its parser |
//! | [`state`] | stored state in memory: sessions, requests, rules, and what is kept beside them, loaded and committed |
//! | [`domain`] | what is decided: who may do what, the checklist, requests, sensitive operations, notifications: pure |
//! | [`sekoia`] | the API's client, its types, regions, errors and live events |
//! | [`sandbox`] | an embedded Sekoia to try and to test against |
//! | [`store`] | state, history and due work in one transaction; the audit chain |
//! | [`chat`] | what a chat is, without any adapter: ids, what was said, neutral messages and forms, hostile words made harmless |
//! | [`telemetry`] | what an operator measures: counters and times for Prometheus, spans for a collector |
//! | [`resolve`] | names of hosts to addresses, each asked for once at a time; whose certificates are accepted there |
//! | [`pace`] | "at most so many in any second", people first; what is sent again, and after how long |
//! | [`timing`] | how long things take and how often they are done, with what the tests have instead; what only a debug build does, for the tests that kill it |
//!
//! Imports go down this list, never up; a test reads them all. `domain`, `command` and `chat::view` take the time as an
//! argument and do no I/O; in `domain` nothing is asynchronous either, which another test reads.

pub mod app;
pub mod bot;
pub mod chat;
pub mod cli;
pub mod command;
pub mod config;
pub mod domain;
pub mod pace;
pub mod platform;
pub mod resolve;
#[cfg(feature = "demo")]
pub mod sandbox;
pub mod sekoia;
pub mod server;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod timing;
