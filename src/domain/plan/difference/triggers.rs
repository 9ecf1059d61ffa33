//! Notification triggers against the rules of the channel.

use super::{Line, Mark};
use crate::domain::notify::{LastFired, Proof, Rule, Rules, Trigger};
use crate::domain::plan::Part;

/// A trigger is there once something arrived of it: a rule that is not paused fired or was tested.
/// Rules on other triggers are the channel's own business.
pub fn triggers(planned: &[Trigger], rules: &Rules, fired: &LastFired) -> Vec<Line> {
    let line = |trigger: &Trigger| {
        let spec = trigger.spec();
        let line = |mark| Line::new(mark, Part::Notifications, spec.words);
        let watching: Vec<&Rule> = rules.rules.iter().filter(|rule| rule.watch.trigger == *trigger).collect();
        let live = |rule: &&&Rule| !rule.paused;
        let proven = |rule: &&Rule| rule.proof(fired).map(|proof| (rule.number, proof));
        match watching.iter().filter(live).find_map(proven) {
            Some((number, Proof::Sample(_))) => return line(Mark::There).because(format!("rule {number}")),
            Some((number, Proof::Fired(_))) => return line(Mark::There).because(format!("rule {number}, which fired")),
            None => {}
        }
        if let Some(rule) = watching.iter().find(live) {
            return line(Mark::Waiting)
                .because(format!("rule {} has not fired, and no sample of it arrived", rule.number));
        }
        if let Some(rule) = watching.first() {
            return line(Mark::Change).because(format!("rule {} is paused", rule.number));
        }
        match (spec.evaluated, &rules.webhook) {
            (true, _) => line(Mark::Create),
            (false, Some(_)) => {
                line(Mark::Waiting).because("Sekoia does not say whether a rule of its own posts to this channel")
            }
            (false, None) => line(Mark::Create).because("needs this channel's webhook and a rule in Sekoia's console"),
        }
    };
    planned.iter().map(line).collect()
}
