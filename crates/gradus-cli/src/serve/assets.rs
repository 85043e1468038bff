//! The files of the page, from web/: a name in, a type and a text out.

use crate::run::digit_page::DRAW;

/// The page: the frame with all views.
pub(super) fn index() -> String {
    include_str!("../../web/index.html")
        .replace("{draw}", DRAW)
        .replace("{form}", include_str!("../../web/form.html"))
        .replace("{train}", include_str!("../../web/train.html"))
        .replace("{data}", include_str!("../../web/data.html"))
        .replace("{version}", env!("CARGO_PKG_VERSION"))
}

/// The type and the text of a file that the page loads.
pub(super) fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const STYLE: &str = "text/css; charset=utf-8";
    Some(match name {
        "api.js" => (SCRIPT, include_str!("../../web/api.js")),
        "app.js" => (SCRIPT, include_str!("../../web/app.js")),
        "chart.js" => (SCRIPT, include_str!("../../web/chart.js")),
        "data.js" => (SCRIPT, include_str!("../../web/data.js")),
        "dom.js" => (SCRIPT, include_str!("../../web/dom.js")),
        "draw.js" => (SCRIPT, include_str!("../../web/draw.js")),
        "fields.js" => (SCRIPT, include_str!("../../web/fields.js")),
        "form.js" => (SCRIPT, include_str!("../../web/form.js")),
        "format.js" => (SCRIPT, include_str!("../../web/format.js")),
        "runs.js" => (SCRIPT, include_str!("../../web/runs.js")),
        "settings.js" => (SCRIPT, include_str!("../../web/settings.js")),
        "train.js" => (SCRIPT, include_str!("../../web/train.js")),
        "visible.js" => (SCRIPT, include_str!("../../web/visible.js")),
        "style.css" => (STYLE, include_str!("../../web/style.css")),
        "live.css" => (STYLE, include_str!("../../web/live.css")),
        "uPlot.esm.js" => (SCRIPT, include_str!("../../web/vendor/uPlot.esm.js")),
        "uPlot.min.css" => (STYLE, include_str!("../../web/vendor/uPlot.min.css")),
        _ => return None,
    })
}
