//! The reference interpreter: what a graph means, and so the oracle of every back end.
//!
//! In: a graph with the values of its inputs and states. Out: the values for the host and the new values of written states, or
//! the value of every node. Written for clarity, in f64 (the truth) and in f32 (the error that single precision must make,
//! from which tests take their bounds). Sums run in row-major order with one accumulator. Integers wrap.
//!
//! One file a family of ops: `elementwise`, `movement`, `reduce` (sums, scans, windows, indices), `contraction`.

mod contraction;
mod elementwise;
mod movement;
mod reduce;
mod strided;
#[cfg(test)]
mod tests;
mod value;

pub use value::{Data, Float, Value};

use super::{Graph, Node, NodeId, Op, Target, Type, philox};
use crate::{Error, Result};

/// What a program left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<T> {
    /// Results for the host in the order of the graph's outputs, by name.
    pub outputs: Vec<(String, Value<T>)>,
    /// New values of the written states, by index into [`Graph::states`], in the order of the graph's outputs.
    pub writes: Vec<(u32, Value<T>)>,
}

impl<T: Float> Outcome<T> {
    /// The result of this name.
    pub fn output(&self, name: &str) -> Option<&Value<T>> {
        self.outputs.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Carries the writes out, so that the next run sees them.
    pub fn store(&self, states: &mut [Value<T>]) {
        for (i, value) in &self.writes {
            if let Some(state) = states.get_mut(*i as usize) {
                *state = value.clone();
            }
        }
    }
}

/// Runs a program. Only what its outputs need is computed.
///
/// # Errors
/// When inputs or states are missing or of another type than the graph declares, or a node's type is not what its op makes.
pub fn interpret<T: Float>(graph: &Graph, inputs: &[Value<T>], states: &[Value<T>]) -> Result<Outcome<T>> {
    let mut needed = vec![false; graph.nodes.len()];
    for output in &graph.outputs {
        needed[output.value.index()] = true;
    }
    for id in graph.ids().rev() {
        if needed[id.index()] {
            graph.node(id).args.iter().for_each(|a| needed[a.index()] = true);
        }
    }
    let values = run(graph, inputs, states, |id| needed[id.index()])?;
    let mut outcome = Outcome { outputs: Vec::new(), writes: Vec::new() };
    for output in &graph.outputs {
        let value = values[output.value.index()].clone().ok_or_else(|| Error::ir("an output was not computed"))?;
        match &output.target {
            Target::Host(name) => outcome.outputs.push((name.clone(), value)),
            Target::State(i) => outcome.writes.push((*i, value)),
        }
    }
    Ok(outcome)
}

/// The value of every node, in the order of [`Graph::nodes`].
///
/// # Errors
/// See [`interpret`].
pub fn interpret_nodes<T: Float>(graph: &Graph, inputs: &[Value<T>], states: &[Value<T>]) -> Result<Vec<Value<T>>> {
    Ok(run(graph, inputs, states, |_| true)?.into_iter().flatten().collect())
}

fn run<T: Float>(
    graph: &Graph,
    inputs: &[Value<T>],
    states: &[Value<T>],
    wanted: impl Fn(NodeId) -> bool,
) -> Result<Vec<Option<Value<T>>>> {
    for (what, slots, given) in [("input", &graph.inputs, inputs), ("state", &graph.states, states)] {
        if slots.len() != given.len() {
            return Err(Error::ir(format!("{} {what}s declared, {} given", slots.len(), given.len())));
        }
        if let Some((slot, v)) = slots.iter().zip(given).find(|(s, v)| s.ty != v.ty || v.data.len() != v.ty.elements()) {
            return Err(Error::ir(format!("{what} {} is declared {}, given {}", slot.name, slot.ty, v.ty)));
        }
    }
    let mut values: Vec<Option<Value<T>>> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let value = match wanted(id) {
            true => {
                let node = graph.node(id);
                let args: Option<Vec<&Value<T>>> =
                    node.args.iter().map(|a| values.get(a.index()).and_then(Option::as_ref)).collect();
                let args = args.ok_or_else(|| Error::ir(format!("%{}: an operand comes later", id.0)))?;
                Some(apply(node, &args, inputs, states).map_err(|e| Error::ir(format!("%{}: {e}", id.0)))?)
            }
            false => None,
        };
        values.push(value);
    }
    Ok(values)
}

