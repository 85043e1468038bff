//! A pickle as data: the bytes of one in, a tree of values out. Nothing is imported and nothing is called.
//!
//! A pickle is a program for a machine with a stack. This machine has the instructions that build numbers,
//! texts, lists and dictionaries; where Python would call a function, it notes the function's name and
//! arguments ([`Node::Object`]), and the readers of tensors and modules decide what that means. A call that no
//! model has a use for, such as `os.system`, is an error that names it.
//!
//! Values stand in one vector and refer to each other by number, so that neither depth nor circles cost
//! stack when they are dropped. Each instruction makes at most one value.

use std::collections::HashMap;

use gradus_core::error::invalid;

use crate::error::{Error, Result};

/// The most instructions: each tensor of a model takes about thirty.
const MOST_STEPS: usize = 400_000;

/// Packages whose functions and classes are noted and not refused: what checkpoints of training programs hold
/// besides weights.
const KNOWN_PACKAGES: [&str; 22] = [
    "torch",
    "__torch__",
    "torchvision",
    "torchmetrics",
    "lightning",
    "lightning_fabric",
    "pytorch_lightning",
    "omegaconf",
    "numpy",
    "scipy",
    "pandas",
    "sklearn",
    "collections",
    "datetime",
    "pathlib",
    "argparse",
    "decimal",
    "fractions",
    "uuid",
    "copyreg",
    "copy_reg",
    "__main__",
];

/// The same of the built-in functions, and of `_codecs`.
const KNOWN_FUNCTIONS: [&str; 16] = [
    "set",
    "frozenset",
    "bytearray",
    "bytes",
    "complex",
    "slice",
    "range",
    "xrange",
    "list",
    "dict",
    "tuple",
    "int",
    "float",
    "str",
    "object",
    "encode",
];

/// The number of a value.
pub(super) type Id = usize;

/// A value.
#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function: module and name.
    Global(&'a str, &'a str),
    /// What stands outside of the pickle: a storage of numbers.
    Persistent(Id),
    Object(Box<Object<'a>>),
}

/// What a class or function would make.
#[derive(Debug)]
pub(super) struct Object<'a> {
    /// Its module and name.
    pub(super) class: (&'a str, &'a str),
    /// A tuple.
    pub(super) arguments: Id,
    /// Its attributes, mostly a dictionary.
    pub(super) state: Option<Id>,
}

