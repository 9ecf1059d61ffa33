//! Invitations, and what people do with them in the console.

use jiff::Timestamp;
use uuid::Uuid;

use super::{AuthProvider, Member, User, World};

impl World {
    /// Invites somebody by hand: they are pending, unless they have an account elsewhere.
    pub fn add_pending(&mut self, community: Uuid, email: &str, role: Uuid) {
        let now = self.start;
        self.invite(community, email, vec![role], now);
    }

    /// Accepts every invitation to this address; the second factor is not set yet.
    ///
    /// # Panics
    ///
    /// When nobody with that address is pending: only tests accept invitations.
    pub fn accept_invitation(&mut self, email: &str) {
        let now = self.start;
        let mut accepted = false;
        let pending = self.members.iter_mut().filter(|member| !member.user.confirmed && member.user.has_address(email));
        for member in pending {
            // What people enter there does not matter: their address serves as a name.
            let name = email.split('@').next().unwrap_or_default().to_owned();
            member.name = Some(name.clone());
            member.updated_at = Some(now);
            member.user.firstname = Some(name);
            member.user.email = Some(email.to_owned());
            member.user.invited_email = None;
            member.user.confirmed = true;
            member.user.mfa_enabled = Some(false);
            member.user.last_activity = Some(now);
            accepted = true;
        }
        assert!(accepted, "no invitation to {email} is pending");
    }

    /// Whether somebody with this address is a member, or will be once they accept.
    pub(in crate::sandbox) fn is_member(&self, community: Uuid, email: &str) -> bool {
        self.members.iter().any(|member| member.community_uuid == community && member.user.has_address(email))
    }

    /// Adds a membership. A person known elsewhere is the same user; if they have an account there,
    /// they are a member at once.
    pub(in crate::sandbox) fn invite(&mut self, community: Uuid, email: &str, roles: Vec<Uuid>, now: Timestamp) {
        let elsewhere = self.members.iter().filter(|member| member.user.has_address(email));
        let known = elsewhere
            .max_by_key(|member| member.user.confirmed)
            .map(|member| (member.name.clone(), member.user.clone()));
        let label = self.label("member");
        let (name, user) = known.unwrap_or_else(|| (None, self.invited(&label, email, now)));
        self.members.push(Member {
            uuid: self.dice.uuid(&label),
            community_uuid: community,
            name,
            enabled: true,
            status_changed_at: None,
            roles,
            created_at: now,
            updated_at: None,
            user,
        });
    }

    fn invited(&self, label: &str, email: &str, now: Timestamp) -> User {
        User {
            uuid: self.dice.uuid(&format!("{label}/user")),
            firstname: None,
            lastname: None,
            email: None,
            invited_email: Some(email.to_owned()),
            confirmed: false,
            mfa_enabled: None,
            last_activity: None,
            auth_provider: AuthProvider::Local,
            created_at: now,
        }
    }
}

impl User {
    /// Whether an address is this person's. Small and capital letters are the same here; whether
    /// they are to Sekoia is documented nowhere.
    fn has_address(&self, email: &str) -> bool {
        [&self.email, &self.invited_email].into_iter().flatten().any(|known| known.eq_ignore_ascii_case(email))
    }
}
