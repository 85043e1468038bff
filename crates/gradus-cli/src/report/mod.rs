//! The content of a report: a model or a history and possibly data in, a page or single plots and tables
//! out. `report_data.rs` loads and measures, `page.rs` writes the page, `pieces.rs` the plots and tables,
//! `png.rs` turns a plot into pixels.

mod report_data;
mod training_facts;
mod markup;
mod class_rows;
mod gallery;
mod columns;
mod page;
mod pieces;
mod png;

pub(crate) use page::page;
pub(crate) use pieces::{PLOTS, Piece, TABLES, plots, tables};
pub(crate) use png::Painter;
pub(crate) use report_data::ReportData;
