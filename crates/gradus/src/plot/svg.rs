//! A drawing as SVG text: shapes in, a complete document out.

use std::fmt::Write as _;

/// Colours and fonts of all plots. Print is always light.
const STYLE: &str = "\
.gradus-plot .ground{fill:#fff}\
.gradus-plot text{fill:#1c1f23;font-variant-numeric:tabular-nums}\
.gradus-plot .title{font-size:15px;font-weight:600}\
.gradus-plot .soft{fill:#59616b}\
.gradus-plot .grid{stroke:#e4e7ea}\
.gradus-plot .axis{stroke:#8b939c}\
.gradus-plot .line{fill:none;stroke-width:2;stroke-linejoin:round}\
.gradus-plot .blue{stroke:#1f6fb4}\
.gradus-plot .orange{stroke:#b5550b}\
.gradus-plot .blue-fill{fill:#1f6fb4}\
.gradus-plot .orange-fill{fill:#b5550b}\
.gradus-plot .second{stroke-dasharray:6 3}\
.gradus-plot a:focus rect,.gradus-plot a:hover rect{stroke:#1c1f23;stroke-width:2}\
@media screen and (prefers-color-scheme:dark){\
.gradus-plot .ground{fill:#16191d}\
.gradus-plot text{fill:#e4e7ea}\
.gradus-plot .soft{fill:#a3abb5}\
.gradus-plot .grid{stroke:#2c3137}\
.gradus-plot .axis{stroke:#79828c}\
.gradus-plot .blue{stroke:#76b5ee}\
.gradus-plot .orange{stroke:#f0a35e}\
.gradus-plot .blue-fill{fill:#76b5ee}\
.gradus-plot .orange-fill{fill:#f0a35e}\
.gradus-plot a:focus rect,.gradus-plot a:hover rect{stroke:#e4e7ea}\
}";

/// The average width of a letter of the usual size, in pixels.
pub(super) const LETTER: f64 = 7.2;

/// Font size.
pub(super) const FONT: f64 = 13.0;

/// Which end of a text is at its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing under construction.
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
    links: bool,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Svg {
        Svg { width, height, body: String::new(), links: false }
    }

    /// Writing to a `String` cannot fail.
    fn add(&mut self, element: std::fmt::Arguments) {
        let _ = self.body.write_fmt(element);
        self.body.push('\n');
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        self.add(format_args!(
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        ));
    }

    /// A line through the points, with a gap at every point that is not finite.
    pub(super) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        let mut pen = 'M';
        for &(x, y) in points {
            if !(x.is_finite() && y.is_finite()) {
                pen = 'M';
                continue;
            }
            let _ = write!(path, "{pen}{} {}", number(x), number(y));
            pen = 'L';
        }
        self.add(format_args!("<path class=\"line {class}\" d=\"{path}\"/>"));
    }

    /// A rectangle from its upper left corner, of an opacity between 0 and 1.
    pub(super) fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64), opacity: f64) {
        let [x, y, width, height] = [at.0, at.1, size.0, size.1].map(number);
        let opacity = match opacity < 1.0 {
            true => format!(" fill-opacity=\"{}\"", number(opacity)),
            false => String::new(),
        };
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"{opacity}/>"
        ));
    }

    /// A dot with a tooltip.
    pub(super) fn dot(&mut self, class: &str, at: (f64, f64), radius: f64, words: &str) {
        let [x, y, radius] = [at.0, at.1, radius].map(number);
        let words = escape(words);
        self.add(format_args!(
            "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"><title>{words}</title></circle>"
        ));
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        self.turned_text(class, at, anchor, 0.0, text);
    }

    /// A text rotated about its point, in degrees, with its own font size unless that is the usual one.
    pub(super) fn turned_text(
        &mut self,
        class: &str,
        at: (f64, f64),
        anchor: Anchor,
        degrees: f64,
        text: &str,
    ) {
        let [x, y] = [at.0, at.1].map(number);
        let anchor = anchor_of(anchor);
        let text = escape(text);
        let turn = match degrees == 0.0 {
            true => String::new(),
            false => format!(" transform=\"rotate({} {x} {y})\"", number(degrees)),
        };
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}{turn}>{text}</text>"
        ));
    }

    /// A text centred on its point, with a font size in pixels.
    pub(super) fn sized_text(&mut self, at: (f64, f64), size: f64, text: &str) {
        let [x, y, size] = [at.0, at.1 + 0.36 * size, size].map(number);
        let text = escape(text);
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"{size}\">{text}</text>"
        ));
    }

    /// An image whose pixels stay sharp; `address` is that of [`super::image_url`].
    pub(super) fn image(&mut self, at: (f64, f64), size: (f64, f64), address: &str) {
        let [x, y, width, height] = [at.0, at.1, size.0, size.1].map(number);
        self.add(format_args!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             image-rendering=\"optimizeSpeed\" style=\"image-rendering:pixelated\" \
             preserveAspectRatio=\"none\" href=\"{address}\"/>"
        ));
    }

    /// What `content` draws, with a tooltip and optionally a link.
    pub(super) fn group(
        &mut self,
        words: &str,
        link: Option<&str>,
        content: impl FnOnce(&mut Svg),
    ) {
        let words = escape(words);
        match link {
            Some(link) => {
                self.links = true;
                let link = escape(link);
                self.add(format_args!("<a href=\"{link}\" aria-label=\"{words}\">"));
            }
            None => self.add(format_args!("<g>")),
        }
        self.add(format_args!("<title>{words}</title>"));
        content(self);
        self.add(format_args!("{}", if link.is_some() { "</a>" } else { "</g>" }));
    }

    /// The document; screen readers read title and description.
    pub(super) fn finish(self, title: &str, description: &str) -> String {
        let [width, height] = [self.width, self.height].map(number);
        // An image has no parts for a screen reader, but links must be reachable.
        let role = if self.links { "group" } else { "img" };
        let (title, description) = (escape(title), escape(description));
        let body = self.body;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"gradus-plot\" role=\"{role}\" \
             viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif\" \
             font-size=\"{FONT}\" aria-label=\"{title}. {description}\">\n\
             <title>{title}</title>\n<desc>{description}</desc>\n<style>{STYLE}</style>\n\
             <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n"
        )
    }
}

