//! Makes a failing program small: what is left should be the few nodes that matter.
//!
//! Each step is tried and kept if the program still fails: drop an output; give up the outputs for an earlier node; replace a
//! node by an operand of its type, by a fresh input with its value, or by a constant; simplify the given values. Steps that
//! make a program ill-typed or indecisive are not tried on the machine.

use super::program::Program;
use crate::ir::interpret::{Data, Value};
use crate::ir::{DType, Graph, Literal, Node, NodeId, Op, Target, Type};

/// Most calls of `fails`.
const TRIALS: usize = 4000;

/// A program as small as could be found for which `fails` holds, given one for which it does.
pub fn shrink(program: &Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut best = pruned(program).filter(&mut fails).unwrap_or_else(|| program.clone());
    let mut trials = 0;
    loop {
        let mut improved = false;
        let mut step = 0;
        // Candidates are numbered; after a success the same number is tried again on the smaller program.
        while let Some(candidate) = candidate(&best, step) {
            let smaller = candidate.and_then(|c| pruned(&c)).filter(|c| size(c) < size(&best));
            match smaller.filter(|c| c.is_decisive() == Ok(true)) {
                Some(c) if trials < TRIALS => {
                    trials += 1;
                    match fails(&c) {
                        true => (best, improved) = (c, true),
                        false => step += 1,
                    }
                }
                Some(_) => return best,
                None => step += 1,
            }
        }
        if !improved {
            return best;
        }
    }
}

/// Smaller is better; strictly smaller at every accepted step, so that shrinking ends.
fn size(p: &Program) -> (usize, usize, usize) {
    let operations = p.graph.nodes.iter().filter(|n| !n.args.is_empty()).count();
    let values = p.inputs.iter().chain(&p.states);
    let untidy = values.flat_map(Value::to_f64s).filter(|v| *v != 0.0 && *v != 1.0).count();
    (operations, p.graph.outputs.len() + p.graph.nodes.len(), untidy)
}

/// The candidate of this number; `None` after the last, `Some(None)` if this one does not apply.
fn candidate(p: &Program, step: usize) -> Option<Option<Program>> {
    let (outputs, nodes) = (p.graph.outputs.len(), p.graph.nodes.len());
    let mut step = step;
    if step < outputs {
        let mut smaller = p.clone();
        smaller.graph.outputs.remove(step);
        return Some((outputs > 1).then_some(smaller));
    }
    step -= outputs;
    if step < nodes {
        // The only output is now this node: finds the first wrong value when tried from the front.
        let mut smaller = p.clone();
        smaller.graph.outputs.clear();
        smaller.graph.output("y", NodeId(step as u32));
        return Some(Some(smaller));
    }
    step -= nodes;
    if step < nodes * REPLACEMENTS {
        let id = NodeId((nodes - 1 - step / REPLACEMENTS) as u32);
        return Some(replaced(p, id, step % REPLACEMENTS));
    }
    step -= nodes * REPLACEMENTS;
    let values = p.inputs.len() + p.states.len();
    if step < values * 2 {
        let mut smaller = p.clone();
        let simple = if step.is_multiple_of(2) { 0.0 } else { 1.0 };
        let value = smaller.inputs.iter_mut().chain(&mut smaller.states).nth(step / 2)?;
        match &mut value.data {
            Data::F(v) => v.fill(simple),
            Data::I(v) => v.fill(simple as i32),
            Data::B(v) => v.fill(simple != 0.0),
        }
        return Some(Some(smaller));
    }
    None
}

/// Ways to replace a node: by one of its first three operands, by a fresh input, by constants 0 and 1.
const REPLACEMENTS: usize = 6;

fn replaced(p: &Program, id: NodeId, way: usize) -> Option<Program> {
    let node = p.graph.node(id);
    if node.args.is_empty() {
        return None;
    }
    match way {
        0..3 => {
            let operand = *node.args.get(way)?;
            (*p.graph.ty(operand) == node.ty).then(|| {
                rebuilt(
                    p,
                    |i| i != id || i == operand,
                    |old| match old == id {
                        true => Substitute::Node(operand),
                        false => Substitute::Keep,
                    },
                )
            })?
        }
        3 => {
            let value = p.traces().ok()?.single.get(id.index())?.clone();
            rebuilt(p, |_| true, |old| if old == id { Substitute::Input(value.clone()) } else { Substitute::Keep })
        }
        _ => {
            let number = if way == 4 { 0.0 } else { 1.0 };
            rebuilt(p, |_| true, |old| if old == id { Substitute::Constant(number) } else { Substitute::Keep })
        }
    }
}

/// What takes a node's place in a rebuilt program.
enum Substitute {
    Keep,
    Node(NodeId),
    Input(Value<f32>),
    Constant(f32),
}

