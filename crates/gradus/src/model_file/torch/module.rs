//! Whole modules, as `torch.save(model)` writes them: a tree of objects in, operations in their order out.
//!
//! The classes of `torch.nn` are known by name, and their attributes are read as data. What a class of the
//! user's own program does is not in the file: its parts are taken in the order of their definition, with a warning.

use gradus_core::error::invalid;

use super::archive::Storages;
use super::ops::{EPSILON, Norm, Op, activation};
use super::pickle::{Id, Object, Pickle};
use super::tensor::Tensor;
use crate::error::Result;

/// The most modules inside each other, and the most in all: one may occur again and again.
const MOST_DEPTH: usize = 32;
const MOST_MODULES: usize = 2_000;

/// Modules that do nothing when predicting.
const PASSIVE: [&str; 8] = [
    "Identity",
    "Dropout",
    "Dropout1d",
    "AlphaDropout",
    "FeatureAlphaDropout",
    "Flatten",
    "Sequential",
    "ModuleList",
];

/// Modules around another one.
const WRAPPERS: [&str; 4] =
    ["DataParallel", "DistributedDataParallel", "OptimizedModule", "AveragedModel"];

/// What a module computes.
pub(super) struct Modules<'a> {
    pub(super) ops: Vec<(String, Op<'a>)>,
    /// Whether no activation is among the parts of a class of the user's.
    pub(super) lacks_activations: bool,
    pub(super) warnings: Vec<String>,
}

/// Whether the object is a module.
pub(super) fn is_module(pickle: &Pickle, object: &Object) -> bool {
    pickle.attribute(object, "_modules").is_some()
}

/// The operations of this module.
///
/// # Errors
/// `InvalidData` if it is not a stack of dense layers.
pub(super) fn read<'a>(
    pickle: &Pickle,
    storages: &Storages<'a>,
    module: Id,
) -> Result<Modules<'a>> {
    let mut reader = Reader {
        pickle,
        storages,
        found: Modules { ops: Vec::new(), lacks_activations: false, warnings: Vec::new() },
        seen: 0,
    };
    reader.module(module, "", 0)?;
    Ok(reader.found)
}

struct Reader<'r, 'p, 'a> {
    pickle: &'r Pickle<'p>,
    storages: &'r Storages<'a>,
    found: Modules<'a>,
    /// Modules so far.
    seen: usize,
}

