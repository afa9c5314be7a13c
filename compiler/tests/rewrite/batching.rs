//! Shared-weight batching: what is batched, that it stays right, and that nothing is batched which would go round in a circle.

use crate::harness::{Promise, Random, agree_within, graph};
use expect_test::expect;
use saddlepoint_compiler::autodiff::gradients;
use saddlepoint_compiler::ir::interpret::interpret;
use saddlepoint_compiler::ir::{Builder, ConvDims, DType, DotDims, Expr, Graph, OpKind, Type};
use saddlepoint_compiler::rewrite::batching::batch;
use saddlepoint_compiler::rewrite::rewriter::{Fired, to_fixpoint};
use saddlepoint_compiler::rewrite::{rules, stabilise};
use saddlepoint_compiler::testing::{self, compare, random_program};

fn dense(b: &Builder, name: &str, x: &Expr, out: usize) -> Expr {
    let shape = x.shape();
    let w = b.state(&format!("{name}.w"), Type::f32([out, shape[shape.len() - 1]]));
    let dims = DotDims { lhs_contract: vec![shape.len() - 1], rhs_contract: vec![1], ..DotDims::default() };
    let y = x.dot(&w, dims);
    let bias = b.state(&format!("{name}.b"), Type::f32([out]));
    y.add(&bias.broadcast(&y.shape(), &[shape.len() - 1]))
}

fn conv(b: &Builder, name: &str, x: &Expr, out: usize, stride: usize) -> Expr {
    let w = b.state(&format!("{name}.w"), Type::f32([out, x.shape()[1], 3, 3]));
    let dims = ConvDims {
        stride: vec![stride; 2],
        padding: vec![(1, 1); 2],
        input_dilation: vec![1; 2],
        kernel_dilation: vec![1; 2],
        groups: 1,
    };
    x.conv(&w, dims)
}

fn leaky(x: &Expr) -> Expr {
    x.positive().select(x, &x.scale(0.2))
}

/// The state of this name, declared already.
fn state_of(b: &Builder, name: &str) -> Expr {
    let ty = b.with_graph(|g| g.states.iter().find(|slot| slot.name == name).expect("a state of this name").ty.clone());
    b.state(name, ty)
}

/// Batch statistics mix samples.
fn normalised(x: &Expr) -> Expr {
    let shape = x.shape();
    let axes: Vec<usize> = (0..shape.len()).filter(|a| *a != 1).collect();
    let wide = |v: &Expr| v.broadcast(&shape, &[1]);
    let centred = x.sub(&wide(&x.mean(&axes)));
    centred.div(&wide(&(centred.square().mean(&axes) + 0.1).sqrt()))
}

fn tidy(graph: &Graph) -> Graph {
    to_fixpoint(graph, &rules::all(), 8, &mut Fired::new()).unwrap()
}

fn count(graph: &Graph, kind: OpKind) -> usize {
    graph.nodes.iter().filter(|n| n.op.kind() == kind).count()
}

fn agree(left: &Graph, right: &Graph) {
    agree_within(left, right, &[0.5, -0.5, 1.0, 0.0], Promise::WhereFinite, [1e-5, 2e-3], 1e-3)
        .unwrap_or_else(|e| panic!("{e}\n{left}\n{right}"));
}

/// A discriminator's loss on real and generated samples and its gradients.
fn two_batches(net: impl Fn(&Builder, &Expr) -> Expr, sample: &[usize], weights: &[&str]) -> Graph {
    let made = graph(|b| {
        let shape = [&[3], sample].concat();
        let (real, fake) = (b.input("real", Type::f32(shape.clone())), b.input("fake", Type::f32(shape)).tanh());
        let (yes, no) = (net(b, &real), net(b, &fake));
        let axes: Vec<usize> = (0..yes.shape().len()).collect();
        let loss = yes.neg().softplus().mean(&axes).add(&no.softplus().mean(&axes));
        let states: Vec<Expr> = weights.iter().map(|name| state_of(b, name)).collect();
        b.output("loss", &loss);
        for (name, g) in weights.iter().zip(gradients(b, &[(loss, b.f32(1.0))], &states)) {
            b.output(format!("gradient of {name}"), &g);
        }
    });
    tidy(&made)
}