/// The program with nodes substituted and only the nodes that `kept` names; `None` if an operand is missing or types no longer fit.
fn rebuilt(p: &Program, kept: impl Fn(NodeId) -> bool, substitute: impl Fn(NodeId) -> Substitute) -> Option<Program> {
    let mut result = Program { graph: Graph::new(), inputs: Vec::new(), states: Vec::new() };
    let mut map: Vec<Option<NodeId>> = vec![None; p.graph.nodes.len()];
    let mut states: Vec<Option<u32>> = vec![None; p.states.len()];
    for id in p.graph.ids() {
        map[id.index()] = match substitute(id) {
            Substitute::Node(other) => map[other.index()],
            Substitute::Input(value) => Some(add_input(&mut result, &value)),
            Substitute::Constant(number) => Some(add_constant(&mut result.graph, p.graph.ty(id), number)?),
            Substitute::Keep if !kept(id) => None,
            Substitute::Keep => {
                let Node { op, args, .. } = p.graph.node(id);
                match op {
                    Op::Input(i) => Some(add_input(&mut result, p.inputs.get(*i as usize)?)),
                    Op::State(i) => Some(add_state(&mut result, p, *i, &mut states)?),
                    op => {
                        let args: Option<Vec<NodeId>> = args.iter().map(|a| map[a.index()]).collect();
                        Some(result.graph.add(op.clone(), args?).ok()?)
                    }
                }
            }
        };
    }
    for output in &p.graph.outputs {
        let value = map[output.value.index()]?;
        match &output.target {
            Target::Host(name) => result.graph.output(name.clone(), value),
            Target::State(i) => {
                let state = match states[*i as usize] {
                    Some(state) => state,
                    // A state that is written and not read is declared without a node that reads it.
                    None => declare_state(&mut result, p, *i)?,
                };
                result.graph.write(state, value);
            }
        }
    }
    Some(result)
}

/// The program without nodes, inputs and states that no output needs.
fn pruned(p: &Program) -> Option<Program> {
    let mut needed = vec![false; p.graph.nodes.len()];
    p.graph.outputs.iter().for_each(|o| needed[o.value.index()] = true);
    for id in p.graph.ids().rev().filter(|id| id.index() < p.graph.nodes.len()) {
        if needed[id.index()] {
            p.graph.node(id).args.iter().for_each(|a| needed[a.index()] = true);
        }
    }
    rebuilt(p, |id| needed[id.index()], |_| Substitute::Keep)
}

fn add_input(to: &mut Program, value: &Value<f32>) -> NodeId {
    to.inputs.push(value.clone());
    to.graph.input(format!("x{}", to.inputs.len() - 1), value.ty.clone())
}

fn add_state(to: &mut Program, from: &Program, index: u32, map: &mut [Option<u32>]) -> Option<NodeId> {
    let (slot, value) = (from.graph.states.get(index as usize)?, from.states.get(index as usize)?);
    to.states.push(value.clone());
    *map.get_mut(index as usize)? = Some(to.states.len() as u32 - 1);
    Some(to.graph.state(slot.name.clone(), slot.ty.clone()))
}

fn declare_state(to: &mut Program, from: &Program, index: u32) -> Option<u32> {
    to.graph.states.push(from.graph.states.get(index as usize)?.clone());
    to.states.push(from.states.get(index as usize)?.clone());
    Some(to.states.len() as u32 - 1)
}

fn add_constant(graph: &mut Graph, ty: &Type, number: f32) -> Option<NodeId> {
    let literal = match ty.dtype {
        DType::F32 => Literal::F32(number),
        DType::I32 => Literal::I32(number as i32),
        DType::Bool => Literal::Bool(number != 0.0),
    };
    let scalar = graph.add(Op::Const(literal), vec![]).ok()?;
    match ty.rank() {
        0 => Some(scalar),
        _ => graph.add(Op::Broadcast { shape: ty.shape.clone(), dims: vec![] }, vec![scalar]).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::OpKind;
    use crate::testing::{Options, random_program};

    #[test]
    fn leaves_little_besides_the_op_that_fails() {
        let mut met = 0;
        for seed in 0..40 {
            let program = random_program(seed, &Options::default());
            // A machine that gets every running sum wrong.
            let fails = |p: &Program| p.graph.nodes.iter().any(|n| n.op.kind() == OpKind::CumSum);
            if !fails(&program) {
                continue;
            }
            met += 1;
            let small = shrink(&program, fails);
            assert!(fails(&small) && small.graph.nodes.len() <= 3, "seed {seed}: {}", small.describe());
            assert_eq!(small.is_decisive(), Ok(true));
        }
        assert!(met > 5, "the generator made running sums in {met} of 40 programs");
    }

    #[test]
    fn keeps_what_a_failure_by_value_needs() {
        // The first program whose output exceeds 3 somewhere must still do so when it is small.
        let exceeds = |p: &Program| {
            let outcome = crate::ir::interpret::interpret(&p.graph, &p.inputs, &p.states).unwrap();
            outcome.outputs.iter().any(|(_, v)| v.to_f64s().iter().any(|x| x.abs() > 3.0))
        };
        let program = (0..).map(|seed| random_program(seed, &Options::default())).find(exceeds).unwrap();
        let small = shrink(&program, exceeds);
        assert!(exceeds(&small) && small.graph.outputs.len() == 1 && small.graph.nodes.len() <= 2, "{}", small.describe());
    }
}
