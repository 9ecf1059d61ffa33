//! Many firings of one rule that waited for the chat become one message.

use std::collections::BTreeMap;

use crate::bot::Bot;
use crate::bot::watching::Batch;
use crate::chat::ChannelKey;
use crate::domain::notify::What;
use crate::domain::notify::storm::{Names, OWN_CARDS, Swarm};
use crate::state::feed::News;
use crate::store::{StoreError, Work};

impl Bot {
    /// Makes one message of what waits, if it is much. The first that waits is left out: it may have
    /// been posted already.
    pub(super) async fn coalesce(&self, channel: &ChannelKey, waiting: &[(Work, News)]) -> Result<bool, StoreError> {
        let mut by_rule: BTreeMap<u32, Vec<&(Work, News)>> = BTreeMap::new();
        for row in waiting.iter().skip(1) {
            let (_, news) = row;
            if news.sample || (news.swarm.is_some() && !news.late) {
                continue;
            }
            if let Some(rule) = news.rules.first() {
                by_rule.entry(*rule).or_default().push(row);
            }
        }
        let Some((rule, rows)) = by_rule.into_iter().find(|(_, rows)| rows.len() > OWN_CARDS) else { return Ok(false) };
        let _keeping = self.notifications.keeping.lock().await;
        let (Some((_, oldest)), Some((_, newest))) = (rows.first(), rows.last()) else { return Ok(false) };
        let key = News::late_key(channel, rule, oldest.first);
        let mut news = News::new(channel, newest.occurrence.clone(), oldest.first);
        let mut swarm =
            Swarm { count: 0, first: oldest.first, last: newest.first, worst: None, names: Names::default() };
        let mut batch = Batch::new(&**self.sessions.store());
        for (work, row) in &rows {
            let what = &row.occurrence.what;
            if let Some(many) = &row.swarm {
                swarm.count += many.count;
                swarm.worst = swarm.worst.max(many.worst);
                swarm.first = swarm.first.min(many.first);
                swarm.names.join(&many.names);
                news.again.join(&row.again);
            } else {
                swarm.count += 1;
                swarm.worst = swarm.worst.max(what.alert().and_then(|alert| alert.urgency));
                swarm.first = swarm.first.min(row.first);
                swarm.names.add(what.name());
                if row.back.is_some() {
                    news.again.add(what.name());
                }
            }
            if let What::Silent(_) | What::Resumed(_) = what {
                // Their end is shown where they are.
                let silent = batch.log(channel).await?.silent.values_mut();
                silent.filter(|of| **of == work.key).for_each(|of| of.clone_from(&key));
            }
        }
        (news.rules, news.swarm, news.late) = (vec![rule], Some(swarm), true);
        batch.add(key.clone(), news);
        // One that changed meanwhile stays, with a message of its own.
        let done = rows.iter().filter(|(work, _)| work.key != key).map(|(work, _)| work.finished()).collect();
        batch.commit(Vec::new(), done).await?;
        Ok(true)
    }
}
