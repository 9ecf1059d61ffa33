//! Playbooks that run, fail and switch themselves off. Nobody is told: there is no such event.

use jiff::SignedDuration;
use uuid::Uuid;

use crate::sandbox::Sandbox;
use crate::sandbox::seed::FAILURES;
use crate::sandbox::world::{LogLine, PlaybookRun};

impl Sandbox {
    /// A playbook runs and fails; at the fifth time in a row it switches itself off. The run; none
    /// if the playbook does not run.
    pub fn fail_playbook(&self, playbook: Uuid) -> Option<PlaybookRun> {
        self.play(playbook, Some("The action \"Block the address\" failed: HTTP 500"))
    }

    /// A playbook runs well, on again if it was off. The run; none if there is no such playbook.
    pub fn run_playbook(&self, playbook: Uuid) -> Option<PlaybookRun> {
        let now = self.now();
        self.edit(|world| {
            let found = world.playbooks.iter_mut().find(|known| known.uuid == playbook)?;
            if found.status != "running" {
                "running".clone_into(&mut found.status);
                found.status_message = None;
                found.activated_at = Some(now);
                found.updated_at = now;
            }
            Some(())
        })?;
        self.play(playbook, None)
    }

    /// The trigger of a playbook crashes: a critical line in its log. Whether there is one.
    pub fn crash_trigger(&self, playbook: Uuid) -> bool {
        let date = self.now();
        self.edit(|world| {
            let label = world.label("trigger-log");
            let uuid = world.dice.uuid(&label);
            let Some(found) = world.playbooks.iter_mut().find(|known| known.uuid == playbook) else { return false };
            let (level, message) = ("critical".to_owned(), "The trigger stopped: credentials refused".to_owned());
            found.trigger_logs.push(LogLine { uuid, level, message, date });
            true
        })
    }

    fn play(&self, playbook: Uuid, error: Option<&str>) -> Option<PlaybookRun> {
        let now = self.now();
        let mut world = self.world();
        let label = world.label("run");
        let dice = world.dice;
        let found = world.playbooks.iter_mut().find(|known| known.uuid == playbook && known.status == "running")?;
        if let Some(message) = error {
            let uuid = dice.uuid(&format!("{label}/log"));
            found.logs.push(LogLine { uuid, level: "error".to_owned(), message: message.to_owned(), date: now });
            found.failures += 1;
            if found.failures >= FAILURES {
                "error".clone_into(&mut found.status);
                found.status_message = Some(format!("Switched off after {FAILURES} failures in a row"));
                found.updated_at = now;
            }
        } else {
            found.failures = 0;
        }
        let run = PlaybookRun {
            uuid: dice.uuid(&label),
            playbook_uuid: playbook,
            playbook_name: found.name.clone(),
            community_uuid: found.community_uuid,
            event: "Alert Created".to_owned(),
            status: if error.is_some() { "error" } else { "finished" }.to_owned(),
            error: error.map(str::to_owned),
            started_at: now - SignedDuration::from_secs(2),
            finished_at: Some(now),
        };
        world.runs.push(run.clone());
        Some(run)
    }
}
