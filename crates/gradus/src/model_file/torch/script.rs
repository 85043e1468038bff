//! TorchScript: the source of a module in an archive, which `torch.jit.script` and `torch.jit.trace` write.
//!
//! The source is read, not run: the forward function is followed with a placeholder for the samples, and
//! each function of PyTorch that is applied to it is noted. Only functions that a dense network may have are known;
//! a decision that depends on the samples, a loop, or a value that is used twice is refused.

use std::collections::HashMap;
use std::io::Cursor;

use gradus_core::error::invalid;

use super::archive::Storages;
use super::ops::{EPSILON, Norm, Op, activation};
use super::pickle::{Id, Node, Pickle};
use super::tensor::Tensor;
use crate::data::zip::Archive;
use crate::error::Result;
use crate::model_file::scaling::Elementwise;

/// The most bytes of source.
const LARGEST_SOURCE: u64 = 1 << 20;

/// The most calls, parentheses and blocks inside each other: each takes a part of the stack.
const MOST_NESTED: usize = 100;

/// The most calls, values and stages in all. A dense network needs a few hundred.
const MOST_CALLS: usize = 5_000;
const MOST_VALUES: usize = 200_000;
const MOST_STAGES: usize = 20_000;

/// The longest name of a module.
const LONGEST_NAME: usize = 200;

/// The source files of an archive by the names of their modules.
pub(super) struct Source(HashMap<String, String>);

impl Source {
    /// Reads the source in the archive.
    pub(super) fn read(archive: &mut Archive<Cursor<&[u8]>>, prefix: &str) -> Result<Source> {
        let mut files = HashMap::new();
        let mut total = 0;
        let start = format!("{prefix}code/");
        for entry in archive.entries.clone() {
            let name = entry.name.strip_prefix(&start).and_then(|name| name.strip_suffix(".py"));
            let Some(name) = name else { continue };
            total += entry.size;
            if total > LARGEST_SOURCE {
                return Err(invalid("its source has more than 1 MiB"));
            }
            let text = String::from_utf8(archive.read(&entry)?)
                .map_err(|_| invalid(format!("{} is not UTF-8", entry.name.escape_debug())))?;
            files.insert(name.replace('/', "."), text);
        }
        Ok(Source(files))
    }

    /// The definition of a method of a class, or of a function where there is no class.
    fn function(&self, module: &str, class: Option<&str>, name: &str) -> Option<Vec<&str>> {
        let lines = self.0.get(module)?.lines();
        let (lines, indent) = match class {
            None => (lines.collect::<Vec<_>>(), ""),
            Some(class) => {
                let start = format!("class {class}(");
                let block = lines.skip_while(|line| !line.starts_with(&start)).skip(1);
                (block.take_while(|line| line.is_empty() || line.starts_with(' ')).collect(), "  ")
            }
        };
        let start = format!("{indent}def {name}(");
        let at = lines.iter().position(|line| line.starts_with(&start))?;
        // The body is indented further; so are further lines of the parameters.
        let is_inside =
            |line: &&&str| line.is_empty() || line.len() - line.trim_start().len() > indent.len();
        let body = lines[at + 1..].iter().take_while(is_inside).copied();
        Some(std::iter::once(lines[at]).chain(body).collect())
    }
}

/// A value while the source is followed.
#[derive(Debug, Clone)]
enum Value<'a> {
    /// What is computed from the samples: the number of a stage.
    Samples(usize),
    /// A module, and its name.
    Module(Id, String),
    /// A method of a module.
    Method(Id, String, String),
    Array(Tensor<'a>),
    Number(f64),
    Bool(bool),
    Text(String),
    None,
    /// A function, a type or a module of Python, by name.
    Named(String),
    /// Something else, such as a list of sizes.
    Other,
}

/// A value that is computed from the samples by an operation on another.
struct Stage<'a> {
    before: usize,
    op: Option<Op<'a>>,
    module: String,
}

