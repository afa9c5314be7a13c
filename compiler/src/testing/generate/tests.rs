//! The generator keeps its promises, and reaches every op in forms worth testing.

use super::*;
use crate::ir::ConvDims;
use crate::testing::compare;
use std::collections::BTreeMap;

fn programs(count: u64) -> impl Iterator<Item = Program> {
    (0..count).map(|seed| random_program(seed, &Options::default()))
}

#[test]
fn same_seed_same_program() {
    for seed in [0, 7, 1 << 40] {
        assert_eq!(random_program(seed, &Options::default()), random_program(seed, &Options::default()));
    }
}

#[test]
fn programs_are_decisive_and_tame() {
    for (seed, program) in programs(150).enumerate() {
        assert_eq!(program.is_decisive(), Ok(true), "seed {seed}");
        let traces = program.traces().unwrap();
        assert!(traces.double.iter().all(|v| magnitude(v) <= 1e4), "seed {seed}");
        assert!(!program.graph.outputs.is_empty(), "seed {seed}");
    }
}

#[test]
fn the_f32_interpreter_is_within_its_own_bound() {
    for (seed, program) in programs(100).enumerate() {
        let outcome = crate::ir::interpret::interpret(&program.graph, &program.inputs, &program.states).unwrap();
        assert_eq!(compare(&program, &outcome), Ok(()), "seed {seed}");
    }
}

#[test]
fn every_op_occurs_often() {
    let mut counts: BTreeMap<OpKind, usize> = OpKind::ALL.iter().map(|k| (*k, 0)).collect();
    for program in programs(300) {
        for node in &program.graph.nodes {
            *counts.entry(node.op.kind()).or_default() += 1;
        }
    }
    println!("{counts:?}");
    let rare: Vec<_> = counts.iter().filter(|(_, n)| **n < 20).collect();
    assert!(rare.is_empty(), "too rare in 300 programs: {rare:?}\nall: {counts:?}");
}

#[test]
fn convolutions_meet_every_feature() {
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    for program in programs(600) {
        for node in &program.graph.nodes {
            let Op::Conv(ConvDims { stride, padding, input_dilation, kernel_dilation, groups }) = &node.op else { continue };
            let mut note = |feature, is: bool| *met.entry(feature).or_default() += usize::from(is);
            note("stride", stride.iter().any(|s| *s > 1));
            note("negative padding", padding.iter().any(|p| p.0 < 0 || p.1 < 0));
            note("uneven padding", padding.iter().any(|p| p.0 != p.1));
            note("input dilation", input_dilation.iter().any(|d| *d > 1));
            note("kernel dilation", kernel_dilation.iter().any(|d| *d > 1));
            note("groups", *groups > 1);
            note("one axis", stride.len() == 1);
            note("three axes", stride.len() == 3);
            let kernel = program.graph.node(node.args[1]);
            note("reversed kernel", kernel.op.kind() == OpKind::Reverse);
            note("transposed input", program.graph.node(node.args[0]).op.kind() == OpKind::Transpose);
        }
    }
    assert!(met.values().all(|n| *n >= 30), "{met:?}");
}

#[test]
fn programs_have_several_outputs_writes_and_shared_values() {
    let all: Vec<Program> = programs(100).collect();
    let several = |p: &&Program| p.graph.outputs.len() > 2;
    let writes = |p: &&Program| p.graph.outputs.iter().any(|o| matches!(o.target, crate::ir::Target::State(_)));
    let shared = |p: &&Program| {
        let uses = p.graph.use_counts();
        p.graph.ids().any(|id| uses[id.index()] > 1 && !p.graph.node(id).args.is_empty())
    };
    let counts = [all.iter().filter(several).count(), all.iter().filter(writes).count(), all.iter().filter(shared).count()];
    assert!(counts.iter().all(|n| *n > 40), "of 100 programs: outputs, writes, sharing {counts:?}");
}

#[test]
fn gradients_are_among_them() {
    let longer = |options: &Options| {
        let nodes = |seed| random_program(seed, options).graph.nodes.len();
        (0..100).filter(|seed| nodes(*seed) > options.nodes + 12).count()
    };
    let (with, without) = (Options::default(), Options { derivatives: 0, ..Options::default() });
    assert!(longer(&with) > longer(&without) + 10, "{} against {}", longer(&with), longer(&without));
}

#[test]
fn unwanted_ops_stay_away() {
    let options =
        Options { without: vec![OpKind::Conv, OpKind::Gather, OpKind::Tanh], integer_results: false, ..Options::default() };
    for seed in 0..60 {
        let program = random_program(seed, &options);
        assert!(program.graph.nodes.iter().all(|n| !options.without.contains(&n.op.kind())));
        assert!(program.graph.outputs.iter().all(|o| program.graph.ty(o.value).dtype == DType::F32));
    }
}
