//! The bot's own picture: a checklist, drawn here so that it belongs to this project.

use tiny_skia::{Color, LineCap, Paint, PathBuilder, Pixmap, Rect, Stroke, Transform};

/// Pixels of each side.
const SIDE: u32 = 256;
const GROUND: (u8, u8, u8) = (0x1c, 0x2b, 0x4a);
const LIGHT: (u8, u8, u8) = (0xf4, 0xf6, 0xfa);
const DONE: (u8, u8, u8) = (0x3d, 0xd6, 0x8c);
/// The middle of each line of the list, and whether it is ticked.
const LINES: [(f32, bool); 3] = [(76.0, true), (128.0, true), (180.0, false)];

/// As PNG; none where it cannot be drawn.
pub fn png() -> Option<Vec<u8>> {
    let mut picture = Pixmap::new(SIDE, SIDE)?;
    picture.fill(Color::from_rgba8(GROUND.0, GROUND.1, GROUND.2, 255));
    for (middle, ticked) in LINES {
        let bar = Rect::from_xywh(116.0, middle - 8.0, 92.0, 16.0)?;
        picture.fill_rect(bar, &paint(LIGHT), Transform::identity(), None);
        let mut path = PathBuilder::new();
        let color = if ticked {
            path.move_to(50.0, middle);
            path.line_to(64.0, middle + 14.0);
            path.line_to(90.0, middle - 16.0);
            DONE
        } else {
            path.push_rect(Rect::from_xywh(54.0, middle - 14.0, 30.0, 28.0)?);
            LIGHT
        };
        let stroke = Stroke { width: 10.0, line_cap: LineCap::Round, ..Stroke::default() };
        picture.stroke_path(&path.finish()?, &paint(color), &stroke, Transform::identity(), None);
    }
    picture.encode_png().ok()
}

fn paint((red, green, blue): (u8, u8, u8)) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_small_picture() {
        let png = png().expect("it can be drawn");
        assert!(png.starts_with(b"\x89PNG") && png.len() < 20_000, "{} bytes", png.len());
        let picture = Pixmap::decode_png(&png).expect("it can be read");
        assert_eq!((picture.width(), picture.height()), (SIDE, SIDE));
        // The ground, and a line of the list.
        let at = |x, y| picture.pixel(x, y).map(|p| (p.red(), p.green(), p.blue()));
        assert_eq!((at(4, 4), at(160, 76)), (Some(GROUND), Some(LIGHT)));
    }
}