/// The operations of a module in TorchScript. Pickles come with the storages of their arrays.
///
/// # Errors
/// `InvalidData` if it is not a stack of dense layers.
pub(super) fn read<'a>(
    source: &Source,
    module: (&Pickle, &Storages<'a>),
    constants: (&Pickle, &Storages<'a>),
) -> Result<Vec<(String, Op<'a>)>> {
    let mut reader = Reader {
        source,
        module,
        constants,
        stages: vec![Stage { before: 0, op: None, module: String::new() }],
        replaced: HashMap::new(),
        nested: 0,
        calls: 0,
        values: 0,
    };
    let root = Value::Module(module.0.root, String::new());
    let result = reader.method(&root, "forward", vec![Value::Samples(0)])?;
    let Value::Samples(stage) = result else {
        return Err(invalid("its forward function returns something else than one array"));
    };
    let mut stage = reader.now(stage);
    let mut ops = Vec::new();
    while stage != 0 {
        let Stage { before, op, module } = &mut reader.stages[stage];
        ops.extend(op.take().map(|op| (std::mem::take(module), op)));
        stage = *before;
    }
    ops.reverse();
    Ok(ops)
}

struct Reader<'r, 'a> {
    source: &'r Source,
    module: (&'r Pickle<'r>, &'r Storages<'a>),
    constants: (&'r Pickle<'r>, &'r Storages<'a>),
    stages: Vec<Stage<'a>>,
    /// Stages that an operation in place has changed, and to which.
    replaced: HashMap<usize, usize>,
    /// Calls, parentheses and blocks around the present place.
    nested: usize,
    /// Calls and values so far.
    calls: usize,
    values: usize,
}

/// Values by the names that they have in a function.
type Names<'a> = HashMap<String, Value<'a>>;

impl<'a> Reader<'_, 'a> {
    /// Follows a method of a module.
    fn method(
        &mut self,
        module: &Value<'a>,
        name: &str,
        arguments: Vec<Value<'a>>,
    ) -> Result<Value<'a>> {
        let Value::Module(id, path) = module else { return Err(unexpected("a call of a method")) };
        // It checks dimensions, and nothing else.
        if name == "_check_input_dim" {
            return Ok(Value::None);
        }
        let Some(object) = self.module.0.object(*id) else { return Err(unexpected("a module")) };
        let (file, class) = object.class;
        let lines = self.source.function(file, Some(class), name).ok_or_else(|| {
            invalid(format!("its source has no {name} of the class {}", class.escape_debug()))
        })?;
        let mut all = vec![module.clone()];
        all.extend(arguments);
        self.call(&lines, all, path)
    }

    /// Follows the definition of a function.
    fn call(
        &mut self,
        lines: &[&str],
        arguments: Vec<Value<'a>>,
        module: &str,
    ) -> Result<Value<'a>> {
        self.calls += 1;
        if self.calls > MOST_CALLS {
            return Err(too_long());
        }
        // The parameters end with the first line that ends with a colon.
        let end = lines.iter().position(|line| line.trim_end().ends_with(':'));
        let end = end.ok_or_else(|| unexpected("a definition without an end"))?;
        let head = lines[..=end].join(" ");
        let mut names = Names::new();
        let inside = head.split_once('(').map_or("", |(_, inside)| inside);
        for (parameter, value) in parameters(inside).into_iter().zip(arguments) {
            names.insert(parameter, value);
        }
        match self.block(&lines[end + 1..], &mut names, module)? {
            Some(value) => Ok(value),
            None => Ok(Value::None),
        }
    }

    /// Follows statements of one indentation, and those inside of them; the value that is returned.
    fn block(
        &mut self,
        lines: &[&str],
        names: &mut Names<'a>,
        module: &str,
    ) -> Result<Option<Value<'a>>> {
        self.enter()?;
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            let indent = line.len() - line.trim_start().len();
            let text = line.trim();
            at += 1;
            if text.is_empty() || text == "pass" {
                continue;
            }
            if let Some(value) = text.strip_prefix("return ") {
                let value = self.expression(value, names, module)?;
                self.nested -= 1;
                return Ok(Some(value));
            }
            if let Some(condition) = text.strip_prefix("if ") {
                let inner = |from: usize| {
                    lines[from..]
                        .iter()
                        .take_while(|line| {
                            line.trim().is_empty() || line.len() - line.trim_start().len() > indent
                        })
                        .count()
                };
                let then = at..at + inner(at);
                at = then.end;
                let mut otherwise = at..at;
                if lines.get(at).is_some_and(|line| line.trim() == "else:") {
                    otherwise = at + 1..at + 1 + inner(at + 1);
                    at = otherwise.end;
                }
                let condition = condition.trim_end_matches(':');
                let chosen = match self.expression(condition, names, module)? {
                    Value::Bool(true) => then,
                    Value::Bool(false) => otherwise,
                    _ => {
                        return Err(invalid(
                            "its source decides by a value that is not known before there are samples",
                        ));
                    }
                };
                if let Some(value) = self.block(&lines[chosen], names, module)? {
                    self.nested -= 1;
                    return Ok(Some(value));
                }
                continue;
            }
            if ["for ", "while ", "with ", "def "].iter().any(|word| text.starts_with(word)) {
                return Err(unexpected("a loop"));
            }
            match assignment(text) {
                Some((targets, value)) => {
                    let value = self.expression(value, names, module)?;
                    match &targets[..] {
                        [target] => drop(names.insert((*target).to_owned(), value)),
                        targets => {
                            let each = targets.iter().map(|it| ((*it).to_owned(), Value::Other));
                            names.extend(each);
                        }
                    }
                }
                None => drop(self.expression(text, names, module)?),
            }
        }
        self.nested -= 1;
        Ok(None)
    }

    /// Notes one more call, parenthesis or block around what comes. An error ends everything, so that only what
    /// succeeds takes it off again.
    fn enter(&mut self) -> Result<()> {
        self.nested += 1;
        match self.nested > MOST_NESTED {
            true => Err(invalid(format!(
                "its source has more than {MOST_NESTED} calls and parentheses inside each other"
            ))),
            false => Ok(()),
        }
    }

    fn expression(&mut self, text: &str, names: &Names<'a>, module: &str) -> Result<Value<'a>> {
        let mut parser = Parser { rest: text, names, module };
        let value = parser.value(self)?;
        match parser.rest.trim_start() {
            "" => Ok(value),
            rest => Err(unexpected(&format!("'{}'", rest.escape_debug()))),
        }
    }

    /// The stage that these samples are now.
    fn now(&self, mut stage: usize) -> usize {
        while let Some(&later) = self.replaced.get(&stage) {
            stage = later;
        }
        stage
    }

    fn attribute(&self, value: Value<'a>, name: &str) -> Result<Value<'a>> {
        match value {
            Value::Named(path) if path == "CONSTANTS" => {
                let number = name.strip_prefix('c').and_then(|number| number.parse().ok());
                let (pickle, storages) = self.constants;
                let all = pickle.elements(pickle.root).unwrap_or_default();
                let id = number.and_then(|number: usize| all.get(number)).copied();
                let array = id.map(|id| storages.tensor(pickle, id)).transpose()?.flatten();
                Ok(array.map_or(Value::Other, Value::Array))
            }
            Value::Named(path) if path.len() + name.len() > LONGEST_NAME => Err(too_long()),
            Value::Named(path) => Ok(Value::Named(format!("{path}.{name}"))),
            // Predicting is no training.
            Value::Module(..) if name == "training" => Ok(Value::Bool(false)),
            Value::Module(id, path) => {
                let (pickle, storages) = self.module;
                let object = pickle.object(id);
                let Some(found) = object.and_then(|object| pickle.attribute(object, name)) else {
                    return Ok(Value::Method(id, path, name.to_owned()));
                };
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                if path.len() > LONGEST_NAME {
                    return Err(too_long());
                }
                Ok(match pickle.node(found) {
                    Node::None => Value::None,
                    Node::Bool(value) => Value::Bool(*value),
                    Node::Int(value) => Value::Number(*value as f64),
                    Node::Float(value) => Value::Number(*value),
                    Node::Object(_) => match storages.tensor(pickle, found)? {
                        Some(tensor) => Value::Array(tensor),
                        None => Value::Module(found, path),
                    },
                    _ => Value::Other,
                })
            }
            _ => Ok(Value::Other),
        }
    }

    /// What a call gives; named arguments come with their names.
    fn applied(
        &mut self,
        function: Value<'a>,
        arguments: Vec<(Option<String>, Value<'a>)>,
        around: &str,
    ) -> Result<Value<'a>> {
        match function {
            Value::Method(id, path, name) => {
                let arguments = arguments.into_iter().map(|it| it.1).collect();
                self.method(&Value::Module(id, path), &name, arguments)
            }
            Value::Named(path) => match path.as_str() {
                "getattr" => match &arguments[..] {
                    [(_, object), (_, Value::Text(name))] => self.attribute(object.clone(), name),
                    _ => Err(unexpected("getattr")),
                },
                "annotate" | "unchecked_cast" => {
                    Ok(arguments.into_iter().next_back().map_or(Value::Other, |it| it.1))
                }
                "ops.prim.RaiseException" => Err(invalid("its source raises an error")),
                _ => {
                    let (module, name) = path.rsplit_once('.').unwrap_or(("", &path));
                    let is_torch = module == "torch"
                        || module.starts_with("__torch__.torch.nn.functional")
                        || module.starts_with("ops.");
                    if !is_torch && let Some(lines) = self.source.function(module, None, name) {
                        let arguments = arguments.into_iter().map(|it| it.1).collect();
                        return self.call(&lines, arguments, around);
                    }
                    self.operation(name, module != "torch", arguments, around).map_err(|error| {
                        match around {
                            "" => error,
                            module => error.context(format!("module '{}'", module.escape_debug())),
                        }
                    })
                }
            },
            _ => Err(unexpected("a call")),
        }
    }

    /// A function of PyTorch; `functional` is one of torch.nn.functional.
    fn operation(
        &mut self,
        name: &str,
        functional: bool,
        mut arguments: Vec<(Option<String>, Value<'a>)>,
        module: &str,
    ) -> Result<Value<'a>> {
        let in_place = name.ends_with('_') && !name.ends_with("__");
        let name = name.trim_end_matches('_');
        let named: HashMap<String, Value> = arguments
            .iter()
            .filter_map(|(key, value)| Some((key.clone()?, value.clone())))
            .collect();
        arguments.retain(|(key, _)| key.is_none());
        let mut values: Vec<Value> = arguments.into_iter().map(|it| it.1).collect();
        for value in &mut values {
            if let Value::Samples(stage) = value {
                *stage = self.now(*stage);
            }
        }
        let number = |at: usize| match values.get(at) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let array = |at: usize| match values.get(at) {
            Some(Value::Array(tensor)) => Some(tensor.clone()),
            _ => None,
        };
        let samples: Vec<usize> = values
            .iter()
            .filter_map(|value| if let Value::Samples(stage) = value { Some(*stage) } else { None })
            .collect();
        let stage = match samples[..] {
            [] => return Ok(of_constants(name, &values)),
            [stage] => stage,
            _ => {
                return Err(invalid(format!(
                    "{name} brings two ways from the input together; gradus has layers one after the other only"
                )));
            }
        };
        let first = matches!(values[0], Value::Samples(_));
        let op = match name {
            "linear" if first => match array(1) {
                Some(weight) => Some(Op::Linear(weight, array(2))),
                None => return Err(unexpected("a weight that is computed")),
            },
            "addmm" if !first => match (array(0), array(2)) {
                (Some(bias), Some(weight)) => Some(Op::Linear(weight.transposed(), Some(bias))),
                _ => return Err(unexpected("a weight that is computed")),
            },
            "matmul" | "mm" if first => match array(1) {
                Some(weight) => Some(Op::Linear(weight.transposed(), None)),
                None => return Err(unexpected("a weight that is computed")),
            },
            "batch_norm" => {
                let order = if functional { [3, 4, 1, 2] } else { [1, 2, 3, 4] };
                let [scale, shift, mean, variance] = order.map(array);
                let (Some(mean), Some(variance), Some(Value::Bool(false))) =
                    (mean, variance, values.get(5))
                else {
                    return Err(invalid(
                        "batch normalization in training mode: model.eval() before tracing",
                    ));
                };
                let epsilon = number(7).unwrap_or(EPSILON);
                Some(Op::Norm(Norm { scale, shift, mean, variance, epsilon }))
            }
            "prelu" => match array(1) {
                Some(slopes) => Some(Op::Slopes(slopes)),
                None => return Err(unexpected("a slope that is computed")),
            },
            "gelu" => match named.get("approximate").or(values.get(1)) {
                Some(Value::Text(kind)) if kind != "none" => {
                    return Err(invalid("GELU is the approximation by tanh, gradus's is exact"));
                }
                _ => activation("gelu", None).transpose()?,
            },
            "add" | "sub" | "rsub" | "mul" | "div" | "true_divide" => {
                let other = values.iter().find(|value| !matches!(value, Value::Samples(_)));
                Some(scaled(name, first, other)?)
            }
            "softmax" | "log_softmax" => match number(1) {
                None | Some(1.0 | -1.0) => Some(Op::End),
                Some(axis) => return Err(invalid(format!("{name} along axis {axis}, expected 1"))),
            },
            "flatten" if number(1).is_some_and(|axis| axis != 1.0) => {
                return Err(invalid("it flattens other dimensions than all but the first"));
            }
            "dropout" | "alpha_dropout" | "feature_dropout" | "flatten" | "view" | "reshape"
            | "contiguous" | "detach" | "clone" | "to" | "float" | "squeeze" | "identity" => None,
            // Samples are rows: what asks for images takes another way for them, by flattening.
            "dim" => return Ok(Value::Number(2.0)),
            "size" | "len" | "numel" | "ne" | "eq" | "lt" | "le" | "gt" | "ge" => {
                return Ok(Value::Other);
            }
            _ => match activation(&name.replace('_', ""), number(1)) {
                Some(op) => Some(op?),
                None => {
                    return Err(invalid(format!(
                        "the function {}, which gradus does not have in a network",
                        name.escape_debug()
                    )));
                }
            },
        };
        self.stages.push(Stage { before: stage, op, module: module.to_owned() });
        if self.stages.len() > MOST_STAGES {
            return Err(too_long());
        }
        let next = self.stages.len() - 1;
        if in_place {
            self.replaced.insert(stage, next);
        }
        Ok(Value::Samples(next))
    }
}

/// A sum, difference, product or quotient of samples and a number, or a number for each of their values.
fn scaled<'a>(name: &str, first: bool, other: Option<&Value<'a>>) -> Result<Op<'a>> {
    let with = match (name, first) {
        ("add", _) => Elementwise::Add,
        ("sub", true) => Elementwise::Subtract,
        ("sub", false) | ("rsub", true) => Elementwise::SubtractFrom,
        ("mul", _) => Elementwise::Multiply,
        ("div" | "true_divide", true) => Elementwise::Divide,
        _ => return Err(invalid(format!("{name} of a number and the samples"))),
    };
    match other {
        Some(&Value::Number(number)) => Ok(Op::Number(with, number)),
        Some(Value::Array(array)) => Ok(Op::Array(with, array.clone())),
        _ => Err(invalid(format!("{name} with something else than a number"))),
    }
}

