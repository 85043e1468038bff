//! The arrays of a file that PyTorch wrote: the storages in a zip archive, and the pickle that says which part
//! of which storage an array is.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Cursor;
use std::rc::Rc;

use gradus_core::error::invalid;

use super::pickle::{Id, Node, Pickle};
use super::tensor::{Kind, Tensor};
use crate::data::zip::Archive;
use crate::error::Result;

/// How many wrappers around an array are looked through: parameters, and tensors of another class.
const MOST_WRAPPERS: usize = 4;

/// Storages of numbers by their keys.
pub(super) enum Storages<'a> {
    /// The entries of an archive whose names begin so. A checksum is verified once for each.
    Archive {
        archive: Rc<RefCell<Archive<Cursor<&'a [u8]>>>>,
        prefix: String,
        read: RefCell<HashMap<String, &'a [u8]>>,
    },
    /// Parts of a file of before PyTorch 1.6.
    Parts(HashMap<String, &'a [u8]>),
}

impl<'a> Storages<'a> {
    pub(super) fn new(archive: Archive<Cursor<&'a [u8]>>, prefix: String) -> Storages<'a> {
        let (archive, read) = (Rc::new(RefCell::new(archive)), RefCell::default());
        Storages::Archive { archive, prefix, read }
    }

    /// Those of another folder of the same archive.
    pub(super) fn beside(&self, folder: String) -> Storages<'a> {
        match self {
            Storages::Archive { archive, .. } => Storages::Archive {
                archive: Rc::clone(archive),
                prefix: folder,
                read: RefCell::default(),
            },
            Storages::Parts(parts) => Storages::Parts(parts.clone()),
        }
    }

    fn bytes(&self, key: &str) -> Result<&'a [u8]> {
        let missing = || invalid(format!("the file has no storage '{}'", key.escape_debug()));
        match self {
            Storages::Parts(parts) => parts.get(key).copied().ok_or_else(missing),
            Storages::Archive { archive, prefix, read } => {
                if let Some(bytes) = read.borrow().get(key) {
                    return Ok(bytes);
                }
                let mut archive = archive.borrow_mut();
                let entry = archive.find(&format!("{prefix}{key}")).ok_or_else(missing)?;
                let bytes = archive.stored(&entry)?;
                read.borrow_mut().insert(key.to_owned(), bytes);
                Ok(bytes)
            }
        }
    }

    /// The array that this value is; `None` if it is something else.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged, or of a kind that no dense layer has.
    pub(super) fn tensor(&self, pickle: &Pickle, id: Id) -> Result<Option<Tensor<'a>>> {
        let mut id = id;
        for _ in 0..MOST_WRAPPERS {
            let Some(object) = pickle.object(id) else { return Ok(None) };
            let arguments = pickle.elements(object.arguments).unwrap_or_default();
            match (object.class, arguments) {
                (
                    ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"),
                    &[inner, ..],
                ) => {
                    id = inner;
                }
                (("torch._tensor", "_rebuild_from_type_v2"), &[function, _, inner, ..]) => {
                    let arguments = pickle.elements(inner).unwrap_or_default();
                    let Node::Global(module, name) = *pickle.node(function) else {
                        return Ok(None);
                    };
                    match (module, name, arguments) {
                        ("torch._utils", "_rebuild_parameter", &[inner, ..]) => id = inner,
                        ("torch._utils", "_rebuild_tensor_v2", _) => {
                            return self.rebuilt(pickle, arguments).map(Some);
                        }
                        _ => return Ok(None),
                    }
                }
                (
                    (
                        "torch._utils",
                        "_rebuild_tensor_v2" | "_rebuild_tensor" | "_rebuild_tensor_v3",
                    ),
                    _,
                ) => {
                    return self.rebuilt(pickle, arguments).map(Some);
                }
                (("torch._utils", name), _) if name.starts_with("_rebuild_") => {
                    return Err(invalid(format!(
                        "an array that {name} makes (quantized, sparse or on another device), which \
                         gradus does not read"
                    )));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The array of a storage, an offset, sizes and strides.
    fn rebuilt(&self, pickle: &Pickle, arguments: &[Id]) -> Result<Tensor<'a>> {
        let damaged = || invalid("an array is described in a way that PyTorch does not write");
        let &[storage, offset, sizes, strides, ..] = arguments else { return Err(damaged()) };
        let whole = |id: Id| pickle.int(id).and_then(|value| usize::try_from(value).ok());
        let wholes = |id: Id| -> Option<Vec<usize>> {
            pickle.elements(id)?.iter().map(|&id| whole(id)).collect()
        };
        let (Some(offset), Some(shape), Some(strides)) =
            (whole(offset), wholes(sizes), wholes(strides))
        else {
            return Err(damaged());
        };
        let Node::Persistent(id) = *pickle.node(storage) else { return Err(damaged()) };
        let parts = pickle.elements(id).unwrap_or_default();
        let &[_, class, key, _, _, ref view @ ..] = parts else { return Err(damaged()) };
        if view.iter().any(|&view| !pickle.is_none(view)) {
            return Err(invalid(
                "a storage is a part of another one, as PyTorch wrote it before 0.4; save the model again",
            ));
        }
        let (&Node::Global(_, class), Some(key)) = (pickle.node(class), pickle.text(key)) else {
            return Err(damaged());
        };
        let kind = match (class, arguments.get(6).map(|&id| pickle.node(id))) {
            ("UntypedStorage", Some(&Node::Global("torch", name))) => kind(name),
            _ => kind(class),
        };
        Tensor::new(kind, shape, strides, offset, self.bytes(key)?)
    }
}

/// The type of numbers of this name.
fn kind(name: &str) -> Kind {
    match name {
        "FloatStorage" | "float32" => Kind::Single,
        "DoubleStorage" | "float64" => Kind::Double,
        "HalfStorage" | "float16" => Kind::Half,
        "BFloat16Storage" | "bfloat16" => Kind::Brain,
        "IntStorage" | "int32" => Kind::Int,
        "LongStorage" | "int64" => Kind::Long,
        _ => Kind::Other,
    }
}

/// Bytes of a number of each storage that a pickle names.
pub(super) fn storage_sizes<'p>(pickle: &Pickle<'p>) -> HashMap<&'p str, usize> {
    let mut sizes = HashMap::new();
    for parts in pickle.persistent() {
        if let &[_, class, key, ..] = parts
            && let (&Node::Global(_, class), Some(key)) = (pickle.node(class), pickle.text(key))
        {
            let size = match class {
                "ComplexDoubleStorage" => 16,
                "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => 8,
                "FloatStorage" | "IntStorage" => 4,
                "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
                _ => 1,
            };
            sizes.insert(key, size);
        }
    }
    sizes
}