/// All values of a pickle.
pub(super) struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    pub(super) root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle that these bytes begin with, and counts its bytes.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged, longer than any model needs, or calls what no model has a use for.
    pub(super) fn read(bytes: &'a [u8]) -> Result<(Pickle<'a>, usize)> {
        let mut machine = Machine {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        for _ in 0..MOST_STEPS {
            let start = machine.at;
            let done = machine.step().map_err(|error| error.context(format!("byte {start}")));
            if let Some(root) = done.map_err(|error| error.context("its pickle"))? {
                return Ok((Pickle { nodes: machine.nodes, root }, machine.at));
            }
        }
        Err(invalid(format!(
            "its pickle has more than {MOST_STEPS} instructions, more than any dense network needs"
        )))
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id]
    }

    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match self.nodes[id] {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, id: Id) -> Option<i64> {
        match self.nodes[id] {
            Node::Int(value) => Some(value),
            _ => None,
        }
    }

    /// A number, whole or not.
    pub(super) fn number(&self, id: Id) -> Option<f64> {
        match self.nodes[id] {
            Node::Int(value) => Some(value as f64),
            Node::Float(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn is_none(&self, id: Id) -> bool {
        matches!(self.nodes[id], Node::None)
    }

    /// The elements of a tuple or list; of a `torch.Size` too.
    pub(super) fn elements(&self, id: Id) -> Option<&[Id]> {
        match &self.nodes[id] {
            Node::Tuple(elements) | Node::List(elements) => Some(elements),
            Node::Object(object) if object.class == ("torch", "Size") => {
                match self.elements_of(object.arguments)? {
                    [one] => self.elements_of(*one),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn elements_of(&self, id: Id) -> Option<&[Id]> {
        match &self.nodes[id] {
            Node::Tuple(elements) | Node::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// What names each value outside of the pickle.
    pub(super) fn persistent(&self) -> impl Iterator<Item = &[Id]> {
        self.nodes.iter().filter_map(|node| match node {
            &Node::Persistent(id) => self.elements(id),
            _ => None,
        })
    }

    pub(super) fn object(&self, id: Id) -> Option<&Object<'a>> {
        match &self.nodes[id] {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The entries of a dictionary whose keys are texts; others are left out.
    pub(super) fn entries(&self, id: Id) -> Vec<(&'a str, Id)> {
        match &self.nodes[id] {
            Node::Dict(entries) => {
                entries.iter().filter_map(|&(key, value)| Some((self.text(key)?, value))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The attributes of an object.
    pub(super) fn attributes(&self, object: &Object) -> Vec<(&'a str, Id)> {
        let Some(state) = object.state else { return Vec::new() };
        match &self.nodes[state] {
            // With slots it is a pair of which the first is the dictionary.
            Node::Tuple(pair) if pair.len() == 2 => self.entries(pair[0]),
            _ => self.entries(state),
        }
    }

    /// The attribute of that name.
    pub(super) fn attribute(&self, object: &Object, name: &str) -> Option<Id> {
        // The last one holds where a key was set again.
        self.attributes(object).into_iter().rev().find(|(key, _)| *key == name).map(|it| it.1)
    }
}

/// The machine in the middle of a pickle.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Where the marks stand in the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    /// One instruction; the value of the pickle after the last.
    fn step(&mut self) -> Result<Option<Id>> {
        let code = self.take(1)?[0];
        match code {
            0x80 => drop(self.take(1)?), // PROTO
            0x95 => drop(self.take(8)?), // FRAME
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => match self.marks.last() == Some(&self.stack.len()) {
                true => drop(self.marks.pop()),
                false => drop(self.pop()?),
            },
            b'1' => drop(self.above_last_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'J' | b'K' | b'M' | 0x8a | 0x8b | b'I' | b'L' => self.whole(code)?,
            b'G' => {
                let bytes = self.array()?;
                self.push(Node::Float(f64::from_be_bytes(bytes)));
            }
            b'F' => {
                let value = self.line()?.parse().map_err(|_| damaged("a number cannot be read"))?;
                self.push(Node::Float(value));
            }
            b'X' | 0x8c | 0x8d | b'T' | b'U' | b'V' | b'S' => self.text(code)?,
            b'B' | b'C' | 0x8e | 0x96 => {
                let length = self.length(code)?;
                self.take(length)?;
                self.push(Node::Bytes);
            }
            b')' => self.push(Node::Tuple(Vec::new())),
            b't' => {
                let elements = self.above_last_mark()?;
                self.push(Node::Tuple(elements));
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let start = self.above_mark(count)?;
                let elements = self.stack.split_off(start);
                self.push(Node::Tuple(elements));
            }
            b']' => self.push(Node::List(Vec::new())),
            0x8f => self.push(Node::List(Vec::new())), // EMPTY_SET
            b'l' | 0x91 => {
                let elements = self.above_last_mark()?;
                self.push(Node::List(elements));
            }
            b'a' => {
                let element = self.pop()?;
                self.append(vec![element])?;
            }
            b'e' | 0x90 => {
                let elements = self.above_last_mark()?;
                self.append(elements)?;
            }
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => {
                let entries = pairs(self.above_last_mark()?)?;
                self.push(Node::Dict(entries));
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![(key, value)])?;
            }
            b'u' => {
                let entries = pairs(self.above_last_mark()?)?;
                self.set(entries)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(module, name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.nodes[module], &self.nodes[name]) {
                    (&Node::Text(module), &Node::Text(name)) => {
                        self.push(Node::Global(module, name));
                    }
                    _ => return Err(damaged("a name is no text")),
                }
            }
            b'R' | 0x81 => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                // Making an object of a class is how modules of any program are written.
                self.make(class, arguments, code == b'R')?;
            }
            0x92 => {
                let (_, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.make(class, arguments, false)?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let arguments = self.above_last_mark()?;
                let arguments = self.add(Node::Tuple(arguments));
                let class = self.add(Node::Global(module, name));
                self.make(class, arguments, true)?;
            }
            b'o' => {
                let mut arguments = self.above_last_mark()?;
                if arguments.is_empty() {
                    return Err(damaged("an object without a class"));
                }
                let class = arguments.remove(0);
                let arguments = self.add(Node::Tuple(arguments));
                self.make(class, arguments, true)?;
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                if let Node::Object(object) = &mut self.nodes[object] {
                    object.state = Some(state);
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id));
            }
            b'q' | b'r' | b'p' | 0x94 => {
                let place = match code {
                    0x94 => self.memo.len() as u64,
                    _ => self.place(code)?,
                };
                let top = self.top()?;
                self.memo.insert(place, top);
            }
            b'h' | b'j' | b'g' => {
                let place = self.place(code)?;
                let value = self.memo.get(&place).copied();
                let value = value.ok_or_else(|| damaged("it uses a value before it is there"))?;
                self.stack.push(value);
            }
            other => {
                return Err(invalid(format!(
                    "the instruction {other:#04x}, which files of PyTorch do not have"
                )));
            }
        }
        Ok(None)
    }

    fn add(&mut self, node: Node<'a>) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn push(&mut self, node: Node<'a>) {
        let id = self.add(node);
        self.stack.push(id);
    }

    /// Where the `count` topmost values begin; all of them are above the last mark.
    fn above_mark(&self, count: usize) -> Result<usize> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(count).filter(|&start| start >= bottom);
        start.ok_or_else(|| damaged("it takes a value from an empty stack"))
    }

    fn pop(&mut self) -> Result<Id> {
        let start = self.above_mark(1)?;
        Ok(self.stack.split_off(start)[0])
    }

    fn top(&self) -> Result<Id> {
        self.above_mark(1).map(|at| self.stack[at])
    }

    fn above_last_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| damaged("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    /// Adds to the list, or to what is noted as an object, whose elements do not matter.
    fn append(&mut self, elements: Vec<Id>) -> Result<()> {
        let list = self.top()?;
        match &mut self.nodes[list] {
            Node::List(list) => list.extend(elements),
            Node::Object(_) => {}
            _ => return Err(damaged("it adds to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, entries: Vec<(Id, Id)>) -> Result<()> {
        let dict = self.top()?;
        match &mut self.nodes[dict] {
            Node::Dict(dict) => dict.extend(entries),
            Node::Object(_) => {}
            _ => return Err(damaged("it sets an entry of what is no dictionary")),
        }
        Ok(())
    }

    /// Notes what a class or function would make of these arguments; `is_call` for a function. An ordered dictionary becomes one.
    fn make(&mut self, class: Id, arguments: Id, is_call: bool) -> Result<()> {
        let (module, name) = match self.nodes[class] {
            Node::Global(module, name) => (module, name),
            // Before PyTorch 1.6, a class came with its source: ("module", class, file, source).
            Node::Persistent(id) => match self.nodes[id] {
                Node::Tuple(ref parts) => match parts.get(1).map(|&part| &self.nodes[part]) {
                    Some(&Node::Global(module, name)) => (module, name),
                    _ => return Err(damaged("a class without a name")),
                },
                _ => return Err(damaged("a class without a name")),
            },
            _ => return Err(invalid("it calls what is no class and no function by name")),
        };
        let Node::Tuple(values) = &self.nodes[arguments] else {
            return Err(damaged("arguments that are no tuple"));
        };
        let package = module.split('.').next().unwrap_or("");
        let is_known = KNOWN_PACKAGES.contains(&package)
            || ["builtins", "__builtin__", "_codecs"].contains(&package)
                && KNOWN_FUNCTIONS.contains(&name);
        if !is_known && is_call {
            return Err(invalid(format!(
                "it calls {module}.{name}, which no model needs: the file may be an attack. gradus calls \
                 nothing, and PyTorch would; if you trust the file, save the weights alone: \
                 torch.save(model.state_dict(), \"weights.pt\")"
            )));
        }
        if (module, name) == ("collections", "OrderedDict") {
            let entries = match values.first().map(|&list| &self.nodes[list]) {
                Some(Node::List(list)) => {
                    let pair = |&pair: &Id| match &self.nodes[pair] {
                        Node::Tuple(pair) | Node::List(pair) if pair.len() == 2 => {
                            Some((pair[0], pair[1]))
                        }
                        _ => None,
                    };
                    list.iter().filter_map(pair).collect()
                }
                _ => Vec::new(),
            };
            self.push(Node::Dict(entries));
            return Ok(());
        }
        let object = Object { class: (module, name), arguments, state: None };
        self.push(Node::Object(Box::new(object)));
        Ok(())
    }

    fn whole(&mut self, code: u8) -> Result<()> {
        let value = match code {
            b'J' => i64::from(i32::from_le_bytes(self.array()?)),
            b'K' => i64::from(self.take(1)?[0]),
            b'M' => i64::from(u16::from_le_bytes(self.array()?)),
            b'I' | b'L' => {
                let line = self.line()?;
                match (code, line) {
                    (b'I', "00") => {
                        self.push(Node::Bool(false));
                        return Ok(());
                    }
                    (b'I', "01") => {
                        self.push(Node::Bool(true));
                        return Ok(());
                    }
                    _ => line.trim_end_matches('L').parse().unwrap_or(i64::MAX),
                }
            }
            _ => {
                let length = match code {
                    0x8a => usize::from(self.take(1)?[0]),
                    _ => u32::from_le_bytes(self.array()?) as usize,
                };
                let bytes = self.take(length)?;
                // Longer ones are no sizes of anything; they stay noticeable.
                let fill = if bytes.last().is_some_and(|last| last >> 7 == 1) { 0xff } else { 0 };
                let mut value = [fill; 8];
                match bytes.len() <= value.len() {
                    true => {
                        value[..bytes.len()].copy_from_slice(bytes);
                        i64::from_le_bytes(value)
                    }
                    false => i64::MAX,
                }
            }
        };
        self.push(Node::Int(value));
        Ok(())
    }

    fn text(&mut self, code: u8) -> Result<()> {
        let text = match code {
            b'V' => self.line()?,
            b'S' => self.line()?.trim_matches(['\'', '"']),
            _ => {
                let length = self.length(code)?;
                let bytes = self.take(length)?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => text,
                    // Texts of Python 2 are bytes.
                    Err(_) if matches!(code, b'T' | b'U') => {
                        self.push(Node::Bytes);
                        return Ok(());
                    }
                    Err(_) => return Err(damaged("a text is not UTF-8")),
                }
            }
        };
        self.push(Node::Text(text));
        Ok(())
    }

    /// The length before a text or bytes.
    fn length(&mut self, code: u8) -> Result<usize> {
        let length = match code {
            0x8c | b'U' | b'C' => u64::from(self.take(1)?[0]),
            0x8d | 0x8e | 0x96 => u64::from_le_bytes(self.array()?),
            _ => u64::from(u32::from_le_bytes(self.array()?)),
        };
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// The number of a place in the memo.
    fn place(&mut self, code: u8) -> Result<u64> {
        match code {
            b'q' | b'h' => Ok(self.take(1)?[0].into()),
            b'r' | b'j' => Ok(u32::from_le_bytes(self.array()?).into()),
            _ => self.line()?.parse().map_err(|_| damaged("a number cannot be read")),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| damaged("it is truncated"))?;
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| damaged("it is truncated"))
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| damaged("it is truncated"))?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| damaged("a name is not UTF-8"))
    }
}

fn pairs(elements: Vec<Id>) -> Result<Vec<(Id, Id)>> {
    match elements.as_chunks::<2>() {
        (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err(damaged("a key has no value")),
    }
}

fn damaged(problem: &str) -> Error {
    invalid(format!("it is damaged: {problem}; copy the file again"))
}
