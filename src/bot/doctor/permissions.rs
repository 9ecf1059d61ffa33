//! What the bot's key may, compared with what each family of commands needs.

use super::messages::some;
use crate::chat::diagnosis::Check;
use crate::command::{Spec, TABLE};
use crate::domain::checklist::StepId;
use crate::sekoia::Permission;

/// The commands of one step, or the others that need anything.
pub fn compare(held: &[Permission]) -> Vec<Check> {
    let needing: Vec<&Spec> = TABLE.iter().filter(|spec| !spec.needs.is_empty()).collect();
    let mut families: Vec<(Option<StepId>, Vec<&Spec>)> = Vec::new();
    for spec in needing {
        match families.iter_mut().find(|(step, _)| *step == spec.step) {
            Some((_, specs)) => specs.push(spec),
            None => families.push((spec.step, vec![spec])),
        }
    }
    // What belongs to no step comes last.
    families.sort_by_key(|(step, _)| step.is_none());
    families.into_iter().map(|(step, specs)| family(step, &specs, held)).collect()
}

fn family(step: Option<StepId>, specs: &[&Spec], held: &[Permission]) -> Check {
    let name = step.map_or("other commands", StepId::name);
    let (id, subject) =
        (format!("sekoia.permissions.{}", step.map_or("others", StepId::name)), format!("Sekoia: key for {name}"));
    let lacks = |spec: &&&Spec| spec.needs.iter().any(|need| !has(held, need));
    let typed = |spec: &&Spec| format!("`{}`", spec.name);
    let without: Vec<String> = specs.iter().filter(lacks).map(typed).collect();
    if without.is_empty() {
        let all: Vec<String> = specs.iter().map(typed).collect();
        return Check::pass(id, subject, &format!("Enough for {}.", some(&all, all.len())));
    }
    let mut missing: Vec<&str> =
        specs.iter().flat_map(|spec| spec.needs).copied().filter(|need| !has(held, need)).collect();
    missing.sort_unstable();
    missing.dedup();
    let missing_names = missing.join(", ");
    let found = format!("The key lacks {missing_names}: not enough for {}.", some(&without, without.len()));
    let advice = "Create a key with these too, set SEKOIA_API_KEY and restart.";
    if missing.iter().any(|need| is_reading(need)) {
        return Check::fail(id, subject, &found, advice);
    }
    // What may not be changed with the key is handed to a person.
    Check::warn(id, subject, &format!("{found} Approved requests become tasks for a person."), advice)
}

fn has(held: &[Permission], need: &str) -> bool {
    held.iter().any(|permission| permission.is(need))
}

/// Whether a permission is to look at something, by Sekoia's way to name them.
fn is_reading(permission: &str) -> bool {
    permission.starts_with("Read ")
        || permission.starts_with("View ")
        || permission.contains("_READ_")
        || permission.contains("_LIST_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::diagnosis::Verdict;

    fn permission(name: &str) -> Permission {
        serde_json::from_value(serde_json::json!({ "name": name })).unwrap()
    }

    fn all_but(missing: &[&str]) -> Vec<Permission> {
        let needs = TABLE.iter().flat_map(|spec| spec.needs).filter(|need| !missing.contains(*need));
        needs.map(|need| permission(need)).collect()
    }

    #[test]
    fn every_family_passes_with_everything_and_none_with_nothing() {
        let with = compare(&all_but(&[]));
        assert!(with.iter().all(|check| check.verdict == Verdict::Pass) && with.len() >= 7, "{with:?}");
        let without = compare(&[]);
        assert!(without.iter().all(|check| check.verdict != Verdict::Pass), "{without:?}");
    }

    #[test]
    fn what_is_only_read_has_to_work_and_what_is_changed_can_be_done_by_hand() {
        let verdict = |missing: &str| {
            let mut checks = compare(&all_but(&[missing])).into_iter();
            checks.find(|check| check.found.contains(missing)).map(|check| check.verdict)
        };
        assert_eq!(verdict("COMMUNITY_LIST_MEMBER"), Some(Verdict::Fail));
        assert_eq!(verdict("View playbooks"), Some(Verdict::Fail));
        for changed in ["COMMUNITY_ADD_MEMBER", "COMMUNITY_WRITE_APIKEY", "Update alert status"] {
            assert_eq!(verdict(changed), Some(Verdict::Warn), "{changed}");
        }
    }
}
