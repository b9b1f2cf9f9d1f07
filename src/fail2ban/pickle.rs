//! Python pickles: an encoder for commands and a bounded decoder for replies.
//!
//! The decoder understands protocols 0 to 5 and **never resolves a class**: a class is a name, an
//! instance is that name with its arguments ([`Value::Object`]), so nothing in a reply can run.
//! The one exception is `str(x)`, which fail2ban uses for addresses and which is `x` itself.
//!
//! Any input gives a value or an error, in time linear in its length: the bytes, the number of
//! values, the depth and the memo are limited. Values that a pickle shares stay shared while it is
//! read (an arena with indices), and the tree that is built at the end is counted as it grows, so
//! that a small pickle cannot unfold into a large tree.

mod input;
mod machine;

use std::sync::Arc;

use machine::{Arena, Id, Node};

/// The longest pickle that is read: a list of 300,000 bans with their times is 20 MB.
pub const MAX_PICKLE_BYTES: usize = 32 * 1024 * 1024;
/// The most values in one reply; two for each ban in the costliest reply.
pub const MAX_ITEMS: usize = 1_000_000;
/// The deepest nesting; real replies have 6 levels.
pub const MAX_DEPTH: usize = 64;

/// A value of a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// An integer that is larger: no reply that is used has one, so its value is not kept.
    BigInt,
    /// A float.
    Float(f64),
    /// Text; what is not UTF-8 is replaced.
    Str(Arc<str>),
    /// `bytes` or `bytearray`.
    Bytes(Arc<[u8]>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A set or frozenset, in the order of the pickle.
    Set(Vec<Value>),
    /// A dict, in the order of the pickle.
    Dict(Vec<(Value, Value)>),
    /// A class by its name, such as `builtins.ValueError`.
    Class(Arc<str>),
    /// An instance that was not built: the name of its class and the arguments.
    Object {
        /// The full name of the class.
        class: Arc<str>,
        /// What the class would have been called with.
        args: Vec<Value>,
    },
}

/// Why bytes are not a pickle that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The bytes end too early.
    #[error("the reply is cut off")]
    Truncated,
    /// A byte is no operation, or one that replies never use.
    #[error("the reply has the unknown operation {0:#04x}")]
    UnknownOperation(u8),
    /// An operation does not fit what came before it.
    #[error("the reply is no valid pickle")]
    Invalid,
    /// More bytes, values, levels or memo entries than the limits allow.
    #[error("the reply is larger than the limits allow")]
    TooLarge,
}

impl Value {
    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one; Python's truth values count as 0 and 1, as they do there.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(flag) => Some(i64::from(*flag)),
            _ => None,
        }
    }

    /// The members of a list, a tuple or a set.
    pub fn as_items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => Some(items),
            _ => None,
        }
    }
}

/// Encodes a command: a list of strings in protocol 2, which every fail2ban reads.
pub fn encode_command<S: AsRef<str>>(words: &[S]) -> Vec<u8> {
    let text_bytes: usize = words.iter().map(|word| word.as_ref().len()).sum();
    let mut pickle = Vec::with_capacity(text_bytes + 5 * words.len() + 6);
    pickle.extend_from_slice(&[machine::PROTO, 2, machine::EMPTY_LIST, machine::MARK]);
    for word in words {
        let bytes = word.as_ref().as_bytes();
        // Words come from validated types of at most a hundred characters; the cut is a formality.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        pickle.push(machine::BINUNICODE);
        pickle.extend_from_slice(&length.to_le_bytes());
        pickle.extend_from_slice(&bytes[..length as usize]);
    }
    pickle.extend_from_slice(&[machine::APPENDS, machine::STOP]);
    pickle
}

/// Decodes one whole pickle.
pub fn decode(bytes: &[u8]) -> Result<Value, PickleError> {
    if bytes.len() > MAX_PICKLE_BYTES {
        return Err(PickleError::TooLarge);
    }
    let (arena, root) = machine::run(bytes)?;
    let mut builder = TreeBuilder { arena: &arena, items_left: MAX_ITEMS };
    builder.build(root, MAX_DEPTH)
}

/// Unfolds the arena into a tree, with an account of what may still be made.
struct TreeBuilder<'a> {
    arena: &'a Arena,
    items_left: usize,
}

impl TreeBuilder<'_> {
    fn build(&mut self, id: Id, depth_left: usize) -> Result<Value, PickleError> {
        // A cycle has no end, so the depth is what stops it.
        let depth_left = depth_left.checked_sub(1).ok_or(PickleError::TooLarge)?;
        self.items_left = self.items_left.checked_sub(1).ok_or(PickleError::TooLarge)?;
        // The arena outlives the builder's own borrow, so that the account can change meanwhile.
        let arena = self.arena;
        Ok(match arena.node(id) {
            Node::None => Value::None,
            Node::Bool(flag) => Value::Bool(*flag),
            Node::Int(number) => Value::Int(*number),
            Node::BigInt => Value::BigInt,
            Node::Float(number) => Value::Float(*number),
            Node::Str(text) => Value::Str(Arc::clone(text)),
            Node::Bytes(bytes) => Value::Bytes(Arc::clone(bytes)),
            Node::Class(name) => Value::Class(Arc::clone(name)),
            Node::List(items) => Value::List(self.build_all(items, depth_left)?),
            Node::Tuple(items) => Value::Tuple(self.build_all(items, depth_left)?),
            Node::Set(items) => Value::Set(self.build_all(items, depth_left)?),
            Node::Dict(pairs) => {
                let mut built = Vec::with_capacity(pairs.len().min(self.items_left));
                for (key, value) in pairs {
                    built.push((self.build(*key, depth_left)?, self.build(*value, depth_left)?));
                }
                Value::Dict(built)
            }
            Node::Object { class, args } => {
                Value::Object { class: Arc::clone(class), args: self.build_all(args, depth_left)? }
            }
        })
    }

    fn build_all(&mut self, items: &[Id], depth_left: usize) -> Result<Vec<Value>, PickleError> {
        let mut built = Vec::with_capacity(items.len().min(self.items_left));
        for id in items {
            built.push(self.build(*id, depth_left)?);
        }
        Ok(built)
    }
}
