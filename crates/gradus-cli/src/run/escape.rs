//! Text for a terminal: names and messages from files and folders in, text that a terminal only shows out.
//!
//! A class, a column, a file or a folder may have any name. Printed as it is, a name with an escape
//! sequence could rename the window or hide what stands before it, and one with a line break could forge a
//! line of output. `output.rs` passes everything that it prints through here.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters per column that [`cut`] keeps at most: combining marks take no column of their own.
const CHARACTERS_PER_COLUMN: usize = 4;

/// Whether a terminal may act on a character instead of showing it: control characters (C0, DEL, C1), line
/// and paragraph separators, and those that change the direction of the text around them.
pub(crate) fn is_unprintable(c: char) -> bool {
    let separator = matches!(c, '\u{2028}' | '\u{2029}');
    let bidi = matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}');
    c.is_control() || separator || bidi
}

/// The text on one line: unprintable characters are written as in Rust, `\n` or `\u{1b}`. Letters of all
/// languages, combining marks and emoji stay.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    escaped_but(text, &[])
}

/// As [`escaped`], but the characters `kept` stay.
pub(crate) fn escaped_but<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let wanted = |c: char| is_unprintable(c) && !kept.contains(&c);
    if !text.contains(wanted) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match wanted(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The number of terminal columns that a text without unprintable characters takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The text escaped, and cut to this many columns with an ellipsis if it is longer.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let most_characters = CHARACTERS_PER_COLUMN * most;
    let start: String = text.chars().take(most_characters + 1).collect();
    let start = escaped(&start);
    if start.chars().count() <= most_characters && columns(&start) <= most {
        return start.into_owned();
    }
    let mut room = most.saturating_sub(1);
    let fits = |c: &char| match room.checked_sub(c.width().unwrap_or(0)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    let mut out: String = start.chars().take(most_characters).take_while(fits).collect();
    out.push('…');
    out
}

/// The text with spaces after it, in at least `width` columns.
pub(crate) fn padded(text: &str, width: usize) -> String {
    // Not a width of `format!`: those are at most 65,535, otherwise it panics.
    text.to_owned() + &" ".repeat(width.saturating_sub(columns(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        for (text, expected) in [
            ("\x1b]0;x\x07", r"\u{1b}]0;x\u{7}"),
            ("a\r\nTest: 100 %\tb", r"a\r\nTest: 100 %\tb"),
            ("\0\x7f\u{9b}31m", r"\u{0}\u{7f}\u{9b}31m"),
            ("\u{202e}txt\u{2066}\u{200f}", r"\u{202e}txt\u{2066}\u{200f}"),
            ("a\u{2028}b\u{85}", r"a\u{2028}b\u{85}"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn other_characters_stay() {
        for text in
            ["Größe", "猫", "قطة", "e\u{301}", "👩\u{200d}🔬", "नमस्ते", r"C:\new", "न\u{200c}"]
        {
            assert!(matches!(escaped(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn long_texts_are_cut_by_columns() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("猫猫猫", 6), "猫猫猫");
        assert_eq!(cut("猫猫猫", 5), "猫猫…");
        assert_eq!(cut("猫猫猫", 4), "猫…");
        assert_eq!(cut("\n\n", 3), r"\n…");
        assert_eq!(cut(&"x".repeat(70_000), 64).chars().count(), 64);
        // Marks without a width of their own are bounded by their number.
        assert!(cut(&"\u{301}".repeat(70_000), 64).chars().count() <= 4 * 64 + 1);
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(padded("猫", 4), "猫  ");
        assert_eq!(padded("e\u{301}", 2), "e\u{301} ");
        assert_eq!(padded("abc", 2), "abc");
        assert_eq!(padded("", 70_000).len(), 70_000);
    }
}
