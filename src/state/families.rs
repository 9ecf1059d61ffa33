//! Every kind of state that has streams of its own, by the family of its streams: for those who work on
//! all streams alike.

use super::control::Control;
use super::moved::LaterIds;
use super::stream::{Folded, Unfolded, folded};
use crate::domain::approval::Approval;
use crate::domain::checklist::Session;
use crate::domain::notify::Rules;
use crate::domain::plan::ChannelPlan;
use crate::store::{Record, State, StreamId};

/// Something to do with a stream, whatever its state is.
pub trait Visit {
    type Out;
    fn of<S: Folded + PartialEq>(self) -> Self::Out;
}

/// Does it with the kind of state that the stream has; none for one of a newer release.
pub fn visit<V: Visit>(stream: &StreamId, visit: V) -> Option<V::Out> {
    Some(match stream.family() {
        Session::FAMILY => visit.of::<Session>(),
        Approval::FAMILY => visit.of::<Approval>(),
        Rules::FAMILY => visit.of::<Rules>(),
        ChannelPlan::FAMILY => visit.of::<ChannelPlan>(),
        Control::FAMILY => visit.of::<Control>(),
        LaterIds::FAMILY => visit.of::<LaterIds>(),
        _ => return None,
    })
}

/// Whether a state is what its records lead to. Those of a newer release say nothing.
pub fn follows(stream: &StreamId, records: &[Record], state: &State) -> bool {
    struct Follows<'a>(&'a [Record], &'a str);
    impl Visit for Follows<'_> {
        type Out = bool;
        fn of<S: Folded + PartialEq>(self) -> bool {
            match folded::<S>(self.0) {
                Ok(folded) => serde_json::from_str::<S>(self.1).ok() == folded,
                Err(Unfolded::Newer | Unfolded::Undated) => true,
            }
        }
    }
    visit(stream, Follows(records, &state.json)).unwrap_or(true)
}
