//! Commands of the table whose work comes with a later version. Whoever builds one deletes its
//! `later()` in the table; with the last of them this file goes.

use super::cards;
use crate::command::Spec;
use crate::view::{Line, View};

pub fn view(spec: &'static Spec) -> View {
    let mut view =
        View::sentence(Line::new().say("This version cannot do ").code(spec.name).say(" yet. Nothing was done."));
    if let Some(step) = spec.step.map(crate::checklist::StepId::spec) {
        let line = Line::new().say(format!("By hand: {} in Sekoia's console. ", step.console));
        view = view.line(cards::see(line, step));
    }
    view
}