impl<'p, 'a> Reader<'_, 'p, 'a> {
    fn module(&mut self, id: Id, name: &str, depth: usize) -> Result<()> {
        self.seen += 1;
        if depth > MOST_DEPTH || self.seen > MOST_MODULES {
            return Err(invalid(format!(
                "it has more than {MOST_DEPTH} modules inside each other, or {MOST_MODULES} in all"
            )));
        }
        let Some(object) = self.pickle.object(id).filter(|object| is_module(self.pickle, object))
        else {
            return Err(invalid(format!("'{}' is not a module", name.escape_debug())));
        };
        let (module, class) = object.class;
        let children = self.children(object);
        let is_torch = module == "torch.nn" || module.starts_with("torch.");
        if !is_torch {
            return self.of_a_program(object, &children, name, depth);
        }
        match class {
            "Sequential" => self.each(&children, name, depth),
            _ if WRAPPERS.contains(&class) => match children[..] {
                [(_, child)] => self.module(child, name, depth + 1),
                _ => Err(invalid(format!("a {class} without its module"))),
            },
            _ => {
                let ops = self.layer(object).map_err(|error| {
                    error.context(format!("module '{}' ({class})", name.escape_debug()))
                })?;
                self.found.ops.extend(ops.map(|op| (name.to_owned(), op)));
                Ok(())
            }
        }
    }

    fn each(&mut self, children: &[(&'p str, Id)], name: &str, depth: usize) -> Result<()> {
        for (part, child) in children {
            let name = if name.is_empty() { (*part).to_owned() } else { format!("{name}.{part}") };
            self.module(*child, &name, depth + 1)?;
        }
        Ok(())
    }

    fn children(&self, object: &Object) -> Vec<(&'p str, Id)> {
        let modules = self.pickle.attribute(object, "_modules");
        let mut children = modules.map(|it| self.pickle.entries(it)).unwrap_or_default();
        // A part that was set to None is not there.
        children.retain(|(_, child)| !self.pickle.is_none(*child));
        children
    }

    /// The class name of a part.
    fn class(&self, id: Id) -> (&'p str, &'p str) {
        self.pickle.object(id).map_or(("", ""), |object| object.class)
    }

    /// A class of the user's program.
    fn of_a_program(
        &mut self,
        object: &Object<'p>,
        children: &[(&'p str, Id)],
        name: &str,
        depth: usize,
    ) -> Result<()> {
        let class = object.class.1.escape_debug().to_string();
        let own = self.pickle.attribute(object, "_parameters");
        let has_own = own.is_some_and(|own| {
            self.pickle.entries(own).iter().any(|(_, value)| !self.pickle.is_none(*value))
        });
        if has_own {
            return Err(invalid(format!(
                "the class {class} has weights of its own, and what it does with them is not in the file; \
                 export the model as .onnx"
            )));
        }
        let is_passive = |id: Id| {
            let (module, class) = self.class(id);
            let empty = self.pickle.object(id).is_some_and(|it| self.children(it).is_empty());
            module.starts_with("torch.nn.") && empty && PASSIVE.contains(&class)
        };
        let active: Vec<_> = children.iter().copied().filter(|&(_, id)| !is_passive(id)).collect();
        let is = |id: Id, wanted: fn(&str) -> bool| {
            let (module, class) = self.class(id);
            module.starts_with("torch.nn.") && wanted(class)
        };
        let linears = active.iter().filter(|it| is(it.1, |class| class == "Linear")).count();
        let functions: Vec<_> =
            active.iter().copied().filter(|it| is(it.1, is_activation)).collect();
        match &active[..] {
            [(part, child)] => {
                self.warning(format!(
                    "the code of the class {class} is not in the file: it is assumed to apply its part '{}' and \
                     nothing else that changes the prediction",
                    part.escape_debug()
                ));
                self.each(&[(*part, *child)], name, depth)
            }
            parts if linears > 0 && linears + functions.len() == parts.len() => {
                self.linears(&class, parts, &functions, (name, depth))
            }
            _ => {
                if active.iter().any(|it| is(it.1, |class| class.starts_with("BatchNorm")))
                    || linears > 1
                {
                    return Err(invalid(format!(
                        "the code of the class {class} is not in the file, and the order in which it applies \
                         its parts is not clear; export the model as .onnx, or as \
                         torch.jit.script(model).save(\"model.pt\")"
                    )));
                }
                self.warning(format!(
                    "the code of the class {class} is not in the file: it is assumed to apply its parts in the \
                     order of their definition, and nothing else that changes the prediction"
                ));
                self.each(&active, name, depth)
            }
        }
    }

    /// Dense layers of a class of the user's, with one activation for all or one behind each, or none.
    fn linears(
        &mut self,
        class: &str,
        parts: &[(&'p str, Id)],
        functions: &[(&'p str, Id)],
        (name, depth): (&str, usize),
    ) -> Result<()> {
        let mut layers = Vec::new();
        for (part, child) in parts {
            let before = self.found.ops.len();
            self.each(&[(*part, *child)], name, depth)?;
            layers.push(self.found.ops.split_off(before));
        }
        let is_linear = |ops: &[(String, Op)]| matches!(ops, [(_, Op::Linear(..))]);
        let last = layers.iter().filter(|it| is_linear(it)).count() - 1;
        let alternate = layers.iter().enumerate().all(|(at, ops)| is_linear(ops) == (at % 2 == 0));
        let mut kinds: Vec<Op> = Vec::new();
        for ops in layers.iter().filter(|it| !is_linear(it)) {
            for (_, op) in ops.iter().filter(|(_, op)| !matches!(op, Op::End)) {
                let same = |other: &Op| matches!((op, other), (Op::Activation(a), Op::Activation(b)) if a == b);
                if !kinds.iter().any(same) {
                    kinds.push(op.clone());
                }
            }
        }
        if alternate && kinds.len() > 1 || functions.is_empty() && last == 0 {
            self.warning(format!(
                "the code of the class {class} is not in the file: it is assumed to apply its parts in the order of \
                 their definition, and nothing else that changes the prediction"
            ));
            self.found.ops.extend(layers.into_iter().flatten());
            return Ok(());
        }
        if kinds.len() > 1 {
            return Err(invalid(format!(
                "the code of the class {class} is not in the file, and which of its activations follows which \
                 layer is not clear; export the model as .onnx, or as torch.jit.script(model).save(\"model.pt\")"
            )));
        }
        match kinds.first() {
            Some(_) => self.warning(format!(
                "the code of the class {class} is not in the file: its activation is assumed between all of its \
                 dense layers"
            )),
            None => self.found.lacks_activations = true,
        }
        for (number, ops) in layers.into_iter().filter(|it| is_linear(it)).enumerate() {
            self.found.ops.extend(ops);
            if let Some(kind) = kinds.first().filter(|_| number < last) {
                self.found.ops.push((String::new(), kind.clone()));
            }
        }
        Ok(())
    }

    fn warning(&mut self, text: String) {
        if !self.found.warnings.contains(&text) {
            self.found.warnings.push(text);
        }
    }

    /// What a module of torch.nn without parts does.
    fn layer(&self, object: &Object<'p>) -> Result<Option<Op<'a>>> {
        let class = object.class.1;
        let number =
            |name| self.pickle.attribute(object, name).and_then(|value| self.pickle.number(value));
        match class {
            "Linear" | "NonDynamicallyQuantizableLinear" => {
                let weight = self.parameter(object, "weight")?;
                let weight = weight.ok_or_else(|| {
                    invalid("it has no weight: weights that are computed from others are not read")
                })?;
                Ok(Some(Op::Linear(weight, self.parameter(object, "bias")?)))
            }
            "BatchNorm1d" | "SyncBatchNorm" => {
                let part = |name| self.array(object, "_buffers", name);
                let (Some(mean), Some(variance)) = (part("running_mean")?, part("running_var")?)
                else {
                    return Err(invalid(
                        "it has no running mean and variance: it normalizes each batch by itself",
                    ));
                };
                let scale = self.parameter(object, "weight")?;
                let shift = self.parameter(object, "bias")?;
                let epsilon = number("eps").unwrap_or(EPSILON);
                Ok(Some(Op::Norm(Norm { scale, shift, mean, variance, epsilon })))
            }
            "PReLU" => match self.parameter(object, "weight")? {
                Some(slopes) => Ok(Some(Op::Slopes(slopes))),
                None => Err(invalid("it has no slope")),
            },
            "GELU" => {
                let kind = self.pickle.attribute(object, "approximate");
                match kind.and_then(|kind| self.pickle.text(kind)) {
                    None | Some("none") => activation("gelu", None).transpose(),
                    Some(_) => {
                        Err(invalid("it is the approximation by tanh, gradus's GELU is exact"))
                    }
                }
            }
            // Its mean slope, when predicting.
            "RReLU" => {
                let slope = number("lower").zip(number("upper")).map(|(a, b)| (a + b) / 2.0);
                activation("leakyrelu", slope).transpose()
            }
            "Flatten" if number("start_dim").is_some_and(|axis| axis != 1.0) => {
                Err(invalid("it flattens other dimensions than all but the first"))
            }
            "Softmax" | "LogSoftmax" => match number("dim") {
                None | Some(1.0 | -1.0) => Ok(Some(Op::End)),
                Some(axis) => Err(invalid(format!("its dim is {axis}, expected 1: the classes"))),
            },
            _ if PASSIVE.contains(&class) => Ok(None),
            _ => {
                let constant = number("negative_slope").or(number("alpha"));
                let found = activation(&class.to_lowercase(), constant).transpose()?;
                found.map(Some).ok_or_else(|| {
                    invalid(
                        "gradus does not have this module; a dense network may have Linear, activations, \
                         BatchNorm1d, Dropout, Flatten, Identity, Softmax and Sequential",
                    )
                })
            }
        }
    }

    fn parameter(&self, object: &Object<'p>, name: &str) -> Result<Option<Tensor<'a>>> {
        self.array(object, "_parameters", name)
    }

    fn array(&self, object: &Object<'p>, holder: &str, name: &str) -> Result<Option<Tensor<'a>>> {
        let Some(holder) = self.pickle.attribute(object, holder) else { return Ok(None) };
        let entries = self.pickle.entries(holder);
        match entries.into_iter().rev().find(|(key, _)| *key == name) {
            Some((_, value)) => self.storages.tensor(self.pickle, value),
            None => Ok(None),
        }
    }
}

/// Whether the class of torch.nn is an activation, of the kinds that gradus may have.
fn is_activation(class: &str) -> bool {
    activation(&class.to_lowercase(), None).is_some() || matches!(class, "PReLU" | "RReLU")
}
