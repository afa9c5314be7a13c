//! A graph as a picture's source, in Graphviz's language.

use super::{Graph, Target};
use std::fmt::Write;

impl Graph {
    /// The graph for `dot -Tsvg`: a box a node, an arrow from each operand to its user, results below.
    pub fn to_dot(&self) -> String {
        let mut text = String::from("digraph program {\n  node [shape=box, fontname=monospace];\n");
        for id in self.ids() {
            let node = self.node(id);
            let name = match node.op {
                super::Op::Input(i) => self.inputs.get(i as usize).map(|slot| slot.name.as_str()),
                super::Op::State(i) => self.states.get(i as usize).map(|slot| slot.name.as_str()),
                _ => None,
            };
            let label = format!("%{} {} {}\n{}", id.0, node.op.kind().name(), name.unwrap_or(""), node.ty);
            // Writing to a string does not fail.
            let _ = writeln!(text, "  n{} [label={label:?}];", id.0);
            for arg in &node.args {
                let _ = writeln!(text, "  n{} -> n{};", arg.0, id.0);
            }
        }
        for (i, output) in self.outputs.iter().enumerate() {
            let (what, name) = match &output.target {
                Target::Host(name) => ("output", name.as_str()),
                Target::State(s) => ("write", self.states.get(*s as usize).map_or("", |slot| slot.name.as_str())),
            };
            let _ = writeln!(
                text,
                "  o{i} [shape=ellipse, label={:?}];\n  n{} -> o{i};",
                format!("{what} {name}"),
                output.value.0
            );
        }
        text + "}\n"
    }
}

#[cfg(test)]
mod tests {
    use crate::ir::{Builder, Type};

    #[test]
    fn nodes_operands_and_results_are_drawn() {
        let b = Builder::new();
        b.output("y", &b.input("a \"b\"", Type::f32([2])).tanh());
        let text = b.finish().unwrap().to_dot();
        assert!(text.contains("n0 -> n1;") && text.contains("n1 -> o0;") && text.contains(r#"a \"b\""#), "{text}");
    }
}
