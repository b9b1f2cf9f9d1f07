//! The pickle machine: runs the operations of one pickle into an arena of nodes.
//!
//! Nodes are never moved or copied once made; the stack, the memo and the containers hold indices.
//! So a value that the pickle names a thousand times costs a thousand indices and not a thousand
//! copies, and dropping a deep or cyclic structure is dropping one flat vector.

use std::sync::Arc;

use super::{
    MAX_ITEMS, PickleError,
    input::{Input, decimal_int, little_endian_int, quoted_str, unescape_unicode},
};

pub(super) const MARK: u8 = b'(';
pub(super) const STOP: u8 = b'.';
pub(super) const PROTO: u8 = 0x80;
pub(super) const EMPTY_LIST: u8 = b']';
pub(super) const APPENDS: u8 = b'e';
pub(super) const BINUNICODE: u8 = b'X';

/// The highest protocol that Python has.
const MAX_PROTOCOL: u8 = 5;
/// The most arguments of one call; copying a shared tuple for each call stays linear with it.
const MAX_CALL_ARGS: usize = 16;
/// The longest name of a class; joining two shared texts for each class stays linear with it.
const MAX_CLASS_NAME_BYTES: usize = 100;

/// The index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u32);

/// One value whose members are indices.
#[derive(Debug)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    BigInt,
    Float(f64),
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Class(Arc<str>),
    Object { class: Arc<str>, args: Vec<Id> },
}

/// All nodes of one pickle.
#[derive(Default)]
pub(super) struct Arena {
    nodes: Vec<Node>,
}

impl Arena {
    pub(super) fn node(&self, id: Id) -> &Node {
        // An `Id` is made only by `add`, and nodes are never removed.
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    fn add(&mut self, node: Node) -> Result<Id, PickleError> {
        // Twice the items of a reply: the machine also makes nodes for names and arguments.
        if self.nodes.len() >= 2 * MAX_ITEMS {
            return Err(PickleError::TooLarge);
        }
        let id = u32::try_from(self.nodes.len()).map_err(|_| PickleError::TooLarge)?;
        self.nodes.push(node);
        Ok(Id(id))
    }
}

/// Runs a pickle to its end.
pub(super) fn run(bytes: &[u8]) -> Result<(Arena, Id), PickleError> {
    let mut machine = Machine { input: Input { rest: bytes }, ..Machine::default() };
    loop {
        let operation = machine.input.byte()?;
        if operation == STOP {
            let root = machine.pop()?;
            let clean = machine.stack.is_empty() && machine.input.rest.is_empty();
            return if clean { Ok((machine.arena, root)) } else { Err(PickleError::Invalid) };
        }
        machine.step(operation)?;
    }
}

/// The state of the machine: a stack, the marks in it, and the memo.
#[derive(Default)]
struct Machine<'a> {
    input: Input<'a>,
    arena: Arena,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
    memo_entries: usize,
}

