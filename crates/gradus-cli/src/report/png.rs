//! Converts plots: SVG in, PNG out.

use anyhow::{Result, anyhow};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Pixels of the PNG per unit of the SVG.
const SCALE: f32 = 2.0;

/// Sans-serif fonts, the most common ones first.
const FONTS: [&str; 8] = [
    "DejaVu Sans",
    "Noto Sans",
    "Liberation Sans",
    "Roboto",
    "Arial",
    "Helvetica",
    "Segoe UI",
    "Verdana",
];

/// Draws plots with a font installed on this system.
pub(crate) struct Painter(Options<'static>);

impl Painter {
    /// # Errors
    /// If the system has no font.
    pub(crate) fn new() -> Result<Painter> {
        let mut options = Options::default();
        let fonts = options.fontdb_mut();
        fonts.load_system_fonts();
        let has = |name: &str| {
            fonts.faces().any(|face| face.families.iter().any(|(family, _)| family == name))
        };
        let common = FONTS.into_iter().find(|name| has(name)).map(str::to_owned);
        let any = || Some(fonts.faces().next()?.families.first()?.0.clone());
        let Some(font) = common.or_else(any) else {
            return Err(anyhow!(
                "no font found on this system, and a PNG without text would be useless: install one \
                 (such as DejaVu Sans), or use --format svg"
            ));
        };
        fonts.set_sans_serif_family(&font);
        fonts.set_serif_family(&font);
        options.font_family = font;
        Ok(Painter(options))
    }

    /// The plot as a PNG file, in light colours.
    ///
    /// # Errors
    /// If it is not a valid SVG, or too large.
    pub(crate) fn paint(&self, svg: &str) -> Result<Vec<u8>> {
        let tree = Tree::from_str(svg, &self.0)?;
        let size = tree.size();
        let [width, height] =
            [size.width(), size.height()].map(|side| (side * SCALE).ceil() as u32);
        let mut image = Pixmap::new(width, height)
            .ok_or_else(|| anyhow!("an image of {width} x {height} pixels is too large"))?;
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut image.as_mut());
        Ok(image.encode_png()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_their_colours_and_letters_are_drawn() {
        let painter = match Painter::new() {
            Ok(painter) => painter,
            Err(error) => {
                assert!(error.to_string().contains("--format svg"), "{error}");
                return;
            }
        };
        let svg = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20' \
                   font-family='system-ui, sans-serif'><style>.a .b{fill:#1f6fb4}</style>\
                   <g class='a'><rect class='b' width='10' height='20'/></g>\
                   <text x='15' y='15'>WWW</text></svg>";
        let image = Pixmap::decode_png(&painter.paint(svg).unwrap()).unwrap();
        assert_eq!((image.width(), image.height()), (80, 40));
        let pixel = image.pixel(10, 20).unwrap();
        assert_eq!((pixel.red(), pixel.green(), pixel.blue()), (0x1f, 0x6f, 0xb4));
        let drawn = image.pixels()[..].iter().enumerate();
        assert!(drawn.filter(|(at, pixel)| at % 80 > 28 && pixel.alpha() > 200).count() > 30);
    }
}