#[test]
fn real_and_generated_samples_go_through_one_net_together() {
    let net = |b: &Builder, x: &Expr| {
        let h = leaky(&dense(b, "one", x, 5));
        dense(b, "two", &h, 1)
    };
    let before = two_batches(net, &[4], &["one.w", "one.b", "two.w", "two.b"]);
    let after = tidy(&batch(&before).unwrap().expect("two uses of the same weights"));
    agree(&before, &after);
    // Two forward, one backward to the first layer, two weight gradients; each was there twice.
    assert_eq!((count(&before, OpKind::Dot), count(&after, OpKind::Dot)), (10, 5), "{after}");
    assert_eq!(count(&after, OpKind::Select), 4, "masks and both ends of the loss: {after}");
}

#[test]
fn convolutions_and_batch_statistics_stay_with_their_batch() {
    let net = |b: &Builder, x: &Expr| {
        let h = leaky(&normalised(&conv(b, "one", x, 3, 1)));
        let h = leaky(&normalised(&conv(b, "two", &h, 4, 2)));
        dense(b, "end", &h.reshape(&[3, 16]), 1)
    };
    let before = two_batches(net, &[2, 4, 4], &["one.w", "two.w", "end.w"]);
    let after = tidy(&batch(&before).unwrap().expect("two uses of the same weights"));
    agree(&before, &after);
    assert_eq!((count(&before, OpKind::Conv), count(&after, OpKind::Conv)), (10, 5), "{after}");
}

#[test]
fn recurrent_steps_are_batched_step_by_step() {
    let net = |b: &Builder, x: &Expr| {
        let mut h = b.full(0.0, &[3, 5]);
        for t in 0..4 {
            h = dense(b, "in", &x.slice_axis(1, t, t + 1).reshape(&[3, 2]), 5).add(&dense(b, "again", &h, 5)).tanh();
        }
        dense(b, "end", &h, 1)
    };
    let before = two_batches(net, &[4, 2], &["in.w", "again.w", "end.w"]);
    let after = tidy(&batch(&before).unwrap().expect("two uses of the same weights"));
    agree(&before, &after);
    assert!(count(&after, OpKind::Dot) <= count(&before, OpKind::Dot).div_ceil(2) + 1, "{after}");
}

#[test]
fn maps_in_a_circle_are_batched_only_as_far_as_they_can_be() {
    let made = tidy(&graph(|b| {
        let (x, y) = (b.input("x", Type::f32([3, 4])), b.input("y", Type::f32([3, 4])));
        let f = |v: &Expr| dense(b, "f", v, 4).tanh();
        let g = |v: &Expr| dense(b, "g", v, 4).tanh();
        // f(g(y)) and g(f(x)) need each other's first halves.
        b.output("there", &f(&g(&y)));
        b.output("back", &g(&f(&x)));
        b.output("same", &f(&y).add(&g(&x)));
    }));
    let after = tidy(&batch(&made).unwrap().expect("shared weights"));
    agree(&made, &after);
    assert!(count(&after, OpKind::Dot) < count(&made, OpKind::Dot), "{after}");
}

#[test]
fn paths_that_meet_again_and_again_are_not_followed_one_by_one() {
    // Fifty times two paths from each value to the next: 2^50 from the product back to the data.
    let made = tidy(&graph(|b| {
        for name in ["x", "y"] {
            let mut h = b.input(name, Type::f32([3, 4]));
            for _ in 0..50 {
                h = h.tanh().mul(&h.sin());
            }
            b.output(format!("out {name}"), &dense(b, "one", &h, 4));
        }
    }));
    let after = batch(&made).unwrap().expect("a shared weight");
    agree(&made, &after);
    assert_eq!(count(&after, OpKind::Dot), 1);
}

#[test]
fn nothing_is_batched_without_a_shared_weight() {
    let made = tidy(&graph(|b| {
        let x = b.input("x", Type::f32([3, 4]));
        let h = dense(b, "one", &x, 4);
        // The same weight again, but on what came out of it; and a product of two data.
        b.output("y", &dense(b, "one", &h, 4));
        b.output("z", &h.dot(&x, DotDims { lhs_contract: vec![1], rhs_contract: vec![1], ..DotDims::default() }));
    }));
    assert_eq!(batch(&made).unwrap(), None);
}