impl Machine<'_> {
    fn step(&mut self, operation: u8) -> Result<(), PickleError> {
        match operation {
            MARK => self.mark(),
            b'0' => self.pop().map(|_| ()),
            b'1' => self.pop_to_mark().map(|_| ()),
            b'2' => self.top().and_then(|id| self.push_id(id)),
            PROTO => match self.input.byte()? {
                0..=MAX_PROTOCOL => Ok(()),
                _ => Err(PickleError::Invalid),
            },
            // A frame only announces how much may be read at once.
            0x95 => self.input.array::<8>().map(|_| ()),
            b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => self.memo_operation(operation),
            b'N' | b'I' | b'J' | b'K' | b'M' | b'L' | b'F' | b'G' | 0x88..=0x8b => {
                let node = self.scalar(operation)?;
                self.push(node)
            }
            b'S' | b'T' | b'U' | b'V' | BINUNICODE | 0x8c | 0x8d | b'B' | b'C' | 0x8e | 0x96 => {
                let node = self.text(operation)?;
                self.push(node)
            }
            EMPTY_LIST | b'l' | b'a' | APPENDS | b')' | b't' | 0x85..=0x87 => {
                self.sequence(operation)
            }
            b'}' | b'd' | b's' | b'u' | 0x8f..=0x91 => self.mapping(operation),
            b'c' | b'i' | b'o' | b'R' | b'b' | 0x81 | 0x92 | 0x93 => self.object(operation),
            // Among the refused: persistent ids, the extension registry, out-of-band buffers.
            other => Err(PickleError::UnknownOperation(other)),
        }
    }

    fn push(&mut self, node: Node) -> Result<(), PickleError> {
        let id = self.arena.add(node)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<(), PickleError> {
        if self.stack.len() >= 2 * MAX_ITEMS {
            return Err(PickleError::TooLarge);
        }
        self.stack.push(id);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), PickleError> {
        if self.marks.len() >= MAX_ITEMS {
            return Err(PickleError::TooLarge);
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The top of the stack, unless a mark lies on it.
    fn top(&self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(id) if self.stack.len() > floor => Ok(*id),
            _ => Err(PickleError::Invalid),
        }
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Invalid)?;
        Ok(self.stack.split_off(mark))
    }

    fn pop_last(&mut self, count: usize) -> Result<Vec<Id>, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(self.stack.split_off(start)),
            _ => Err(PickleError::Invalid),
        }
    }

    fn memo_operation(&mut self, operation: u8) -> Result<(), PickleError> {
        let index = match operation {
            b'p' | b'g' => self.input.number_line()?,
            b'q' | b'h' => u32::from(self.input.byte()?),
            b'r' | b'j' => self.input.u32()?,
            _ => u32::try_from(self.memo_entries).map_err(|_| PickleError::TooLarge)?,
        } as usize;
        if matches!(operation, b'g' | b'h' | b'j') {
            let id = self.memo.get(index).copied().flatten().ok_or(PickleError::Invalid)?;
            return self.push_id(id);
        }
        let id = self.top()?;
        if index >= 2 * MAX_ITEMS {
            return Err(PickleError::TooLarge);
        }
        if index >= self.memo.len() {
            self.memo.resize(index + 1, None);
        }
        if self.memo[index].replace(id).is_none() {
            self.memo_entries += 1;
        }
        Ok(())
    }

    fn scalar(&mut self, operation: u8) -> Result<Node, PickleError> {
        Ok(match operation {
            b'N' => Node::None,
            0x88 => Node::Bool(true),
            0x89 => Node::Bool(false),
            b'J' => Node::Int(i64::from(i32::from_le_bytes(self.input.array()?))),
            b'K' => Node::Int(i64::from(self.input.byte()?)),
            b'M' => Node::Int(i64::from(u16::from_le_bytes(self.input.array()?))),
            b'G' => Node::Float(f64::from_be_bytes(self.input.array()?)),
            0x8a => {
                let length = usize::from(self.input.byte()?);
                little_endian_int(self.input.take(length)?)
            }
            0x8b => {
                let length = self.input.length4()?;
                little_endian_int(self.input.take(length)?)
            }
            b'F' => {
                let text = std::str::from_utf8(self.input.line()?);
                let number = text.ok().and_then(|text| text.parse().ok());
                Node::Float(number.ok_or(PickleError::Invalid)?)
            }
            // `I00` and `I01` are the truth values of the oldest protocols.
            _ => match self.input.line()? {
                b"00" if operation == b'I' => Node::Bool(false),
                b"01" if operation == b'I' => Node::Bool(true),
                line => decimal_int(line)?,
            },
        })
    }

    fn text(&mut self, operation: u8) -> Result<Node, PickleError> {
        let length = match operation {
            b'V' => return Ok(Node::Str(unescape_unicode(self.input.line()?)?.into())),
            b'S' => return quoted_str(self.input.line()?),
            b'U' | b'C' | 0x8c => usize::from(self.input.byte()?),
            b'T' | b'B' | BINUNICODE => self.input.length4()?,
            _ => self.input.length8()?,
        };
        let bytes = self.input.take(length)?;
        Ok(match operation {
            b'B' | b'C' | 0x8e | 0x96 => Node::Bytes(bytes.into()),
            _ => Node::Str(String::from_utf8_lossy(bytes).into()),
        })
    }

    fn sequence(&mut self, operation: u8) -> Result<(), PickleError> {
        match operation {
            EMPTY_LIST => self.push(Node::List(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            b'l' => self.pop_to_mark().and_then(|items| self.push(Node::List(items))),
            b't' => self.pop_to_mark().and_then(|items| self.push(Node::Tuple(items))),
            0x85..=0x87 => {
                let items = self.pop_last(usize::from(operation - 0x84))?;
                self.push(Node::Tuple(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])
            }
            _ => self.pop_to_mark().and_then(|items| self.extend(items)),
        }
    }

    /// Adds to the list or set on top; what is added to an opaque object is not kept.
    fn extend(&mut self, items: Vec<Id>) -> Result<(), PickleError> {
        let target = self.top()?;
        match self.arena.node_mut(target) {
            Node::List(members) | Node::Set(members) => members.extend(items),
            Node::Object { .. } => {}
            _ => return Err(PickleError::Invalid),
        }
        Ok(())
    }

    fn mapping(&mut self, operation: u8) -> Result<(), PickleError> {
        match operation {
            b'}' => self.push(Node::Dict(Vec::new())),
            0x8f => self.push(Node::Set(Vec::new())),
            0x90 => self.pop_to_mark().and_then(|items| self.extend(items)),
            0x91 => self.pop_to_mark().and_then(|items| self.push(Node::Set(items))),
            b'd' => {
                let pairs = pairs(&self.pop_to_mark()?)?;
                self.push(Node::Dict(pairs))
            }
            _ => {
                let flat = if operation == b's' { self.pop_last(2)? } else { self.pop_to_mark()? };
                let added = pairs(&flat)?;
                let target = self.top()?;
                match self.arena.node_mut(target) {
                    Node::Dict(members) => members.extend(added),
                    Node::Object { .. } => {}
                    _ => return Err(PickleError::Invalid),
                }
                Ok(())
            }
        }
    }

    fn object(&mut self, operation: u8) -> Result<(), PickleError> {
        match operation {
            b'c' => {
                let name = self.class_name()?;
                self.push(Node::Class(name))
            }
            0x93 => {
                let [module, name] = self.pop_two()?;
                let name = match (self.arena.node(module), self.arena.node(name)) {
                    (Node::Str(module), Node::Str(name)) => join_name(module, name)?,
                    _ => return Err(PickleError::Invalid),
                };
                self.push(Node::Class(name))
            }
            b'i' => {
                let class = self.class_name()?;
                let args = self.pop_to_mark()?;
                self.push(Node::Object { class, args })
            }
            b'o' => {
                let mut args = self.pop_to_mark()?.into_iter();
                let class = args.next().ok_or(PickleError::Invalid)?;
                self.call(class, args.collect())
            }
            b'b' => {
                // The state of an instance that is never built is of no use.
                self.pop()?;
                self.top().map(|_| ())
            }
            _ => {
                if operation == 0x92 {
                    self.pop()?;
                }
                let [class, args] = self.pop_two()?;
                match self.arena.node(args) {
                    Node::Tuple(args) if args.len() <= MAX_CALL_ARGS => {
                        let args = args.clone();
                        self.call(class, args)
                    }
                    Node::Tuple(_) => Err(PickleError::TooLarge),
                    _ => Err(PickleError::Invalid),
                }
            }
        }
    }

    /// Stands for a call: `str` of a text is the text, everything else stays a name.
    fn call(&mut self, class: Id, args: Vec<Id>) -> Result<(), PickleError> {
        let Node::Class(name) = self.arena.node(class) else {
            return Err(PickleError::Invalid);
        };
        let is_str = matches!(&**name, "builtins.str" | "__builtin__.str" | "__builtin__.unicode");
        if let [text] = args[..]
            && is_str
            && matches!(self.arena.node(text), Node::Str(_))
        {
            return self.push_id(text);
        }
        let class = Arc::clone(name);
        self.push(Node::Object { class, args })
    }

    fn pop_two(&mut self) -> Result<[Id; 2], PickleError> {
        let second = self.pop()?;
        Ok([self.pop()?, second])
    }

    fn class_name(&mut self) -> Result<Arc<str>, PickleError> {
        let module = String::from_utf8_lossy(self.input.line()?);
        let name = String::from_utf8_lossy(self.input.line()?);
        join_name(&module, &name)
    }
}

fn join_name(module: &str, name: &str) -> Result<Arc<str>, PickleError> {
    if module.len() + name.len() > MAX_CLASS_NAME_BYTES {
        return Err(PickleError::TooLarge);
    }
    Ok(format!("{module}.{name}").into())
}

fn pairs(flat: &[Id]) -> Result<Vec<(Id, Id)>, PickleError> {
    let (pairs, rest) = flat.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(PickleError::Invalid);
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}
