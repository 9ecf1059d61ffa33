//! Sensitive requests: submitted, decided, carried out, read back, shown.

pub(super) mod approvers;
pub(super) mod bundle;
pub(super) mod card;
mod checklist_sync;
pub(super) mod controls;
mod decide;
mod escalation;
mod execute;
mod facts;
mod forms;
mod gate;
mod invitations;
pub(super) mod lines;
mod list;
mod manual;
mod named;
mod people;
pub(super) mod proof;
mod read_back;
pub(super) mod reminders;
mod requesters;
pub(super) mod resend;
pub(super) mod reveal;
pub(super) mod submit;
pub(super) mod waiting;
