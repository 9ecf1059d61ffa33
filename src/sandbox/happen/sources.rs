//! Intakes that fall silent, connectors that fail. Nobody is told: there is no such event.

use jiff::SignedDuration;
use uuid::Uuid;

use crate::sandbox::Sandbox;
use crate::sandbox::world::{Intake, Silence};

impl Sandbox {
    /// No events come to an intake any more, and for so long already; whether there is one. Its
    /// status stays: Sekoia cannot know whether there was anything to send.
    pub fn silence_intake(&self, intake: Uuid, since: SignedDuration) -> bool {
        let from = self.now() - since;
        self.change_intake(intake, |intake| {
            if !intake.is_silent() {
                // A silence that ended later than this one began is a part of it.
                intake.silences.retain(|silence| silence.until.is_some_and(|until| until < from));
                intake.silences.push(Silence { from, until: None });
            }
        })
    }

    /// Events come again; whether there is such an intake.
    pub fn wake_intake(&self, intake: Uuid) -> bool {
        let now = self.now();
        self.change_intake(intake, |intake| {
            if let Some(silence) = intake.silences.last_mut() {
                silence.until.get_or_insert(now);
            }
            intake.status = Some("RUNNING".to_owned());
        })
    }

    /// A connector cannot pull any more, and its intake falls silent; whether there is one.
    pub fn break_connector(&self, connector: Uuid) -> bool {
        self.change_connector(connector, "error", Some("The source refused the credentials"))
            && self.change_intake_of(connector, |sandbox, intake| {
                sandbox.silence_intake(intake, SignedDuration::ZERO);
                sandbox.change_intake(intake, |intake| intake.status = Some("ERROR".to_owned()));
            })
    }

    /// A connector pulls again; whether there is one.
    pub fn mend_connector(&self, connector: Uuid) -> bool {
        self.change_connector(connector, "running", None)
            && self.change_intake_of(connector, |sandbox, intake| {
                sandbox.wake_intake(intake);
            })
    }

    fn change_intake(&self, intake: Uuid, change: impl FnOnce(&mut Intake)) -> bool {
        let now = self.now();
        let mut world = self.world();
        let Some(intake) = world.intakes.iter_mut().find(|known| known.uuid == intake) else { return false };
        change(intake);
        intake.updated_at = Some(now);
        true
    }

    fn change_intake_of(&self, connector: Uuid, change: impl FnOnce(&Self, Uuid)) -> bool {
        let intake = self.edit(|world| {
            let intake = world.intakes.iter().find(|intake| intake.connector_uuid == Some(connector));
            intake.map(|intake| intake.uuid)
        });
        if let Some(intake) = intake {
            change(self, intake);
        }
        true
    }

    fn change_connector(&self, connector: Uuid, status: &str, why: Option<&str>) -> bool {
        let now = self.now();
        let mut world = self.world();
        let Some(found) = world.connectors.iter_mut().find(|known| known.uuid == connector) else { return false };
        status.clone_into(&mut found.display_status);
        found.status_message = why.map(str::to_owned);
        found.updated_at = now;
        true
    }
}
