//! What people want to get done, and the commands for it.

use super::spec::Spec;
use super::table::TABLE;

/// Something that several commands serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Checklist,
    Planning,
    Workspace,
    Changes,
    Requests,
    Alerts,
    Records,
}

impl Task {
    pub const ALL: [Task; 7] =
        [Task::Checklist, Task::Planning, Task::Workspace, Task::Changes, Task::Requests, Task::Alerts, Task::Records];

    /// As it is typed after `help`.
    pub fn name(self) -> &'static str {
        match self {
            Task::Checklist => "checklist",
            Task::Planning => "planning",
            Task::Workspace => "workspace",
            Task::Changes => "changes",
            Task::Requests => "requests",
            Task::Alerts => "alerts",
            Task::Records => "records",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Task::Checklist => "Work through the checklist",
            Task::Planning => "Say what the workspace should be",
            Task::Workspace => "Look at the workspace",
            Task::Changes => "Change the workspace, after an approval",
            Task::Requests => "Decide requests and follow them",
            Task::Alerts => "Be notified of alerts, silent intakes and playbooks",
            Task::Records => "See who did what, and what waits",
        }
    }

    pub fn find(name: &str) -> Option<Task> {
        Task::ALL.into_iter().find(|task| task.name() == name)
    }

    /// Its commands, in the table's order.
    pub fn commands(self) -> impl Iterator<Item = &'static Spec> {
        TABLE.iter().filter(move |spec| Task::of(spec) == self)
    }

    pub fn of(spec: &Spec) -> Task {
        match spec.name {
            "setup" | "status" | "next" | "step" | "done" | "skip" | "reopen" | "assign" | "due" | "refresh"
            | "reset" | "quickstart" | "quickstart send" => Task::Checklist,
            "community create" | "role create" | "invite" | "key create" | "key revoke" | "key rotate" => Task::Changes,
            "approvals" | "cancel" | "approve" | "reject" | "show" | "saved" | "lost" | "retire" | "retry"
            | "by hand" | "check" | "freeze" | "unfreeze" => Task::Requests,
            "help" | "whoami" | "report" | "inbox" | "overview" | "doctor" | "audit" => Task::Records,
            "acknowledge" => Task::Alerts,
            name if name.starts_with("plan") => Task::Planning,
            name if name.starts_with("notify") => Task::Alerts,
            _ => Task::Workspace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_no_other_task_looks_at_the_workspace() {
        let names: Vec<&str> = Task::Workspace.commands().map(|spec| spec.name).collect();
        let looks = [
            "subscription",
            "region",
            "region share",
            "region probe",
            "communities",
            "roles",
            "role show",
            "users",
            "resend",
            "keys",
        ];
        assert_eq!(names, looks);
    }

    #[test]
    fn no_task_is_called_like_a_command_or_a_step() {
        for task in Task::ALL {
            assert!(super::super::find(task.name()).is_none(), "{task:?}");
            assert!(crate::domain::checklist::StepId::find(task.name()).is_none(), "{task:?}");
            assert_eq!(Task::find(task.name()), Some(task));
        }
    }
}