/// A function of values that do not depend on the samples.
fn of_constants<'a>(name: &str, values: &[Value<'a>]) -> Value<'a> {
    match (name, values) {
        ("t" | "numpy_T", [Value::Array(tensor)]) if tensor.shape.len() == 2 => {
            Value::Array(tensor.clone().transposed())
        }
        ("lt", [Value::Number(a), Value::Number(b)]) => Value::Bool(a < b),
        ("le", [Value::Number(a), Value::Number(b)]) => Value::Bool(a <= b),
        ("gt", [Value::Number(a), Value::Number(b)]) => Value::Bool(a > b),
        ("ge", [Value::Number(a), Value::Number(b)]) => Value::Bool(a >= b),
        ("eq", [Value::Number(a), Value::Number(b)]) => Value::Bool(a == b),
        ("ne", [Value::Number(a), Value::Number(b)]) => Value::Bool(a != b),
        _ => Value::Other,
    }
}

/// The names of parameters: `self: X, input: Tensor) -> Tensor:`.
fn parameters(text: &str) -> Vec<String> {
    let (mut names, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '[' | '(' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ')' if depth > 0 => depth -= 1,
            ',' | ')' if depth == 0 => {
                let name = text[start..at].split([':', '=']).next().unwrap_or("").trim();
                names.push(name.to_owned());
                start = at + 1;
                if letter == ')' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

/// The names before the sign of an assignment, and what is after it.
fn assignment(text: &str) -> Option<(Vec<&str>, &str)> {
    let (left, right) = text.split_once(" = ")?;
    let is_name = |name: &&str| {
        let name = name.split(':').next().unwrap_or("").trim();
        !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    let targets: Vec<&str> = left.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    let plain = targets.iter().map(|it| it.split(':').next().unwrap_or("").trim()).collect();
    targets.iter().all(is_name).then_some((plain, right))
}

fn too_long() -> crate::error::Error {
    invalid("its source is longer than that of any dense network")
}

fn unexpected(what: &str) -> crate::error::Error {
    invalid(format!("its source has {what}, which no plain stack of layers needs"))
}

/// An expression in the middle of being read.
struct Parser<'t, 'n, 'a> {
    rest: &'t str,
    names: &'n Names<'a>,
    module: &'n str,
}

impl<'t, 'a> Parser<'t, '_, 'a> {
    fn value(&mut self, reader: &mut Reader<'_, 'a>) -> Result<Value<'a>> {
        reader.enter()?;
        reader.values += 1;
        if reader.values > MOST_VALUES {
            return Err(too_long());
        }
        let mut value = self.simple(reader)?;
        loop {
            self.rest = self.rest.trim_start();
            reader.values += 1;
            if self.takes(".") {
                let name = self.word();
                value = reader.attribute(value, name)?;
            } else if self.takes("(") {
                let arguments = self.list(")", reader)?;
                value = reader.applied(value, arguments, self.module)?;
            } else if self.takes("[") {
                self.list("]", reader)?;
                value = Value::Other;
            } else {
                break;
            }
        }
        reader.nested -= 1;
        Ok(value)
    }

    fn simple(&mut self, reader: &mut Reader<'_, 'a>) -> Result<Value<'a>> {
        self.rest = self.rest.trim_start();
        if self.takes("(") {
            let values = self.list(")", reader)?;
            return Ok(match <[_; 1]>::try_from(values) {
                Ok([(_, value)]) => value,
                Err(_) => Value::Other,
            });
        }
        if self.takes("[") {
            self.list("]", reader)?;
            return Ok(Value::Other);
        }
        if self.takes("\"") {
            // Quotation marks inside are written with a backslash, which no name has.
            let Some((text, rest)) = self.rest.split_once('"') else {
                return Err(unexpected("a text without an end"));
            };
            self.rest = rest;
            return Ok(Value::Text(text.to_owned()));
        }
        if self.rest.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-') {
            let length = self.rest[1..]
                .find(|letter: char| !(letter.is_ascii_alphanumeric() || ".+-".contains(letter)))
                .map_or(self.rest.len(), |length| length + 1);
            let (number, rest) = self.rest.split_at(length);
            self.rest = rest;
            let number = number.parse().map_err(|_| unexpected("a number that is none"))?;
            return Ok(Value::Number(number));
        }
        let word = self.word();
        Ok(match (word, self.names.get(word)) {
            ("", _) => return Err(unexpected(&format!("'{}'", self.rest.escape_debug()))),
            (_, Some(value)) => value.clone(),
            ("True", _) => Value::Bool(true),
            ("False", _) => Value::Bool(false),
            ("None", _) => Value::None,
            (name, _) => Value::Named(name.to_owned()),
        })
    }

    /// Values up to the closing sign, with their names.
    fn list(
        &mut self,
        end: &str,
        reader: &mut Reader<'_, 'a>,
    ) -> Result<Vec<(Option<String>, Value<'a>)>> {
        let mut values = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.takes(end) {
                return Ok(values);
            }
            let before = self.rest;
            let word = self.word();
            let name = match self.rest.strip_prefix('=') {
                Some(rest) if !word.is_empty() && !rest.starts_with('=') => {
                    self.rest = rest;
                    Some(word.to_owned())
                }
                _ => {
                    self.rest = before;
                    None
                }
            };
            values.push((name, self.value(reader)?));
            self.rest = self.rest.trim_start();
            if !self.takes(",") && !self.rest.starts_with(end) {
                return Err(unexpected(&format!("'{}'", self.rest.escape_debug())));
            }
        }
    }

    fn takes(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'t str {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word
    }
}
