//! Reads graphs of columns and of bags that gradus wrote: the layers and the schema stand in the metadata, the parameters in constants
//! with the names of their tensors, so that no node is looked at.

use std::collections::HashMap;

use gradus_core::model_file::metadata::{self, Metadata};

use super::constants::Constant;
use super::messages::{Graph, Tensor};
use crate::classifier::Model;
use crate::error::Result;

/// Whether the graph of this model is read so: its nodes are more than a row of layers.
pub(super) fn is_by_name(model: &Model) -> bool {
    model.network.columns().is_some() || model.transform.schema().is_some() || model.members() > 1
}

/// The model in a graph with such metadata; none for other graphs.
///
/// # Errors
/// `InvalidData` if a part is missing or does not fit.
pub(super) fn model(metadata: &Metadata, graph: &Graph) -> Result<Option<Model>> {
    let mut stored = 0usize;
    for tensor in &graph.initializer {
        stored = stored.saturating_add(Constant::new(tensor).stored()?);
    }
    // Underscores keep names apart from those of columns.
    let named = |tensor: &'_ Tensor| tensor.name.trim_end_matches('_').to_owned();
    let constants: HashMap<String, &Tensor> =
        graph.initializer.iter().map(|it| (named(it), it)).collect();
    metadata::read_with_tensors(metadata, stored, |member, name| {
        // Each network of a bag has names of its own.
        let name = member.map_or_else(|| name.to_owned(), |at| format!("member{at}_{name}"));
        match constants.get(&name) {
            Some(tensor) => Constant::new(tensor).floats(),
            None => Err(metadata::damaged(format!("it has no constant '{name}'"))),
        }
    })
}
