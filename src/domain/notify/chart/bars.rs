//! Where what stands on the chart.

use jiff::tz::TimeZone;

use super::canvas::{Anchor, Canvas, Rgb, Style};
use super::{ChartError, MOST_RULES, label, parts, title};
use crate::domain::notify::band::Bands;
use crate::domain::notify::summary::{RuleLine, Summary};

const WIDTH: f32 = 1000.0;
const MARGIN: f32 = 32.0;
/// Below title, subtitle and legend.
const TOP: f32 = 156.0;

const PAPER: Rgb = 0xff_ff_ff;
const EDGE: Rgb = 0xd0_d7_de;
const GRID: Rgb = 0xe4_e8_ec;
const INK: Rgb = 0x1f_23_28;
const FAINT: Rgb = 0x57_60_6a;

const TITLE: Style = Style { size: 27.0, bold: true, color: INK };
const PLAIN: Style = Style { size: 22.0, bold: false, color: INK };
const SMALL: Style = Style { size: 20.0, bold: false, color: FAINT };
const STRONG: Style = Style { size: 22.0, bold: true, color: INK };

/// Bars that stand side by side, an hour or a day each.
pub fn by_time(summary: &Summary, zone: &TimeZone) -> Result<Vec<u8>, ChartError> {
    const FOOT: f32 = 540.0 - 62.0;
    const LEFT: f32 = MARGIN + 62.0;
    let mut canvas = begin(540, summary, zone)?;
    let most = summary.slots.iter().map(|slot| slot.bands.total()).max().unwrap_or_default();
    let (step, top) = scale(most);
    let full = FOOT - TOP;
    for line in (0..=top).step_by(step as usize) {
        let y = FOOT - share(line, top) * full;
        canvas.rect(LEFT, y.round(), WIDTH - MARGIN - LEFT, 1.0, if line == 0 { FAINT } else { GRID });
        canvas.text(&line.to_string(), LEFT - 12.0, y + 7.0, 70.0, SMALL, Anchor::Right);
    }
    let pitch = (WIDTH - MARGIN - LEFT) / places(summary.slots.len().max(1));
    // So that two labels never touch.
    let every = summary.slots.len().div_ceil(12).max(1);
    for (i, slot) in summary.slots.iter().enumerate() {
        let x = LEFT + places(i) * pitch;
        let (bar, width) = ((x + pitch * 0.14).round(), (pitch * 0.72).round().min(72.0));
        let bar = bar + ((pitch * 0.72 - width) / 2.0).round();
        let mut y = FOOT;
        for (_, n, color) in parts(&slot.bands) {
            // Something that happened is seen, however small.
            let height = (share(n, top) * full).max(3.0);
            canvas.rect(bar, y - height, width, (height - 1.0).max(2.0), color);
            y -= height;
        }
        if i.is_multiple_of(every) {
            canvas.text(&label(summary, slot, zone), x + pitch / 2.0, FOOT + 34.0, pitch * 3.0, SMALL, Anchor::Middle);
        }
    }
    canvas.png()
}

/// Bars that lie below each other, a rule each, with its words above it.
pub fn by_rule(summary: &Summary, zone: &TimeZone) -> Result<Vec<u8>, ChartError> {
    const ROW: f32 = 72.0;
    const HEAD: f32 = 140.0;
    const RIGHT: f32 = WIDTH - MARGIN - 100.0;
    let shown = summary.rules.iter().take(MOST_RULES);
    let left_out = summary.rules.len().saturating_sub(MOST_RULES);
    let rows = u16::try_from(shown.len().max(2)).unwrap_or_default();
    let height = 140 + rows * 72 + if left_out > 0 { 60 } else { 32 };
    let mut canvas = begin(height, summary, zone)?;
    let most = summary.rules.iter().map(|line| line.bands.total()).max().unwrap_or_default().max(1);
    for (i, line) in shown.enumerate() {
        let y = HEAD + places(i) * ROW;
        canvas.text(&name(line), MARGIN, y + 30.0, WIDTH - 2.0 * MARGIN, PLAIN, Anchor::Left);
        let mut x = MARGIN;
        for (_, n, color) in parts(&line.bands) {
            let width = (share(n, most) * (RIGHT - MARGIN)).max(3.0);
            canvas.rect(x, y + 42.0, (width - 1.0).max(2.0), 22.0, color);
            x += width;
        }
        let none = line.bands.total() == 0;
        let (gap, style) = if none { (0.0, SMALL) } else { (10.0, STRONG) };
        canvas.text(&line.bands.total().to_string(), x + gap, y + 61.0, 110.0, style, Anchor::Left);
    }
    if left_out > 0 {
        let more = format!("and {}", crate::chat::text::count(left_out, "rule more", "rules more"));
        canvas.text(&more, MARGIN, f32::from(height) - 28.0, WIDTH - 2.0 * MARGIN, SMALL, Anchor::Left);
    }
    canvas.png()
}

