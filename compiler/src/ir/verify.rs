//! The verifier: what holds of every graph between stages. Run after each stage in tests, and on what the reader reads.
//!
//! It checks that
//! 1. input names are unique, state names are unique, host result names are unique, and none is empty;
//! 2. every operand of a node exists and comes before it;
//! 3. every node has as many operands as its op takes, attributes that suit their types, and the type that
//!    [`infer`](super::infer) derives;
//! 4. `Input` and `State` nodes name a declared slot;
//! 5. draws of one stream have one shape: they are the same draw;
//! 6. every result exists; no state is written twice; what is written exists and has the state's type.

use super::{Graph, NodeId, Op, Target, infer};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Checks a graph.
///
/// # Errors
/// [`Error::Ir`] with every fault found, one a line, each naming its node or slot.
pub fn verify(graph: &Graph) -> Result<()> {
    let mut faults = Vec::new();
    slots(graph, &mut faults);
    nodes(graph, &mut faults);
    outputs(graph, &mut faults);
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::ir(faults.join("\n"))),
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>, faults: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() {
            faults.push(format!("{what} without a name"));
        } else if !seen.insert(name) {
            faults.push(format!("{what} \"{name}\" declared twice"));
        }
    }
}

fn slots(graph: &Graph, faults: &mut Vec<String>) {
    unique("input", graph.inputs.iter().map(|s| s.name.as_str()), faults);
    unique("state", graph.states.iter().map(|s| s.name.as_str()), faults);
    let hosts = graph.outputs.iter().filter_map(|o| match &o.target {
        Target::Host(name) => Some(name.as_str()),
        Target::State(_) => None,
    });
    unique("output", hosts, faults);
}

fn nodes(graph: &Graph, faults: &mut Vec<String>) {
    let mut draws: BTreeMap<u32, (NodeId, &[usize])> = BTreeMap::new();
    for id in graph.ids() {
        let node = graph.node(id);
        if let Some(a) = node.args.iter().find(|a| a.index() >= id.index()) {
            faults.push(format!("%{}: operand %{} does not come before it", id.0, a.0));
            continue;
        }
        match infer::infer(graph, &node.op, &node.args) {
            Ok(ty) if ty == node.ty => {}
            Ok(ty) => faults.push(format!("%{}: has type {}, should be {ty}", id.0, node.ty)),
            Err(e) => faults.push(format!("%{}: {e}", id.0)),
        }
        if let Op::Rng { stream, shape } = &node.op {
            let (first, of_first) = *draws.entry(*stream).or_insert((id, shape));
            if of_first != shape {
                faults.push(format!("%{}: draws stream {stream} as {shape:?}, %{} as {of_first:?}", id.0, first.0));
            }
        }
    }
}

fn outputs(graph: &Graph, faults: &mut Vec<String>) {
    let mut written = BTreeSet::new();
    for output in &graph.outputs {
        let name = match &output.target {
            Target::Host(name) => format!("output \"{name}\""),
            Target::State(i) => match graph.states.get(*i as usize) {
                Some(slot) => format!("write of state \"{}\"", slot.name),
                None => {
                    faults.push(format!("write of state {i}, which is not declared"));
                    continue;
                }
            },
        };
        let Some(value) = graph.nodes.get(output.value.index()) else {
            faults.push(format!("{name}: %{} does not exist", output.value.0));
            continue;
        };
        if let Target::State(i) = output.target {
            if !written.insert(i) {
                faults.push(format!("{name}: written twice"));
            }
            let declared = &graph.states[i as usize].ty;
            if *declared != value.ty {
                faults.push(format!("{name}: a {} for a state of type {declared}", value.ty));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, DType, Type};
    use crate::testing::{Options, random_program};

    fn sound() -> Graph {
        let b = Builder::new();
        let (x, s) = (b.input("x", Type::f32([2, 3])), b.state("s", Type::f32([2])));
        let key = b.input("key", Type::new(DType::I32, [4]));
        b.op(Op::Rng { stream: 1, shape: vec![2] }, &[&key]);
        b.op(Op::Rng { stream: 2, shape: vec![2] }, &[&key]);
        b.write_state("s", &x.sum(&[1]).add(&s));
        b.output("y", &x);
        drop((x, s, key));
        b.finish().unwrap()
    }

    /// The fault that a change brings about.
    fn fault(change: impl FnOnce(&mut Graph)) -> String {
        let mut graph = sound();
        verify(&graph).unwrap();
        change(&mut graph);
        verify(&graph).unwrap_err().to_string()
    }

    #[test]
    fn random_programs_are_sound() {
        for seed in 0..100 {
            assert_eq!(verify(&random_program(seed, &Options::default()).graph), Ok(()), "seed {seed}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(fault(|g| g.inputs[1].name = "x".into()), "input \"x\" declared twice");
        assert_eq!(fault(|g| g.states[0].name.clear()), "state without a name");
        assert_eq!(fault(|g| g.output("y", NodeId(0))), "output \"y\" declared twice");
    }

    #[test]
    fn operands_and_types() {
        assert_eq!(fault(|g| g.nodes[5].args[0] = NodeId(5)), "%5: operand %5 does not come before it");
        assert_eq!(
            fault(|g| g.nodes[5].ty = Type::f32([3])),
            "%5: has type f32[3], should be f32[2]\n%6: add(f32[3], f32[2]): wants two operands of one type; broadcasting is explicit"
        );
        assert_eq!(
            fault(|g| g.nodes[5].op = Op::ReduceSum(vec![2])),
            "%5: reduce_sum(f32[2,3]): axes [2] must be ascending and below 2"
        );
        assert_eq!(fault(|g| g.nodes[0].op = Op::Input(9)), "%0: input(): no such input");
    }

    #[test]
    fn draws() {
        let stream = |g: &mut Graph| {
            g.nodes[4].op = Op::Rng { stream: 1, shape: vec![3] };
            g.nodes[4].ty = Type::f32([3]);
        };
        assert_eq!(fault(stream), "%4: draws stream 1 as [3], %3 as [2]");
    }

    #[test]
    fn results() {
        assert_eq!(fault(|g| g.write(0, NodeId(1))), "write of state \"s\": written twice");
        assert_eq!(fault(|g| g.write(7, NodeId(1))), "write of state 7, which is not declared");
        assert_eq!(fault(|g| g.outputs[0].value = NodeId(0)), "write of state \"s\": a f32[2,3] for a state of type f32[2]");
        assert_eq!(fault(|g| g.outputs[1].value = NodeId(99)), "output \"y\": %99 does not exist");
    }
}
