//! A program with the values to run it on, and whether two right machines must agree on it.

use crate::ir::interpret::{Data, Value, interpret_nodes};
use crate::ir::{DType, Graph, NodeId, Op};
use crate::{Error, Result};

/// A graph with values of its inputs and states.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// What is computed.
    pub graph: Graph,
    /// One value an input of the graph.
    pub inputs: Vec<Value<f32>>,
    /// One value a state of the graph.
    pub states: Vec<Value<f32>>,
}

/// The values of all nodes in both precisions.
pub(super) struct Traces {
    pub double: Vec<Value<f64>>,
    pub single: Vec<Value<f32>>,
}

impl Program {
    /// Interprets every node in f64 and in f32.
    pub(super) fn traces(&self) -> Result<Traces> {
        let wide = |values: &[Value<f32>]| values.iter().map(Value::convert).collect::<Vec<_>>();
        Ok(Traces {
            double: interpret_nodes(&self.graph, &wide(&self.inputs), &wide(&self.states))?,
            single: interpret_nodes(&self.graph, &self.inputs, &self.states)?,
        })
    }

    /// Whether no comparison, floor, sign or conversion to an integer hangs on rounding, and all values are finite: then every
    /// right machine takes the same decisions, and its results can be compared with the interpreter's.
    ///
    /// # Errors
    /// When the program cannot be interpreted.
    pub fn is_decisive(&self) -> Result<bool> {
        let traces = self.traces()?;
        let mut exact = Vec::with_capacity(self.graph.nodes.len());
        for id in self.graph.ids() {
            if !finite(&traces.double[id.index()]) || !finite(&traces.single[id.index()]) {
                return Ok(false);
            }
            if !decides(&self.graph, id, &traces, &exact) {
                return Ok(false);
            }
            exact.push(is_exact(&self.graph, id, &exact) || counts(&self.graph, id, &traces, &exact));
        }
        Ok(true)
    }

    /// The program as text with its inputs: what a failing test prints.
    pub fn describe(&self) -> String {
        let mut text = self.graph.to_string();
        for (what, values) in [("input", &self.inputs), ("state", &self.states)] {
            for (i, v) in values.iter().enumerate() {
                text += &format!("{what} {i}: {} = {:?}\n", v.ty, v.data);
            }
        }
        text
    }

    /// An error naming the program's outputs that do not exist; `Ok` for a sound program.
    pub(super) fn sound(&self) -> Result<()> {
        match self.graph.outputs.iter().all(|o| o.value.index() < self.graph.nodes.len()) {
            true => Ok(()),
            false => Err(Error::ir("an output does not exist")),
        }
    }
}

/// Whether all floats are finite.
pub(super) fn finite<T: crate::ir::interpret::Float>(v: &Value<T>) -> bool {
    v.as_floats().is_none_or(|x| x.iter().all(|e| e.to_f64().is_finite()))
}

/// Whether every machine has exactly these bits: the node only copies, selects or compares what it was given. `exact` has this
/// of all nodes before.
pub(super) fn is_exact(graph: &Graph, id: NodeId, exact: &[bool]) -> bool {
    let node = graph.node(id);
    let args = || node.args.iter().all(|a| exact[a.index()]);
    match &node.op {
        // Integers and truth values are exact because decisions are checked.
        _ if node.ty.dtype != DType::F32 => true,
        Op::Floor | Op::Sign => true,
        Op::Cast(_) => graph.ty(node.args[0]).dtype != DType::F32 || args(),
        Op::Exp | Op::Log | Op::Sqrt | Op::Sin | Op::Tanh | Op::Softplus | Op::Add | Op::Mul | Op::Div => false,
        Op::ReduceSum(_) | Op::CumSum { .. } | Op::Dot(_) | Op::Conv(_) | Op::Fold { .. } | Op::ScatterAdd { .. } => false,
        _ => args(),
    }
}

