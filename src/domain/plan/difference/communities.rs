//! Communities under the workspace's own.

use std::collections::{HashMap, HashSet};

use super::{Line, Mark};
use crate::chat::text::fold;
use crate::domain::plan::{Part, PlannedCommunity};
use crate::sekoia::Community;

/// `children`: all of the workspace. Their descriptions are not compared: nothing depends on them.
pub fn communities(planned: &[PlannedCommunity], children: &[Community]) -> Vec<Line> {
    let mut there: HashMap<String, usize> = HashMap::new();
    for child in children {
        *there.entry(fold(child.name())).or_default() += 1;
    }
    let names: HashSet<String> = planned.iter().map(|c| fold(&c.name)).collect();
    let line = |community: &PlannedCommunity| match there.get(&fold(&community.name)) {
        None => Line::new(Mark::Create, Part::Communities, &community.name),
        Some(1) => Line::new(Mark::There, Part::Communities, &community.name),
        Some(several) => Line::new(Mark::There, Part::Communities, &community.name)
            .because(format!("{several} communities are called so")),
    };
    let extra = children.iter().filter(|child| !names.contains(&fold(child.name())));
    let extra = extra.map(|child| Line::new(Mark::Extra, Part::Communities, child.name()));
    planned.iter().map(line).chain(extra).collect()
}
