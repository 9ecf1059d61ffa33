//! Step 7: rules in this channel, of which something arrived: what happened, or a sample that somebody saw.
//!
//! Sekoia's public API lists no notification rules, and those belong to whoever made them: what is
//! confirmed here is what the bot itself watches.

use jiff::Timestamp;

use super::Finding;
use crate::chat::text::count;
use crate::chat::view::{day, minute};
use crate::domain::checklist::facts::Fact;
use crate::domain::notify::{LastFired, Proof, Rule, Rules};

/// Rules that are named with their proof.
const SHOWN: usize = 3;

pub fn check(rules: &Rules, fired: &LastFired, now: Timestamp) -> Finding {
    // A mute ends by itself.
    let proof = |rule: &Rule| Some((rule.number, rule.proof(fired)?));
    let proven: Vec<(u32, Proof)> = rules.rules.iter().filter(|rule| !rule.paused).filter_map(proof).collect();
    let summary = summary(rules, &proven);
    if rules.rules.is_empty() {
        return Finding::wanting(
            summary,
            "a rule: \"/sekoia notify recommended\" adds the three that Sekoia recommends, \"/sekoia notify add\" any other".into(),
        );
    }
    if proven.is_empty() {
        let missing = if let Some((number, proof)) = rules.rules.iter().find_map(proof) {
            let was = match proof {
                Proof::Sample(_) => "was tested",
                Proof::Fired(_) => "fired",
            };
            format!("a tested rule that is not paused: \"/sekoia notify resume {number}\" resumes one that {was}")
        } else {
            let number = rules.rules.iter().find(|rule| rule.is_live(now)).or(rules.rules.first());
            let number = number.map_or(1, |rule| rule.number);
            format!(
                "a sample that arrived: \"/sekoia notify test {number}\" sends one, and \"It arrived\" on it confirms that"
            )
        };
        return Finding::wanting(summary, missing);
    }
    let mut wanting = exceptions(rules, fired, now);
    // What people do to rules is on record in this channel: as long as a proven one works, only
    // these are news.
    let mut facts = Vec::new();
    for (id, says) in signs(rules) {
        facts.push(Fact::Sign { id: id.into(), says: says.as_str().into() });
        wanting.push(says);
    }
    Finding::confirmed(summary, wanting, facts)
}

/// `3 rules; rule 1 tested on 2026-11-23; no digest; no webhook`.
fn summary(rules: &Rules, proven: &[(u32, Proof)]) -> String {
    let mut parts = vec![count(rules.rules.len(), "rule", "rules")];
    let of = |(number, proof): &(u32, Proof)| match proof {
        Proof::Sample(at) => format!("rule {number} tested on {}", day(*at)),
        Proof::Fired(at) => format!("rule {number} fired on {}", day(*at)),
    };
    parts.extend(proven.iter().map(of).take(SHOWN));
    if proven.len() > SHOWN {
        parts.push(format!("{} more fired or tested", proven.len() - SHOWN));
    }
    if !rules.rules.is_empty() {
        let digests: Vec<String> = [&rules.daily, &rules.weekly]
            .into_iter()
            .flatten()
            .map(|planned| format!("digest: {}", planned.digest))
            .collect();
        parts.push(if digests.is_empty() { "no digest".into() } else { digests.join(", ") });
        parts.push(match &rules.webhook {
            Some(webhook) => format!("webhook since {}", day(webhook.made.at)),
            None => "no webhook".into(),
        });
    }
    parts.join("; ")
}

fn exceptions(rules: &Rules, fired: &LastFired, now: Timestamp) -> Vec<String> {
    let mut exceptions = Vec::new();
    for rule in &rules.rules {
        if rule.paused {
            exceptions.push(format!("rule {} is paused", rule.number));
        } else if let Some(until) = rule.muted_until.filter(|_| rule.is_muted(now)) {
            exceptions.push(format!("rule {} is muted until {}", rule.number, minute(until)));
        }
    }
    let untested = rules.rules.iter().filter(|rule| rule.is_live(now) && rule.proof(fired).is_none()).count();
    if untested > 0 {
        exceptions.push(format!("{} not tested", count(untested, "rule", "rules")));
    }
    exceptions
}

/// What is told when it comes up later.
fn signs(rules: &Rules) -> Vec<(&'static str, String)> {
    let mut signs = Vec::new();
    if rules.missing().len() == crate::domain::notify::Watch::recommended().len() {
        signs.push(("none recommended", "none of the three rules that Sekoia recommends".into()));
    }
    let deaf = rules.rules.iter().filter(|rule| !rule.watch.trigger.spec().evaluated).count();
    if deaf > 0 && rules.webhook.is_none() {
        let waiting = count(deaf, "rule waits", "rules wait");
        signs.push(("no webhook", format!("{waiting} for the webhook, which does not exist")));
    }
    signs
}
