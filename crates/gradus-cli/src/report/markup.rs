//! HTML elements: plain text in, escaped markup out.

use gradus::plot::escape;

/// A table with a heading for each column; the first cell of a row is its heading. The other columns are
/// right-aligned numbers.
pub(super) fn table(caption: &str, headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("<div class=\"scroll\"><table><caption>{}</caption>\n", escape(caption));
    let cells: String = headings
        .iter()
        .map(|heading| format!("<th scope=\"col\">{}</th>", escape(heading)))
        .collect();
    text += &format!("<thead><tr>{cells}</tr></thead>\n<tbody>\n");
    for row in rows {
        let mut cells = row.iter();
        let first = cells.next().map(|cell| format!("<th scope=\"row\">{}</th>", escape(cell)));
        let others: String = cells.map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        text += &format!("<tr>{}{others}</tr>\n", first.unwrap_or_default());
    }
    text + "</tbody></table></div>\n"
}

/// A list of names and values.
pub(super) fn facts(rows: &[(String, String)]) -> String {
    let row = |(name, value): &(String, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value))
    };
    format!("<dl class=\"facts\">\n{}</dl>\n", rows.iter().map(row).collect::<String>())
}

/// A section of the page with a heading; `content` is HTML.
pub(super) fn section(id: &str, heading: &str, content: &str) -> String {
    let heading = escape(heading);
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-heading\">\n<h2 id=\"{id}-heading\">{heading}</h2>\n\
         {content}</section>\n"
    )
}

/// A paragraph of plain text.
pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

/// Plots, side by side if there is room.
pub(super) fn plots(plots: &[String]) -> String {
    let plot = |svg: &String| format!("<div class=\"plot\">{svg}</div>\n");
    format!("<div class=\"plots\">\n{}</div>\n", plots.iter().map(plot).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let rows = [vec!["<b>".to_owned(), "1 & 2".to_owned()]];
        let text = table("a < b", &["x", "\"y\""], &rows);
        assert!(text.contains("<th scope=\"row\">&lt;b&gt;</th><td>1 &amp; 2</td>"), "{text}");
        assert!(text.contains("<caption>a &lt; b</caption>") && text.contains("&quot;y&quot;"));
        let text = facts(&[("<i>".into(), "</dl>".into())]);
        assert!(text.contains("<dt>&lt;i&gt;</dt><dd>&lt;/dl&gt;</dd>"), "{text}");
        assert_eq!(paragraph("<p>"), "<p>&lt;p&gt;</p>\n");
    }
}
