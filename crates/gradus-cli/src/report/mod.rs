//! What a report is made of: a model or a history and perhaps data in, a page or its pieces as text
//! out. `report_data.rs` loads and measures, `page.rs` writes the page, `pieces.rs` the single plots and
//! tables, `png.rs` turns a plot into pixels.

mod report_data;
mod training_facts;
mod markup;
mod class_rows;
mod gallery;
mod page;
mod pieces;
mod png;

pub(crate) use page::page;
pub(crate) use pieces::{Piece, plots, tables};
pub(crate) use png::Painter;
pub(crate) use report_data::ReportData;
