//! Invitations that were not accepted, sent again.

use insta::assert_snapshot;

use crate::harness::{Platform, Seen, Stage, everywhere, id_in, nameless, usual};

/// The pending invitations of an address.
fn pending(s: &Stage, address: &str) -> Vec<uuid::Uuid> {
    s.sekoia.edit(|world| {
        let of = world.members.iter().filter(|m| m.user.invited_email.as_deref() == Some(address));
        of.filter(|m| !m.user.confirmed).map(|m| m.uuid).collect()
    })
}

async fn approved(s: &Stage, ask: &str, until: &str) -> Seen {
    let card = s.approved(ask, until).await;
    s.direct().await;
    s.checklist_at_rest().await;
    card
}

everywhere!(a_pending_invitation_is_replaced_by_a_new_one);
fn a_pending_invitation_is_replaced_by_a_new_one(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let card = approved(s, "invite ana@nimbus.example as Guest", "not accepted yet").await;
        let id = id_in(&card);
        let first = pending(s, "ana@nimbus.example");
        // Every way to it: asked for anew, tried again, on the card, in the list.
        let told = s.ask("alice", "invite ana@nimbus.example").await.text();
        assert!(told.contains("`/sekoia resend ana@nimbus.example` sends what is not accepted yet again."), "{told}");
        assert_snapshot!(nameless(s.ask("alice", &format!("retry {id}")).await.text()), @"
        Everything was sent, and not everybody has accepted yet.
        Send again replaces their invitations by new ones, after an approval.
        [Send again]
        ");
        assert!(s.ask("alice", "users").await.text().contains("Send an invitation again"));
        let asked = s.click("alice", &card, "Send again").await.text();
        assert!(asked.contains("Invite ana@nimbus.example again as Guest"), "{asked}");
        let again = s.card("Approval needed").await;
        assert_snapshot!(nameless(&again), @"
        #soc-setup (posted)
        Approval needed
        *Invite ana@nimbus.example again as Guest*
        In *Nimbus Payments* as *Guest*
        • ana@nimbus.example
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice
        • ⚠️ 1 pending invitation is withdrawn first, so the links in the earlier mails stop working
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        s.click("carol", &again, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let second = pending(s, "ana@nimbus.example");
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_ne!(first, second);
        assert_eq!(s.writes(), ["POST 204", "DELETE 204", "POST 204"]);
    });
}

everywhere!(who_accepted_meanwhile_is_not_removed);
fn who_accepted_meanwhile_is_not_removed(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        approved(s, "invite ana@nimbus.example", "not accepted yet").await;
        s.request_for("alice", "resend ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.sekoia.edit(|world| world.accept_invitation("ana@nimbus.example"));
        s.click("bob", &card, "Approve").await;
        let card = s.card("❌ *ana@nimbus.example*").await;
        assert!(card.text().contains("it was accepted meanwhile, so nothing was sent"), "{card}");
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.writes(), ["POST 204"]);
        let told = s.ask("alice", "resend ana@nimbus.example").await.text();
        assert!(told.contains("ana@nimbus.example is in already."), "{told}");
    });
}

everywhere!(what_is_asked_to_be_sent_again_has_to_be_pending);
fn what_is_asked_to_be_sent_again_has_to_be_pending(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for (typed, says) in [
            ("resend nobody@nimbus.example", "nobody@nimbus.example has no pending invitation here"),
            ("resend 0badcafe", "an e-mail address, or the id of a request"),
            ("resend", "whose invitation"),
        ] {
            let told = s.ask("alice", typed).await.text();
            assert!(told.contains(says), "{typed}: {told}");
        }
        assert!(s.ask("dan", "resend ana@nimbus.example").await.text().contains("operator"));
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}
