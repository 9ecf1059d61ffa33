//! A ChatOps bot that sets up a Sekoia workspace from the team's own channel.
//!
//! # The way data flows
//!
//! ```text
//! HTTP in -> platform adapter (limit, verify, parse) -> platform::Inbound -> command (words)
//!    -> bot: load the state, may this person?, decide(state, command, now)
//!       -> events -> store::commit -> apply
//!    -> view::View -> platform adapter (render) -> chat
//!    -> due work in the store (owed messages, recorded requests, approved calls) -> bot::Worker
//! ```
//!
//! # The house
//!
//! | Room | What lives there |
//! | --- | --- |
//! | [`cli`] | one file a subcommand |
//! | [`config`] | environment and TOML, every fault reported at once |
//! | [`app`] | the composition root: everything is built and stopped here |
//! | [`server`], [`health`] | every route, limits, counters; how the outside is doing |
//! | [`hooks`] | what Sekoia's own rules post |
//! | [`platform`] | what a chat platform is: `slack`, `mattermost`, and `web`, the demo's page |
//! | [`view`], [`table`], [`text`] | neutral messages and forms; hostile words made harmless |
//! | [`command`] | the words: one table and its parser |
//! | [`bot`] | joins the others; one file a command family |
//! | [`access`] | who may do what |
//! | [`approval`] | one sensitive request: its rule, its state, `decide` and `apply`: pure |
//! | [`action`] | the sensitive operations, typed: validated, with their risks and calls: pure |
//! | [`notifications`] | the rules of every channel over the store, and what is kept beside them |
//! | [`notify`] | rules, occurrences, storms, digests, summaries and their chart: pure |
//! | [`checklist`] | the steps, the session's state, `decide` and `apply`: pure |
//! | [`sessions`], [`approvals`] | the sessions in memory and the requests, over the store |
//! | [`moved`] | channels whose id changed, and the one that everything of them is kept under |
//! | [`streams`] | a state that only its events change, loaded and committed with them |
//! | [`sekoia`] | the API's client, its types, regions and errors |
//! | [`resolve`] | names of hosts to addresses, each asked for once at a time |
//! | [`pace`] | "at most so many in any second", people first |
//! | [`store`] | state, history and due work in one transaction; the audit chain |
//! | [`rehearsal`] | what only a debug build does, for the tests that kill it |
//! | [`sandbox`] | an embedded Sekoia to try and to test against |
//!
//! Imports go down this list, never up, except that a platform's routes hand over to the bot. The
//! pure rooms (`checklist`, `approval`, `action`, `notify`, `command`, `view`) take the time as an argument and do no I/O.

pub mod app;
pub mod bot;
pub mod chat;
pub mod cli;
pub mod command;
pub mod config;
pub mod domain;
pub mod pace;
pub mod platform;
pub mod rehearsal;
pub mod resolve;
pub mod sandbox;
pub mod sekoia;
pub mod server;
pub mod state;
pub mod store;
pub mod timing;