fn name(line: &RuleLine) -> String {
    let what = line.what.as_deref().unwrap_or("(removed)");
    let paused = if line.paused { " (paused)" } else { "" };
    format!("{}. {what}{paused}", line.number)
}

/// Paper, title, subtitle and legend.
fn begin(height: u16, summary: &Summary, zone: &TimeZone) -> Result<Canvas, ChartError> {
    let mut canvas = Canvas::new(1000, height.into(), EDGE)?;
    canvas.rect(2.0, 2.0, WIDTH - 4.0, f32::from(height) - 4.0, PAPER);
    let room = WIDTH - 2.0 * MARGIN;
    canvas.text(&title(summary, zone), MARGIN, 52.0, room, TITLE, Anchor::Left);
    let mut said = format!("{} in all", summary.total());
    if summary.total() == 0 {
        said = "Nothing fired in this time".into();
    }
    if let Some(change) = summary.change() {
        said.push_str(&format!(", {change}"));
    }
    canvas.text(&said, MARGIN, 88.0, room, SMALL, Anchor::Left);
    legend(&mut canvas, &summary.bands);
    Ok(canvas)
}

/// As large as there is room for.
fn legend(canvas: &mut Canvas, bands: &Bands) {
    const ROOM: f32 = WIDTH - 2.0 * MARGIN;
    const SIZES: [(f32, f32); 4] = [(20.0, 28.0), (18.0, 20.0), (16.0, 14.0), (13.0, 9.0)];
    let entries: Vec<_> = parts(bands).map(|(name, n, color)| (format!("{name} {n}"), color)).collect();
    let style = |size| Style { size, ..SMALL };
    let wide = |canvas: &Canvas, (size, gap): (f32, f32)| {
        entries.iter().map(|(text, _)| size + 8.0 + canvas.width(text, style(size)) + gap).sum::<f32>() - gap
    };
    let fitting = SIZES.into_iter().find(|sizes| wide(canvas, *sizes) <= ROOM);
    let (size, gap) = fitting.unwrap_or(SIZES[3]);
    let mut x = MARGIN;
    for (text, color) in &entries {
        canvas.rect(x, 124.0 - size + 2.0, size - 2.0, size - 2.0, *color);
        x += size + 6.0;
        canvas.text(text, x, 124.0, (WIDTH - MARGIN - x).max(0.0), style(size), Anchor::Left);
        x += canvas.width(text, style(size)) + 2.0 + gap;
    }
}

/// Between two lines of the grid, and the highest line: round numbers, four to eight lines.
fn scale(most: u32) -> (u32, u32) {
    let mut step = 1;
    for factor in [2, 5, 10].into_iter().cycle() {
        if most.div_ceil(step) <= 5 {
            break;
        }
        let tens = 10_u32.saturating_pow(step.ilog10());
        step = tens.saturating_mul(factor);
    }
    (step, most.div_ceil(step).max(1).saturating_mul(step))
}

#[expect(clippy::cast_possible_truncation, reason = "a share, and pixels")]
fn share(n: u32, of: u32) -> f32 {
    (f64::from(n) / f64::from(of.max(1))) as f32
}

fn places(n: usize) -> f32 {
    f32::from(u16::try_from(n).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_has_round_numbers_and_room() {
        let scales = [0, 1, 3, 5, 6, 10, 11, 24, 99, 100, 1234, 1_000_000, u32::MAX].map(scale);
        for ((step, top), most) in scales.into_iter().zip([0, 1, 3, 5, 6, 10, 11, 24, 99, 100, 1234, 1_000_000]) {
            assert!(top >= most && top / step <= 5, "{most}: {step} to {top}");
            assert!([1, 2, 5].contains(&(step / 10_u32.pow(step.ilog10()))), "{step}");
        }
        assert_eq!(scales[12], (1_000_000_000, u32::MAX));
    }
}
