//! Where what stands on the chart.

use jiff::tz::TimeZone;

use super::canvas::{Anchor, Canvas, Rgb, Style};
use super::{ChartError, MOST_RULES, label, parts, title};
use crate::notify::band::Bands;
use crate::notify::summary::{RuleLine, Summary};

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
    const HEIGHT: f32 = 540.0;
    const FOOT: f32 = HEIGHT - 62.0;
    const LEFT: f32 = MARGIN + 62.0;
    let mut canvas = begin(1000, 540, HEIGHT, summary, zone)?;
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
    finish(canvas, summary, FOOT - full / 2.0)
}

/// Bars that lie below each other, a rule each.
pub fn by_rule(summary: &Summary, zone: &TimeZone) -> Result<Vec<u8>, ChartError> {
    const ROW: f32 = 56.0;
    const LEFT: f32 = 440.0;
    const RIGHT: f32 = WIDTH - MARGIN - 110.0;
    let shown = summary.rules.iter().take(MOST_RULES);
    let left_out = summary.rules.len().saturating_sub(MOST_RULES);
    let rows = shown.len().max(2) + usize::from(left_out > 0);
    let height = TOP + places(rows) * ROW + MARGIN;
    // Rows are few: it fits.
    let pixels = u32::try_from(rows).unwrap_or_default() * 56 + 156 + 32;
    let mut canvas = begin(1000, pixels, height, summary, zone)?;
    let most = summary.rules.iter().map(|line| line.bands.total()).max().unwrap_or_default().max(1);
    for (i, line) in shown.enumerate() {
        let y = TOP + places(i) * ROW;
        canvas.text(&name(line), MARGIN, y + 36.0, LEFT - MARGIN - 18.0, PLAIN, Anchor::Left);
        let mut x = LEFT;
        for (_, n, color) in parts(&line.bands) {
            let width = (share(n, most) * (RIGHT - LEFT)).max(3.0);
            canvas.rect(x, y + 12.0, (width - 1.0).max(2.0), ROW - 24.0, color);
            x += width;
        }
        let style = if line.bands.total() == 0 { SMALL } else { STRONG };
        canvas.text(&line.bands.total().to_string(), x + 12.0, y + 36.0, 110.0, style, Anchor::Left);
    }
    canvas.rect(LEFT - 2.0, TOP, 2.0, places(rows - usize::from(left_out > 0)) * ROW, GRID);
    if left_out > 0 {
        let more = format!("and {}", crate::text::count(left_out, "rule more", "rules more"));
        canvas.text(&more, MARGIN, height - MARGIN - 20.0, LEFT, SMALL, Anchor::Left);
    }
    if summary.rules.is_empty() { finish(canvas, summary, TOP + ROW) } else { canvas.png() }
}

fn name(line: &RuleLine) -> String {
    let what = line.what.as_deref().unwrap_or("(removed)");
    let paused = if line.paused { " (paused)" } else { "" };
    format!("{}. {what}{paused}", line.number)
}

/// Paper, title, subtitle and legend.
fn begin(width: u32, pixels: u32, height: f32, summary: &Summary, zone: &TimeZone) -> Result<Canvas, ChartError> {
    let mut canvas = Canvas::new(width, pixels, EDGE)?;
    canvas.rect(2.0, 2.0, WIDTH - 4.0, height - 4.0, PAPER);
    let room = WIDTH - 2.0 * MARGIN;
    canvas.text(&title(summary, zone), MARGIN, 52.0, room, TITLE, Anchor::Left);
    let mut said = format!("{} in all", summary.total());
    if let Some(change) = summary.change() {
        said.push_str(&format!(", {change}"));
    }
    canvas.text(&said, MARGIN, 88.0, room, SMALL, Anchor::Left);
    legend(&mut canvas, &summary.bands);
    Ok(canvas)
}

fn legend(canvas: &mut Canvas, bands: &Bands) {
    let mut x = MARGIN;
    for (name, n, color) in parts(bands) {
        canvas.rect(x, 108.0, 18.0, 18.0, color);
        let text = format!("{name} {n}");
        canvas.text(&text, x + 26.0, 124.0, WIDTH - x - 26.0, SMALL, Anchor::Left);
        x += 26.0 + canvas.width(&text, SMALL) + 28.0;
    }
}

fn finish(mut canvas: Canvas, summary: &Summary, middle: f32) -> Result<Vec<u8>, ChartError> {
    if summary.total() == 0 {
        canvas.text("Nothing fired in this time.", WIDTH / 2.0, middle, WIDTH, PLAIN, Anchor::Middle);
    }
    canvas.png()
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
