//! Bigger worlds for tests of size: more members, communities and permissions.

use uuid::Uuid;

use super::{AuthProvider, Community, Intake, Member, Permission, Playbook, Role, User, World};

impl World {
    /// The first community with this name.
    pub fn community(&self, name: &str) -> Option<&Community> {
        self.communities.iter().find(|found| found.name == name)
    }

    /// The first role with this name, built in or custom.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|found| found.name == name)
    }

    /// The first intake with this name.
    pub fn intake(&self, name: &str) -> Option<&Intake> {
        self.intakes.iter().find(|found| found.name == name)
    }

    /// The first playbook with this name.
    pub fn playbook(&self, name: &str) -> Option<&Playbook> {
        self.playbooks.iter().find(|found| found.name == name)
    }

    /// Adds `count` confirmed members who are guests and have MFA on.
    pub fn add_members(&mut self, community: Uuid, count: usize) {
        let guest: Vec<Uuid> = self.role("Guest").map(|role| role.uuid).into_iter().collect();
        let first = self.members.len() + 1;
        for number in first..first + count {
            let label = format!("more/member/{number}");
            let (firstname, lastname) = ("Member".to_owned(), format!("{number:03}"));
            self.members.push(Member {
                uuid: self.dice.uuid(&label),
                community_uuid: community,
                name: Some(format!("{firstname} {lastname}")),
                enabled: true,
                status_changed_at: None,
                roles: guest.clone(),
                created_at: self.start,
                updated_at: None,
                user: User {
                    uuid: self.dice.uuid(&format!("{label}/user")),
                    firstname: Some(firstname),
                    lastname: Some(lastname),
                    email: Some(format!("member.{number:03}@banque-rivoli.example")),
                    invited_email: None,
                    confirmed: true,
                    mfa_enabled: Some(true),
                    last_activity: Some(self.start),
                    auth_provider: AuthProvider::Local,
                    created_at: self.start,
                },
            });
        }
    }

    /// Adds `count` empty units below the root, which becomes a parent if it was none.
    pub fn add_communities(&mut self, count: usize) {
        let (root, start) = (self.root, self.start);
        let created_by = self.dice.uuid("more/creator");
        for community in &mut self.communities {
            community.is_parent |= community.uuid == root;
        }
        let first = self.communities.len() + 1;
        for number in first..first + count {
            self.communities.push(Community {
                uuid: self.dice.uuid(&format!("more/community/{number}")),
                name: format!("Rivoli Unit {number:03}"),
                description: format!("Business unit number {number}"),
                homepage_url: None,
                is_parent: false,
                parent_community_uuid: Some(root),
                created_at: start,
                updated_at: start,
                created_by,
                is_mfa_enforced: None,
                session_timeout: None,
                disable_inactive_avatars: false,
                disabled: false,
            });
        }
    }

    /// Adds `count` permissions to the catalogue, and to the built-in role that has everything.
    pub fn add_permissions(&mut self, count: usize) {
        for bitmask_id in (self.permissions.len() + 1..).take(count) {
            let uuid = self.dice.uuid(&format!("more/permission/{bitmask_id}"));
            self.permissions.push(Permission {
                uuid,
                bitmask_id: u32::try_from(bitmask_id).unwrap_or(u32::MAX),
                name: format!("EXTRA_READ_FEATURE_{bitmask_id:03}"),
                title: format!("View extra feature {bitmask_id:03}"),
                description: String::new(),
                feature: "Extra".to_owned(),
            });
            let admin = self.roles.iter_mut().find(|role| role.name == "Admin");
            if let Some(admin) = admin {
                admin.permissions.push(uuid);
            }
        }
    }
}
