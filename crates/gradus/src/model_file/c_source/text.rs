//! Pieces of C: numbers, arrays, comments, string literals, names.

use std::fmt::Write;

/// Numbers in a line.
const IN_A_LINE: usize = 12;

/// Names that C, C++ or a header gives a meaning to.
const RESERVED: &str = " alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl complex const \
    constexpr continue decltype default delete do double dynamic_cast else enum errno explicit export extern false float for \
    friend goto if imaginary inline int linux long mutable namespace new noexcept not not_eq nullptr operator or or_eq private \
    protected public register reinterpret_cast restrict return short signed signgam sizeof static static_assert static_cast \
    stderr stdin stdout struct switch template this thread_local throw true try typedef typeid typename typeof union unix unsigned \
    using virtual void volatile wchar_t while xor xor_eq NAN INFINITY NULL EOF BUFSIZ OVERFLOW UNDERFLOW DOMAIN SING PLOSS TLOSS I ";

/// What names of a header's macros begin with.
const RESERVED_FRONTS: [&str; 8] = ["FP_", "M_", "MATH_", "HUGE", "RAND_", "EXIT_", "SEEK_", "L_"];

/// A name as C allows it: letters, digits and underscores, not beginning with a digit.
pub(super) fn identifier(name: &str, front: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(allowed).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("{front}{name}"),
    }
}

/// The name of a column as that of a field of a struct.
pub(super) fn identifier_of_column(name: &str) -> String {
    let name = identifier(name, "column_");
    let is_reserved = RESERVED.contains(&format!(" {name} "))
        || RESERVED_FRONTS.iter().any(|front| name.starts_with(front));
    if is_reserved { name + "_" } else { name }
}

/// Adds an array with its values.
pub(super) fn array(text: &mut String, declaration: &str, values: impl Iterator<Item = String>) {
    let values: Vec<String> = values.collect();
    let lines: Vec<String> = values.chunks(IN_A_LINE).map(|line| line.join(", ")).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{declaration}[{}] = {{\n{}}};\n", values.len(), lines.join(",\n"));
}

/// The shortest decimal that is this number in single precision.
pub(super) fn float(value: f32) -> String {
    format!("{value:?}f")
}

/// A text inside a comment: on one line, and without what would end the comment.
pub(super) fn comment(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.replace("*/", "* /").replace("/*", "/ *").replace('\\', "/")
}

/// A string literal. All but letters, digits and spaces are written in octal, three digits, which no digit after them
/// can change, so that neither escapes nor trigraphs can arise.
pub(super) fn literal(text: &str) -> String {
    let mut written = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b' ' | b'-' | b'_' | b'.' => written.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => written.push(char::from(byte)),
            _ => {
                let _ = write!(written, "\\{byte:03o}");
            }
        }
    }
    written + "\""
}
