//! What happens at Sekoia while somebody watches: by a test's call, or by one line of JSON that a
//! person sends. The world changes, and whoever listens is told.

mod alerts;
mod cases;
mod playbooks;
mod sources;

use serde::Deserialize;
use uuid::Uuid;

pub use alerts::{AlertChange, NewAlert};

use super::Sandbox;
use super::world::{AlertStatus, World};

/// How many alerts one storm may bring.
const STORM: usize = 20_000;

/// One thing that happens, as the control API takes it. Names or uuids say to what; without them
/// it is the first that fits.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Happening {
    /// An alert arrives.
    Alert {
        /// Where; the root without it.
        community: Option<String>,
        /// Which rule raised it.
        rule: Option<String>,
        /// From 0 to 100; 85 without it.
        urgency: Option<u8>,
    },
    /// An alert changes.
    AlertUpdated {
        /// Its uuid or short id; the newest without it.
        alert: Option<String>,
        /// From 0 to 100.
        urgency: Option<u8>,
        /// `Acknowledged` and so on.
        status: Option<String>,
    },
    /// An alert is gone.
    AlertDeleted {
        /// Its uuid or short id; the newest without it.
        alert: Option<String>,
    },
    /// Somebody writes about an alert.
    AlertCommented {
        /// Its uuid or short id; the newest without it.
        alert: Option<String>,
        /// What.
        content: String,
    },
    /// Many alerts of one rule arrive at once.
    Storm {
        /// How many.
        count: usize,
        /// Where; the root without it.
        community: Option<String>,
    },
    /// The newest alert becomes a case.
    Case {
        /// Its title.
        title: Option<String>,
    },
    /// Events stop coming.
    IntakeSilent {
        /// Which; the first that is not silent without it.
        intake: Option<String>,
        /// For how long already, in minutes; two hours without it.
        minutes: Option<u32>,
    },
    /// Events come again.
    IntakeBack {
        /// Which; the first that is silent without it.
        intake: Option<String>,
    },
    /// A playbook runs and fails.
    PlaybookFails {
        /// Which; the first that runs without it.
        playbook: Option<String>,
        /// How often; once without it.
        times: Option<usize>,
    },
    /// A playbook runs well; one that was off is on again.
    PlaybookWorks {
        /// Which; the first that is off without it.
        playbook: Option<String>,
    },
    /// The trigger of a playbook crashes.
    TriggerCrashes {
        /// Which; the first that runs without it.
        playbook: Option<String>,
    },
    /// A connector cannot pull any more; its intake falls silent.
    ConnectorFails {
        /// Which; the first that works without it.
        connector: Option<String>,
    },
    /// A connector pulls again.
    ConnectorWorks {
        /// Which; the first that fails without it.
        connector: Option<String>,
    },
}

