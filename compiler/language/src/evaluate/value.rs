//! Values of an evaluation: tensors of the target, compile-time constants, tuples, lists; and from what they were computed.

use std::collections::BTreeSet;

use crate::resolve::Updated;
use crate::target::Typed;
use crate::types::{Element, TensorType};

/// A tensor with its place in the record of what was computed from what.
#[derive(Clone, Debug)]
pub(crate) struct Tracked<X> {
    pub(crate) typed: Typed<X>,
    pub(crate) node: usize,
    /// The innermost `vmap` over whose entries it varies, counted from 1 at the outermost; 0: it varies over none.
    pub(crate) depth: usize,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value<X> {
    Tensor(Tracked<X>),
    /// A compile-time number; None: known when the model is built.
    Number(Option<f64>),
    /// A compile-time bool.
    Flag(Option<bool>),
    Tuple(Vec<Value<X>>),
    /// A list. Open: of unknown length, `items` holding at most one example.
    List {
        items: Vec<Value<X>>,
        open: bool,
    },
    /// A range; the outer None: not written.
    Range(Option<Option<f64>>, Option<Option<f64>>),
    /// An error has been reported; agrees with everything.
    Poison,
}

impl<X> Value<X> {
    /// Whether an error was reported anywhere inside.
    pub(crate) fn poisoned(&self) -> bool {
        match self {
            Value::Poison => true,
            Value::Tuple(parts) | Value::List { items: parts, .. } => parts.iter().any(Value::poisoned),
            _ => false,
        }
    }

    /// Its type, if it is a tensor.
    pub(crate) fn tensor_type(&self) -> Option<&TensorType> {
        match self {
            Value::Tensor(tensor) => Some(&tensor.typed.ty),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Value::Tensor(tensor) => tensor.typed.ty.to_string(),
            Value::Number(Some(number)) => format!("the number {number}"),
            Value::Number(None) => "a number".to_string(),
            Value::Flag(_) => "a bool".to_string(),
            Value::Tuple(parts) => {
                format!("({})", parts.iter().map(Value::describe).collect::<Vec<_>>().join(", "))
            }
            Value::List { open: true, .. } => "a list".to_string(),
            Value::List { items, .. } => format!("a list of {}", items.len()),
            Value::Range(..) => "a range".to_string(),
            Value::Poison => "?".to_string(),
        }
    }
}

/// The type of a scalar number.
pub(crate) fn scalar() -> TensorType {
    TensorType { shape: Vec::new(), element: Element::Float, per_sample: false }
}

/// What was computed from what: one node a tensor. Nodes stand after their parents.
#[derive(Debug, Default)]
pub(crate) struct Record {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    parents: Vec<usize>,
    /// Whether gradient passes from here to the parents.
    passes: bool,
    source: Option<Updated>,
    /// Stands for a value that an error took the place of: what it was computed from is not known.
    stand_in: bool,
}

impl Record {
    pub(crate) fn add(&mut self, parents: Vec<usize>, passes: bool, source: Option<Updated>) -> usize {
        self.nodes.push(Node { parents, passes, source, stand_in: false });
        self.nodes.len() - 1
    }

    /// A node in place of one whose computation went wrong.
    pub(crate) fn add_stand_in(&mut self) -> usize {
        self.nodes.push(Node { parents: Vec::new(), passes: false, source: None, stand_in: true });
        self.nodes.len() - 1
    }

    /// Nodes that gradient from `from` reaches, itself included.
    fn reached(&self, from: usize) -> Vec<bool> {
        let mut reached = vec![false; from + 1];
        reached[from] = true;
        for index in (0..=from).rev() {
            if reached[index] && self.nodes[index].passes {
                self.nodes[index].parents.iter().for_each(|parent| reached[*parent] = true);
            }
        }
        reached
    }

    /// Whether gradient from `y` reaches `v`, as far as is known.
    pub(crate) fn reaches(&self, y: usize, v: usize) -> bool {
        let reached = self.reached(y);
        reached.get(v) == Some(&true) || self.unknown(&reached)
    }

    /// The nets and latents that gradient from `y` reaches; None when an error on the way leaves that unknown.
    pub(crate) fn sources(&self, y: usize) -> Option<BTreeSet<Updated>> {
        let reached = self.reached(y);
        let sources = (0..=y).filter(|index| reached[*index]).filter_map(|index| self.nodes[index].source);
        if self.unknown(&reached) { None } else { Some(sources.collect()) }
    }

    fn unknown(&self, reached: &[bool]) -> bool {
        reached.iter().zip(&self.nodes).any(|(reached, node)| *reached && node.stand_in)
    }
}