/// Whether the node adds or multiplies exact whole numbers to one below 2²⁴, as indices of samples are computed: no machine rounds it.
fn counts(graph: &Graph, id: NodeId, traces: &Traces, exact: &[bool]) -> bool {
    let node = graph.node(id);
    let counted = |id: NodeId| {
        let values = traces.double[id.index()].as_floats().unwrap_or(&[]);
        values.iter().all(|x| x.fract() == 0.0 && x.abs() < f64::from(1 << 24))
    };
    matches!(node.op, Op::Add | Op::Mul) && counted(id) && node.args.iter().all(|a| exact[a.index()] && counted(*a))
}

/// Whether what the node decides is the same on every machine: its operands are exact, or far enough from where the decision
/// changes.
pub(super) fn decides(graph: &Graph, id: NodeId, traces: &Traces, exact: &[bool]) -> bool {
    let node = graph.node(id);
    let all_exact = || node.args.iter().all(|a| exact[a.index()]);
    let floats = |i: usize| traces.double[node.args[i].index()].as_floats().unwrap_or(&[]);
    let margin = |i: usize| {
        let (double, single) = (&traces.double[node.args[i].index()], &traces.single[node.args[i].index()]);
        let pairs = double.to_f64s().into_iter().zip(single.to_f64s());
        pairs.map(|(d, s)| (d - s).abs()).fold(0.0, f64::max) * 64.0 + 1e-3
    };
    match &node.op {
        Op::Lt | Op::Eq if graph.ty(node.args[0]).dtype == DType::F32 && !all_exact() => {
            let apart = margin(0) + margin(1);
            // The place of the maximum is where the mask of its gradient is: one value compared with a copy of itself.
            let same = |e: usize| {
                is_maximum_of(graph, node.args[1], node.args[0]) && {
                    let [a, b] = [0, 1].map(|i| traces.single[node.args[i].index()].to_f64s()[e]);
                    a == b
                }
            };
            let close = |(e, (a, b)): (usize, (&f64, &f64))| (a - b).abs() < apart && !(a == b && same(e));
            !floats(0).iter().zip(floats(1)).enumerate().any(close)
        }
        Op::Floor if !all_exact() => floats(0).iter().all(|x| (x - x.round()).abs() > margin(0)),
        Op::Cast(DType::I32) if !all_exact() => floats(0).iter().all(|x| x.abs() < 0.5 || (x - x.round()).abs() > margin(0)),
        Op::Sign | Op::Cast(DType::Bool) if !all_exact() => floats(0).iter().all(|x| x.abs() > margin(0)),
        _ => true,
    }
}

/// Whether `id` is the maximum of `x` over some axes, brought back to its shape.
fn is_maximum_of(graph: &Graph, id: NodeId, x: NodeId) -> bool {
    let node = graph.node(id);
    match &node.op {
        Op::Broadcast { .. } | Op::Reshape(_) => is_maximum_of(graph, node.args[0], x),
        Op::ReduceMax(_) => node.args[0] == x,
        _ => false,
    }
}

/// The largest magnitude among these values.
pub(super) fn magnitude(values: &Value<f64>) -> f64 {
    match &values.data {
        Data::F(v) => v.iter().map(|x| x.abs()).filter(|x| x.is_finite()).fold(0.0, f64::max),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Literal, Type};

    /// Samples 0…3 rotated by a whole number, or by another one, as indices.
    fn rotated(by: f32) -> Program {
        let mut graph = Graph::new();
        let by = graph.add(Op::Const(Literal::F32(by)), vec![]).unwrap();
        let by = graph.add(Op::Broadcast { shape: vec![4], dims: vec![] }, vec![by]).unwrap();
        let x = graph.input("x", Type::f32([4]));
        let whole = graph.add(Op::Floor, vec![x]).unwrap();
        let moved = graph.add(Op::Add, vec![whole, by]).unwrap();
        let index = graph.add(Op::Cast(DType::I32), vec![moved]).unwrap();
        graph.output("y", index);
        let x = Value::new(&[4], Data::F(vec![0.5, 1.5, 2.5, 3.5])).unwrap();
        Program { graph, inputs: vec![x], states: vec![] }
    }

    #[test]
    fn whole_numbers_decide_and_others_beside_them_do_not() {
        assert_eq!(rotated(3.0).is_decisive(), Ok(true));
        assert_eq!(rotated(3.0001).is_decisive(), Ok(false));
    }
}