impl Sandbox {
    /// Makes it happen, and says in one line what did.
    ///
    /// # Errors
    /// Nothing there fits.
    pub fn happen(&self, what: Happening) -> Result<String, String> {
        match what {
            Happening::Alert { community, rule, urgency } => {
                let community = self.edit(|world| community_of(world, community.as_deref()))?;
                let alert = self.raise_alert(&NewAlert { community: Some(community), rule, urgency });
                Ok(format!("The alert {} arrived: {}, urgency {}", alert.short_id, alert.title, alert.urgency))
            }
            Happening::AlertUpdated { alert, urgency, status } => {
                let uuid = self.edit(|world| alert_of(world, alert.as_deref()))?;
                let mut changes: Vec<AlertChange> = urgency.map(AlertChange::Urgency).into_iter().collect();
                if let Some(name) = status {
                    let known = AlertStatus::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(&name));
                    changes.push(AlertChange::Status(known.ok_or_else(|| format!("{name:?} is not a status"))?));
                }
                if changes.is_empty() {
                    return Err("give `urgency` or `status`".to_owned());
                }
                for change in changes {
                    self.update_alert(uuid, change);
                }
                Ok("The alert changed".to_owned())
            }
            Happening::AlertDeleted { alert } => {
                let uuid = self.edit(|world| alert_of(world, alert.as_deref()))?;
                self.delete_alert(uuid);
                Ok("The alert is gone".to_owned())
            }
            Happening::AlertCommented { alert, content } => {
                let uuid = self.edit(|world| alert_of(world, alert.as_deref()))?;
                self.comment_alert(uuid, &content, "sandbox");
                Ok("The comment is there".to_owned())
            }
            Happening::Storm { count, community } => {
                let community = self.edit(|world| community_of(world, community.as_deref()))?;
                let raised = self.storm(Some(community), count.min(STORM)).len();
                Ok(format!("{raised} alerts arrived"))
            }
            Happening::Case { title } => {
                let alert = self.edit(|world| alert_of(world, None))?;
                let case = self.open_case(alert, title.as_deref().unwrap_or("Grouped by the sandbox"));
                Ok(case.map_or_else(
                    || "The alert is gone".to_owned(),
                    |case| format!("The case {} is open", case.short_id),
                ))
            }
            other => self.happen_to_sources(other),
        }
    }

    fn happen_to_sources(&self, what: Happening) -> Result<String, String> {
        match what {
            Happening::IntakeSilent { intake, minutes } => {
                let (uuid, name) = self.edit(|world| {
                    let all = world.intakes.iter().map(|i| (i.uuid, i.name.as_str(), !i.is_silent()));
                    pick(all, intake.as_deref(), "intake that gets events")
                })?;
                let minutes = i64::from(minutes.unwrap_or(120));
                self.silence_intake(uuid, jiff::SignedDuration::from_mins(minutes));
                Ok(format!("{name} is silent, for {minutes} minutes already"))
            }
            Happening::IntakeBack { intake } => {
                let (uuid, name) = self.edit(|world| {
                    let all = world.intakes.iter().map(|i| (i.uuid, i.name.as_str(), i.is_silent()));
                    pick(all, intake.as_deref(), "silent intake")
                })?;
                self.wake_intake(uuid);
                Ok(format!("{name} gets events again"))
            }
            Happening::PlaybookFails { playbook, times } => {
                let (uuid, name) = self.running(playbook.as_deref())?;
                let times = times.unwrap_or(1).min(100);
                for _ in 0..times {
                    self.fail_playbook(uuid);
                }
                Ok(format!("{name} failed {}", crate::chat::text::count(times, "time", "times")))
            }
            Happening::PlaybookWorks { playbook } => {
                let (uuid, name) = self.edit(|world| {
                    let all = world.playbooks.iter().map(|p| (p.uuid, p.name.as_str(), p.status != "running"));
                    pick(all, playbook.as_deref(), "playbook that is off")
                })?;
                self.run_playbook(uuid);
                Ok(format!("{name} works"))
            }
            Happening::TriggerCrashes { playbook } => {
                let (uuid, name) = self.running(playbook.as_deref())?;
                self.crash_trigger(uuid);
                Ok(format!("The trigger of {name} crashed"))
            }
            Happening::ConnectorFails { connector } => {
                let (uuid, name) = self.connector(connector.as_deref(), true)?;
                self.break_connector(uuid);
                Ok(format!("{name} cannot pull any more"))
            }
            Happening::ConnectorWorks { connector } => {
                let (uuid, name) = self.connector(connector.as_deref(), false)?;
                self.mend_connector(uuid);
                Ok(format!("{name} pulls again"))
            }
            // The others were taken before.
            _ => Err("this does not happen to a source".to_owned()),
        }
    }

    fn running(&self, named: Option<&str>) -> Result<(Uuid, String), String> {
        self.edit(|world| {
            let all = world.playbooks.iter().map(|p| (p.uuid, p.name.as_str(), p.status == "running"));
            pick(all, named, "playbook that runs")
        })
    }

    fn connector(&self, named: Option<&str>, works: bool) -> Result<(Uuid, String), String> {
        self.edit(|world| {
            let all =
                world.connectors.iter().map(|c| (c.uuid, c.name.as_str(), (c.display_status == "running") == works));
            pick(all, named, if works { "connector that works" } else { "connector that fails" })
        })
    }
}

/// The one that is named, or the first that fits.
fn pick<'w>(
    mut all: impl Iterator<Item = (Uuid, &'w str, bool)>,
    named: Option<&str>,
    what: &str,
) -> Result<(Uuid, String), String> {
    let found = match named {
        Some(named) => all.find(|(uuid, name, _)| *name == named || uuid.to_string() == named),
        None => all.find(|(_, _, fits)| *fits),
    };
    found.map(|(uuid, name, _)| (uuid, name.to_owned())).ok_or_else(|| match named {
        Some(named) => format!("there is no {named:?}"),
        None => format!("there is no {what}"),
    })
}

fn community_of(world: &World, named: Option<&str>) -> Result<Uuid, String> {
    let all = world.communities.iter().map(|c| (c.uuid, c.name.as_str(), c.uuid == world.root));
    pick(all, named, "community").map(|(uuid, _)| uuid)
}

fn alert_of(world: &World, named: Option<&str>) -> Result<Uuid, String> {
    let newest = world.alerts.iter().max_by_key(|alert| alert.created_at).map(|alert| alert.uuid);
    let all = world.alerts.iter().map(|a| (a.uuid, a.short_id.as_str(), Some(a.uuid) == newest));
    pick(all, named, "alert").map(|(uuid, _)| uuid)
}
