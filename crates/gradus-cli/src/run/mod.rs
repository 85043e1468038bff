//! What several commands share, in the order in which data flow through it.

pub(crate) mod escape;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod ranks;
pub(crate) mod stop;
pub(crate) mod saving;
pub(crate) mod workers;
pub(crate) mod describe;
pub(crate) mod drawing;
pub(crate) mod model;
pub(crate) mod effects;
pub(crate) mod scale;
pub(crate) mod settings;
pub(crate) mod file_kind;
pub(crate) mod source;
pub(crate) mod training_data;
pub(crate) mod defaults;
pub(crate) mod labelled_data;
pub(crate) mod samples;
pub(crate) mod target;
pub(crate) mod test_result;
pub(crate) mod metadata;
pub(crate) mod checkpoints;
pub(crate) mod outputs;
pub(crate) mod page_file;
pub(crate) mod digit_page;