/// A random net over every op that lanes have a form for; the same `seed` makes the same net.
fn random_net(b: &Builder, x: &Expr, seed: u64) -> Expr {
    let mut random = Random(seed);
    let mut h = x.clone();
    for layer in 0..random.between(3, 7) {
        let shape = h.shape();
        let (rank, last) = (shape.len(), shape.len() - 1);
        h = match random.between(0, 12) {
            0 | 1 => dense(b, &format!("l{layer}"), &h, random.between(1, 5)),
            2 if rank == 3 => conv(b, &format!("l{layer}"), &h.reshape(&[shape[0], shape[1], shape[2], 1]), 3, 1).tanh(),
            3 => leaky(&h),
            4 if rank > 2 => h.transpose(&[0, 2, 1].into_iter().chain(3..rank).collect::<Vec<_>>()),
            5 => h.sub(&h.mean(&[0]).broadcast(&shape, &(1..rank).collect::<Vec<_>>())),
            6 => h.reverse(&[last]),
            7 if shape[last] > 1 => h.slice_axis(last, 0, shape[last] - 1),
            8 => Expr::concat(&[&h, &h.square()], last).unwrap(),
            9 => h.cum_sum(last, random.between(0, 1) == 1),
            10 if rank > 2 => h.max_over(&[last]),
            11 if shape[last] > 2 => h.unfold(last, 2, 1, 1).sum(&[last]),
            12 => {
                let table = b.state(&format!("l{layer}.t"), Type::f32([4, 3]));
                let index = h.abs().cast(DType::I32);
                table.gather(&index, 0).sum(&[rank]).add(&h)
            }
            _ => h.tanh(),
        };
    }
    h
}

#[test]
fn random_nets_on_two_and_three_batches_keep_their_meaning() {
    let mut batched = 0;
    for seed in 0..120 {
        let made = tidy(&graph(|b| {
            let shape = if seed % 2 == 0 { vec![3, 4] } else { vec![2, 3, 4] };
            let nets: Vec<Expr> = (0..2 + seed as usize % 2)
                .map(|i| random_net(b, &b.input(format!("x{i}"), Type::f32(shape.clone())), seed))
                .collect();
            for (i, y) in nets.iter().enumerate() {
                b.output(format!("y{i}"), &y.tanh());
            }
        }));
        if let Some(after) = batch(&made).unwrap() {
            batched += 1;
            agree(&made, &after);
            agree(&made, &tidy(&after));
        }
    }
    assert!(batched > 60, "only {batched} of 120 random nets have two products with one weight");
}

#[test]
fn two_batches_as_text() {
    let made = graph(|b| {
        let w = b.state("w", Type::f32([2, 3]));
        let dims = DotDims { lhs_contract: vec![1], rhs_contract: vec![1], ..DotDims::default() };
        let net = |x: &Expr| x.dot(&w, dims.clone()).tanh();
        b.output("difference", &net(&b.input("real", Type::f32([4, 3]))).sub(&net(&b.input("fake", Type::f32([4, 3])))));
    });
    expect![[r#"
        input "real": f32[4,3]
        input "fake": f32[4,3]
        state "w": f32[2,3]
        %0: f32[2,3] = state "w"
        %1: f32[4,3] = input "real"
        %2: f32[4,3] = input "fake"
        %3: f32[1,4,3] = reshape(%1) shape=[1,4,3]
        %4: f32[1,4,3] = reshape(%2) shape=[1,4,3]
        %5: f32[2,4,3] = concat(%3, %4) axis=0
        %6: f32[2,4,2] = dot(%5, %0) batch=[]:[] contract=[2]:[1]
        %7: f32[1,4,2] = slice(%6) start=[0,0,0] stop=[1,4,2] step=[1,1,1]
        %8: f32[4,2] = reshape(%7) shape=[4,2]
        %9: f32[4,2] = tanh(%8)
        %10: f32[1,4,2] = slice(%6) start=[1,0,0] stop=[2,4,2] step=[1,1,1]
        %11: f32[4,2] = reshape(%10) shape=[4,2]
        %12: f32[4,2] = tanh(%11)
        %13: f32[4,2] = neg(%12)
        %14: f32[4,2] = add(%9, %13)
        output "difference" = %14
    "#]]
    .assert_eq(&batch(&tidy(&made)).unwrap().expect("a shared weight").to_string());
}

#[test]
fn random_programs_keep_their_meaning_when_batched() {
    let mut batched = 0;
    for seed in 0..2000 {
        let program = random_program(seed, &testing::Options::default());
        let tidied = tidy(&stabilise(&program.graph).unwrap());
        let Some(after) = batch(&tidied).unwrap() else { continue };
        batched += 1;
        let machine = interpret::<f32>(&after, &program.inputs, &program.states).unwrap();
        compare(&program, &machine).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{tidied}\n{after}"));
    }
    assert!(batched > 20, "only {batched} random programs have two products with one weight");
}
