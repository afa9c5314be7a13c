//! Programs as terms of an e-graph: one e-node an op with its attributes, one `Outputs` root.

use crate::Result;
use crate::ir::{Graph, Literal, Node, NodeId, Op, OpKind, Type, infer};
use ::egg::{Analysis, DidMerge, EGraph, Id, Language};
use std::sync::Arc;

/// The operator of an e-node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Head {
    /// An op of the IR; attributes are part of the operator, so e-nodes are equal only if their attributes are.
    Op(Arc<Op>),
    /// The root: all results of the program, in order.
    Outputs,
}

/// An e-node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term {
    /// The operator.
    pub head: Head,
    /// Operands.
    pub args: Vec<Id>,
}

impl Term {
    /// The op, unless this is the root.
    pub fn op(&self) -> Option<&Op> {
        match &self.head {
            Head::Op(op) => Some(op),
            Head::Outputs => None,
        }
    }
}

impl Language for Term {
    type Discriminant = Option<OpKind>;

    fn discriminant(&self) -> Self::Discriminant {
        self.op().map(Op::kind)
    }

    fn matches(&self, other: &Self) -> bool {
        self.head == other.head && self.args.len() == other.args.len()
    }

    fn children(&self) -> &[Id] {
        &self.args
    }

    fn children_mut(&mut self) -> &mut [Id] {
        &mut self.args
    }
}

/// What is known of every e-class.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its type; the root has the type of a scalar.
    pub ty: Type,
    /// The constant that all elements equal.
    pub constant: Option<Literal>,
}

/// The analysis; holds the slots, whose types leaves have.
#[derive(Clone, Debug, Default)]
pub struct Types {
    slots: Graph,
}

/// Programs under saturation.
pub type Programs = EGraph<Term, Types>;

impl Types {
    /// For programs over the slots of `graph`.
    pub fn over_slots(graph: &Graph) -> Types {
        Types { slots: Graph { inputs: graph.inputs.clone(), states: graph.states.clone(), ..Graph::new() } }
    }

    /// The type of `op` over operands of these types.
    pub fn infer<'t>(&self, op: &Op, args: impl IntoIterator<Item = &'t Type>) -> Result<Type> {
        match op {
            Op::Input(_) | Op::State(_) => infer::infer(&self.slots, op, &[]),
            _ => {
                let leaf = |ty: &Type| Node { op: Op::Const(Literal::Bool(false)), args: Vec::new(), ty: ty.clone() };
                let nodes: Vec<Node> = args.into_iter().map(leaf).collect();
                let ids: Vec<NodeId> = (0..nodes.len() as u32).map(NodeId).collect();
                infer::infer(&Graph { nodes, ..Graph::new() }, op, &ids)
            }
        }
    }
}

impl Analysis<Term> for Types {
    type Data = Facts;

    fn make(egraph: &mut Programs, term: &Term, _: Id) -> Facts {
        let scalar = || Facts { ty: Type::f32([]), constant: None };
        let Some(op) = term.op() else { return scalar() };
        // Terms are only added after their type was found.
        let Ok(ty) = egraph.analysis.infer(op, term.args.iter().map(|a| &egraph[*a].data.ty)) else { return scalar() };
        let constant = match op {
            Op::Const(v) => Some(*v),
            Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) => egraph[term.args[0]].data.constant,
            _ => None,
        };
        Facts { ty, constant }
    }

    fn merge(&mut self, a: &mut Facts, b: Facts) -> DidMerge {
        assert_eq!(a.ty, b.ty, "a rule equates values of different types");
        let constant = a.constant.or(b.constant);
        let merged = DidMerge(a.constant != constant, b.constant != constant);
        a.constant = constant;
        merged
    }
}
