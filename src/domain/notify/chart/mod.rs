//! A summary as a small bar chart: PNG with its own background, readable in light and dark chats,
//! and the same in words for whoever cannot see it.

mod bars;
mod canvas;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::band::{Band, Bands};
use super::summary::{Slot, Summary};

/// What the bars stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chart {
    /// An hour or a day each.
    ByTime,
    /// A rule each, the noisiest first.
    ByRule,
}

/// Why there is no picture; the summary is said without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    #[error("the chart has no room")]
    Size,
    #[error("the chart's font cannot be read: {0}")]
    Font(String),
    #[error("the chart cannot be written: {0}")]
    Png(String),
}

/// Bars that are drawn; the rest is counted.
const MOST_RULES: usize = 8;

/// The chart as PNG.
pub fn draw(summary: &Summary, chart: Chart, zone: &TimeZone) -> Result<Vec<u8>, ChartError> {
    match chart {
        Chart::ByTime => bars::by_time(summary, zone),
        Chart::ByRule => bars::by_rule(summary, zone),
    }
}

/// What the chart shows, in words.
pub fn alt(summary: &Summary, chart: Chart, zone: &TimeZone) -> String {
    let title = title(summary, zone);
    let total = crate::chat::text::count(summary.total() as usize, "notification", "notifications");
    if summary.total() == 0 {
        return format!("{title}: nothing fired.");
    }
    match chart {
        Chart::ByTime => {
            let busiest = summary.slots.iter().max_by_key(|slot| slot.bands.total());
            let busiest = busiest.map(|slot| format!(" Most at {}: {}.", label(summary, slot, zone), slot.bands));
            format!("{title}, bar chart: {total}, {}.{}", summary.bands, busiest.unwrap_or_default())
        }
        Chart::ByRule => {
            let fired = summary.rules.iter().filter(|line| line.bands.total() > 0).take(MOST_RULES);
            let rules: Vec<String> = fired.map(|line| format!("rule {}: {}", line.number, line.bands)).collect();
            format!("{title}, bar chart by rule: {total}; {}.", rules.join("; "))
        }
    }
}

/// `Notifications, 2026-10-20 08:00 to 2026-10-21 08:00 Europe/Paris`.
fn title(summary: &Summary, zone: &TimeZone) -> String {
    format!("Notifications, {}", summary.period.in_words(zone))
}

fn local(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

fn by_days(summary: &Summary) -> bool {
    summary.slots.len() < 2 || summary.slots[1].from.duration_since(summary.slots[0].from).as_hours() > 1
}

/// `14:00`, or `Mon 19`.
fn label(summary: &Summary, slot: &Slot, zone: &TimeZone) -> String {
    local(slot.from, zone, if by_days(summary) { "%a %-d" } else { "%H:%M" })
}

/// The bands of a bar from its foot on, the most urgent first, with their colours: each apart from
/// white, and from its neighbours for those who do not tell red from green.
fn parts(bands: &Bands) -> impl Iterator<Item = (&'static str, u32, canvas::Rgb)> {
    const COLORS: [canvas::Rgb; 5] = [0x6e_93_b5, 0x1f_6f_b2, 0xb3_83_00, 0xd4_55_0b, 0x8f_12_37];
    let rated = Band::ALL.into_iter().rev().map(|band| {
        let place = band as usize;
        (band.name(), bands.of[place], COLORS[place])
    });
    rated.chain([("No urgency", bands.unrated, 0x73_7b_85)]).filter(|(_, n, _)| *n > 0)
}
