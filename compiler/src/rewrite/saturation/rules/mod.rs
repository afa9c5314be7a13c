//! Directed rules of equality saturation, by family. Each proposes a right side for a left side; the extraction decides.
//!
//! Written so that the right side is never worse by more than the sharing it may break; associativity and distribution are
//! never unrestricted.

mod algebra;
mod motion;
mod products;

use super::language::{Programs, Term};
use crate::ir::{Op, OpKind, Type};
use ::egg::Id;

/// A right side: ops over e-classes.
#[derive(Clone, Debug)]
pub enum Side {
    /// An e-class of the left side.
    Class(Id),
    /// An op applied.
    Apply(Op, Vec<Side>),
}

impl From<Id> for Side {
    fn from(id: Id) -> Side {
        Side::Class(id)
    }
}

/// `op` over sides.
fn apply<const N: usize>(op: Op, args: [Side; N]) -> Side {
    Side::Apply(op, args.into())
}

/// One rule.
#[derive(Clone, Copy)]
pub struct SearchRule {
    /// Unique; what reports and failing tests say.
    pub name: &'static str,
    /// The equation, read from left to right.
    pub equation: &'static str,
    /// Where it holds, beyond the rounding of the last bits.
    pub holds: &'static str,
    /// Ops at the root of the left side.
    pub roots: &'static [OpKind],
    /// Right sides for an e-node.
    pub apply: fn(&View, &Op, &[Id]) -> Vec<Side>,
}

/// All rules, in the order in which they are applied.
pub fn all() -> Vec<SearchRule> {
    [products::RULES, motion::RULES, algebra::RULES].concat()
}

/// What rules may look at.
pub struct View<'a> {
    programs: &'a Programs,
    /// Classes of which one e-node alone is seen.
    form: &'a [(Id, Term)],
}

impl<'a> View<'a> {
    /// All of it.
    pub fn of(programs: &'a Programs) -> View<'a> {
        View { programs, form: &[] }
    }

    /// With one e-node alone of some classes.
    pub fn of_form(programs: &'a Programs, form: &'a [(Id, Term)]) -> View<'a> {
        View { programs, form }
    }

    /// The type of an e-class.
    pub fn ty(&self, id: Id) -> &'a Type {
        &self.programs[id].data.ty
    }

    /// The number of elements of an e-class.
    pub fn elements(&self, id: Id) -> usize {
        self.ty(id).elements()
    }

    /// The type that an op gives operands of these types.
    pub fn infer<'t>(&self, op: &Op, args: impl IntoIterator<Item = &'t Type>) -> crate::Result<Type> {
        self.programs.analysis.infer(op, args)
    }

    /// The e-nodes of a class that apply this op.
    pub fn of_kind(&self, id: Id, kind: OpKind) -> impl Iterator<Item = (&'a Op, &'a [Id])> + use<'a> {
        let only = self.form.iter().find(|(class, _)| *class == id).map(|(_, term)| std::slice::from_ref(term));
        let applies = move |t: &'a Term| t.op().filter(|op| op.kind() == kind).map(|op| (op, &t.args[..]));
        only.unwrap_or(&self.programs[id].nodes).iter().filter_map(applies)
    }
}