fn anchor_of(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    }
}

/// A coordinate to a hundredth, as short as that allows.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text escaped for XML and HTML, in elements and attributes. Control characters, which XML does not
/// allow, become spaces.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Letters of East Asian scripts and emoji are twice as wide.
fn letter_width(letter: char) -> usize {
    if u32::from(letter) >= 0x1100 { 2 } else { 1 }
}

/// The text cut to the width of about this many letters. Its beginning and its end stay, because names tend
/// to differ there.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().map(letter_width).sum::<usize>() <= most {
        return text.to_owned();
    }
    let fitting = |letters: &mut dyn Iterator<Item = char>, room: usize| -> Vec<char> {
        let mut used = 0;
        letters
            .take_while(|&letter| {
                used += letter_width(letter);
                used <= room
            })
            .collect()
    };
    let room = most.saturating_sub(1);
    let beginning = fitting(&mut text.chars(), room.div_ceil(2));
    let end = fitting(&mut text.chars().rev(), room / 2);
    beginning.into_iter().chain(['\u{2026}']).chain(end.into_iter().rev()).collect()
}

/// The approximate width of a text in the usual size.
pub(super) fn width_of(text: &str) -> f64 {
    LETTER * text.chars().map(letter_width).sum::<usize>() as f64
}

/// A whole number with separators: `60,000`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_safe_and_short() {
        assert_eq!(escape("<a b=\"c\">'&\u{0}\n"), "&lt;a b=&quot;c&quot;&gt;&#39;&amp;  ");
        assert_eq!(shortened("T-shirt/top", 12), "T-shirt/top");
        assert_eq!(shortened("class number 217", 12), "class \u{2026}r 217");
        assert_eq!(shortened("ゆゆゆゆ", 6), "ゆ\u{2026}ゆ");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([1.0, 0.126, -0.001, 12.5].map(number), ["1", "0.13", "0", "12.5"]);
        assert_eq!([7, 999, 1000, 1234567].map(grouped), ["7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_curve_is_interrupted_where_there_is_no_number() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.curve("blue", &[(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 4.0)]);
        assert!(svg.body.contains("d=\"M0 1M2 3L3 4\""), "{}", svg.body);
    }
}
