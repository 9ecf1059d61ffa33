//! Rectangles and text on a picture, and the picture as PNG.

use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use super::ChartError;
use crate::chat::text::visible;

/// `0xRRGGBB`.
pub type Rgb = u32;

pub struct Canvas {
    pixmap: Pixmap,
    regular: Face<'static>,
    bold: Face<'static>,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub size: f32,
    pub bold: bool,
    pub color: Rgb,
}

/// Which end of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Left,
    Middle,
    Right,
}

impl Canvas {
    pub fn new(width: u32, height: u32, background: Rgb) -> Result<Self, ChartError> {
        let mut pixmap = Pixmap::new(width, height).ok_or(ChartError::Size)?;
        pixmap.fill(color(background));
        let face = |bytes| Face::parse(bytes, 0).map_err(|e| ChartError::Font(e.to_string()));
        Ok(Self { pixmap, regular: face(dejavu::sans::regular())?, bold: face(dejavu::sans::bold())? })
    }

    pub fn png(&self) -> Result<Vec<u8>, ChartError> {
        self.pixmap.encode_png().map_err(|e| ChartError::Png(e.to_string()))
    }

    /// What has no width or height is not drawn.
    pub fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, fill: Rgb) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height).filter(|_| width > 0.0 && height > 0.0) {
            self.pixmap.fill_rect(rect, &paint(fill), Transform::identity(), None);
        }
    }

    /// `y` is the base line. Nothing is drawn right of `x + most`: what does not fit is cut.
    pub fn text(&mut self, text: &str, x: f32, y: f32, most: f32, style: Style, anchor: Anchor) {
        let text = self.fit(text, most, style);
        let mut x = match anchor {
            Anchor::Left => x,
            Anchor::Middle => x - self.width(&text, style) / 2.0,
            Anchor::Right => x - self.width(&text, style),
        };
        for c in text.chars() {
            let (glyph, advance) = self.glyph(c, style);
            let face = self.face(style);
            let mut outline = Outline { path: PathBuilder::new(), scale: scale(face, style), x, y };
            face.outline_glyph(glyph, &mut outline);
            if let Some(path) = outline.path.finish() {
                self.fill(&path, style.color);
            }
            x += advance;
        }
    }

    pub fn width(&self, text: &str, style: Style) -> f32 {
        text.chars().map(|c| self.glyph(c, style).1).sum()
    }

    /// The text harmless and on one line, with an ellipsis if it would be wider than `most`.
    pub fn fit(&self, text: &str, most: f32, style: Style) -> String {
        let text = visible(text);
        let mut out = String::new();
        let mut width = 0.0;
        // Where an ellipsis still fits.
        let (mut safe, dots) = (0, self.width("…", style));
        for c in text.chars() {
            width += self.glyph(c, style).1;
            if width > most {
                out.truncate(safe);
                out.push('…');
                return out;
            }
            out.push(c);
            if width + dots <= most {
                safe = out.len();
            }
        }
        out
    }

    fn fill(&mut self, path: &Path, fill: Rgb) {
        let mut paint = paint(fill);
        paint.anti_alias = true;
        self.pixmap.fill_path(path, &paint, FillRule::Winding, Transform::identity(), None);
    }

    fn face(&self, style: Style) -> &Face<'static> {
        if style.bold { &self.bold } else { &self.regular }
    }

    /// What the font does not have is shown as the character for that.
    fn glyph(&self, c: char, style: Style) -> (GlyphId, f32) {
        let face = self.face(style);
        let glyph = face.glyph_index(c).or_else(|| face.glyph_index('\u{fffd}')).unwrap_or_default();
        (glyph, f32::from(face.glyph_hor_advance(glyph).unwrap_or_default()) * scale(face, style))
    }
}

fn scale(face: &Face<'_>, style: Style) -> f32 {
    style.size / f32::from(face.units_per_em().max(1))
}

fn color(rgb: Rgb) -> Color {
    let [_, r, g, b] = rgb.to_be_bytes();
    Color::from_rgba8(r, g, b, 255)
}

fn paint(fill: Rgb) -> Paint<'static> {
    let mut paint = Paint { anti_alias: false, ..Paint::default() };
    paint.set_color(color(fill));
    paint
}

/// A glyph's outline, from the font's units to the picture's: `y` goes down here.
struct Outline {
    path: PathBuilder,
    scale: f32,
    x: f32,
    y: f32,
}

impl Outline {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
