//! The graph: nodes in topological order, each with its type; inputs, states and outputs by name.

use super::{Op, Type, infer};
use crate::{Error, Result};

/// A node of a graph. Ids are dense, and operands always have smaller ids than the node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// As an index into [`Graph::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One operation applied to operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operation with its attributes.
    pub op: Op,
    /// Operands, in the op's order.
    pub args: Vec<NodeId>,
    /// Type of the result; always what [`infer::infer`] says.
    pub ty: Type,
}

/// A named value that the host gives to the program, or that persists between programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Unique among the graph's inputs, or among its states. States are shared between programs by this name.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// Where a result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Becomes the new value of this state (index into [`Graph::states`]) once the program has ended.
    State(u32),
    /// Handed to the host under this name.
    Host(String),
}

/// One result of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where the value goes.
    pub target: Target,
    /// The value.
    pub value: NodeId,
}

/// A program: what is computed from inputs and states, and what becomes of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Given by the host at each run.
    pub inputs: Vec<Slot>,
    /// Persistent values read or written.
    pub states: Vec<Slot>,
    /// In topological order.
    pub nodes: Vec<Node>,
    /// Results, in order. No state is written twice.
    pub outputs: Vec<Output>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// The node of this id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The type of a node.
    pub fn ty(&self, id: NodeId) -> &Type {
        &self.nodes[id.index()].ty
    }

    /// The shape of a node.
    pub fn shape(&self, id: NodeId) -> &[usize] {
        &self.nodes[id.index()].ty.shape
    }

    /// Ids of all nodes, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Adds a node after inferring its type.
    ///
    /// # Errors
    /// [`Error::Ir`] when operands do not exist or their types do not suit the op; the graph is unchanged.
    pub fn add(&mut self, op: Op, args: Vec<NodeId>) -> Result<NodeId> {
        if let Some(a) = args.iter().find(|a| a.index() >= self.nodes.len()) {
            return Err(Error::ir(format!("{}: operand %{} does not exist", op.kind().name(), a.0)));
        }
        let ty = infer::infer(self, &op, &args)?;
        self.nodes.push(Node { op, args, ty });
        Ok(NodeId(self.nodes.len() as u32 - 1))
    }

    /// Declares an input and returns its node.
    pub fn input(&mut self, name: impl Into<String>, ty: Type) -> NodeId {
        self.inputs.push(Slot { name: name.into(), ty: ty.clone() });
        self.push_leaf(Op::Input(self.inputs.len() as u32 - 1), ty)
    }

    /// Declares a state and returns the node that reads it.
    pub fn state(&mut self, name: impl Into<String>, ty: Type) -> NodeId {
        self.states.push(Slot { name: name.into(), ty: ty.clone() });
        self.push_leaf(Op::State(self.states.len() as u32 - 1), ty)
    }

    /// The index of the state of this name.
    pub fn state_index(&self, name: &str) -> Option<u32> {
        self.states.iter().position(|s| s.name == name).map(|i| i as u32)
    }

    /// Adds a result for the host.
    pub fn output(&mut self, name: impl Into<String>, value: NodeId) {
        self.outputs.push(Output { target: Target::Host(name.into()), value });
    }

    /// Makes `value` the new value of a state.
    pub fn write(&mut self, state: u32, value: NodeId) {
        self.outputs.push(Output { target: Target::State(state), value });
    }

    fn push_leaf(&mut self, op: Op, ty: Type) -> NodeId {
        self.nodes.push(Node { op, args: Vec::new(), ty });
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Number of uses of every node, outputs included.
    pub fn use_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.nodes.len()];
        for node in &self.nodes {
            for a in &node.args {
                counts[a.index()] += 1;
            }
        }
        for output in &self.outputs {
            counts[output.value.index()] += 1;
        }
        counts
    }
}