/// The value of one node from those of its operands.
///
/// # Errors
/// When operands have another number or element type than the op wants: the node is not what type inference allows.
pub fn apply<T: Float>(node: &Node, args: &[&Value<T>], inputs: &[Value<T>], states: &[Value<T>]) -> Result<Value<T>> {
    let missing = |what: &str| Error::ir(format!("no such {what}"));
    let data = match &node.op {
        Op::Input(i) => inputs.get(*i as usize).ok_or_else(|| missing("input"))?.data.clone(),
        Op::State(i) => states.get(*i as usize).ok_or_else(|| missing("state"))?.data.clone(),
        op => compute(op, &node.ty, args).ok_or_else(|| {
            let types: Vec<String> = args.iter().map(|a| a.ty.to_string()).collect();
            Error::ir(format!("{} does not apply to ({})", op.kind().name(), types.join(", ")))
        })?,
    };
    match data.dtype() == node.ty.dtype && data.len() == node.ty.elements() {
        true => Ok(Value { ty: node.ty.clone(), data }),
        false => Err(Error::ir(format!("{} does not make a {}", node.op.kind().name(), node.ty))),
    }
}

fn compute<T: Float>(op: &Op, ty: &Type, args: &[&Value<T>]) -> Option<Data<T>> {
    let arg = |i: usize| args.get(i).copied();
    let floats = |i: usize| arg(i).and_then(Value::as_floats);
    let ints = |i: usize| arg(i).and_then(Value::as_ints);
    let sum_like = |f: &dyn Fn(&Type, &[T]) -> Vec<T>| Some(Data::F(f(&arg(0)?.ty, floats(0)?)));
    match op {
        Op::Input(_) | Op::State(_) => None,
        Op::Const(literal) => Some(Value::scalar(*literal).data),
        Op::Iota { shape, axis } => {
            let inner: usize = shape[axis + 1..].iter().product();
            Some(Data::I((0..ty.elements()).map(|e| (e / inner % shape[*axis]) as i32).collect()))
        }
        Op::Rng { stream, .. } => {
            let key: [i32; 4] = ints(0)?.try_into().ok()?;
            let drawn = philox::draw(key.map(|k| k as u32), *stream, ty.elements());
            Some(Data::F(drawn.into_iter().map(|v| T::from_f64(v.into())).collect()))
        }
        Op::Cast(_)
        | Op::StopGrad
        | Op::Hold
        | Op::Floor
        | Op::Sign
        | Op::Neg
        | Op::Exp
        | Op::Log
        | Op::Sqrt
        | Op::Sin
        | Op::Tanh
        | Op::Softplus => elementwise::unary(op, &arg(0)?.data),
        Op::Add | Op::Mul | Op::Div | Op::Max | Op::Lt | Op::Eq => elementwise::binary(op, &arg(0)?.data, &arg(1)?.data),
        Op::Select => elementwise::select(arg(0)?.as_bools()?, &arg(1)?.data, &arg(2)?.data),
        Op::Reshape(_) | Op::Transpose(_) | Op::Reverse(_) | Op::Broadcast { .. } | Op::Slice { .. } => {
            movement::rearrange(op, &arg(0)?.ty, &arg(0)?.data)
        }
        Op::Pad { lo, interior, .. } => Some(movement::pad((lo, interior), &arg(0)?.ty, ty, &arg(0)?.data, &arg(1)?.data)),
        Op::Concat { axis } => {
            let parts: Vec<_> = args.iter().map(|a| (&a.ty, &a.data)).collect();
            movement::concat(*axis, ty, &parts)
        }
        Op::ReduceSum(axes) => sum_like(&|t, x| reduce::sum(axes, t, x)),
        Op::ReduceMax(axes) => sum_like(&|t, x| reduce::max(axes, t, x)),
        Op::CumSum { axis, reverse } => sum_like(&|t, x| reduce::cum_sum(*axis, *reverse, t, x)),
        Op::Dot(dims) => Some(Data::F(contraction::dot(dims, (&arg(0)?.ty, floats(0)?), (&arg(1)?.ty, floats(1)?)))),
        Op::Conv(dims) => Some(Data::F(contraction::conv(dims, (&arg(0)?.ty, floats(0)?), (&arg(1)?.ty, floats(1)?), ty))),
        Op::Unfold { axis, stride, dilation, .. } => {
            let offsets = reduce::unfold(*axis, (*stride, *dilation), &arg(0)?.ty, ty);
            Some(movement::read(&arg(0)?.data, &offsets))
        }
        Op::Fold { axis, stride, dilation, .. } => sum_like(&|t, x| reduce::fold(*axis, (*stride, *dilation), t, ty, x)),
        Op::Gather { axis } => {
            let offsets = reduce::gather(*axis, &arg(0)?.ty.shape, ints(1)?);
            Some(movement::read(&arg(0)?.data, &offsets))
        }
        Op::ScatterAdd { axis, .. } => Some(Data::F(reduce::scatter_add(*axis, ty, ints(0)?, floats(1)?))),
    }
}
