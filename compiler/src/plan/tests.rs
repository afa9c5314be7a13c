//! Plans of small graphs.

use super::{Memory, Options, Plan, StepWork, plan};
use crate::ir::{Builder, ConvDims, DotDims, Expr, Type};
use expect_test::{Expect, expect};

fn planned(builder: &Builder, workers: usize) -> Plan {
    plan(&builder.clone().finish().unwrap(), &Options { share_from: 0, ..Options::new(workers) }).unwrap()
}

fn check(builder: &Builder, workers: usize, expected: Expect) {
    expected.assert_eq(&planned(builder, workers).to_string());
}

fn dense(x: &Expr, w: &Expr) -> Expr {
    x.dot(w, DotDims { lhs_contract: vec![1], rhs_contract: vec![1], ..DotDims::default() })
}

/// Windows that move on by `stride` places, over pictures with `padding` on every side.
fn windows(stride: usize, padding: isize) -> ConvDims {
    ConvDims {
        stride: vec![stride; 2],
        padding: vec![(padding, padding); 2],
        input_dilation: vec![1, 1],
        kernel_dilation: vec![1, 1],
        groups: 1,
    }
}

#[test]
fn a_dense_layer_is_a_product_and_one_kernel() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([8, 4]));
    let w = b.state("w", Type::f32([6, 4]));
    let bias = b.state("b", Type::f32([6]));
    let y = dense(&x, &w).add(&bias.broadcast(&[8, 6], &[1])).relu();
    b.output("y", &y);
    check(
        &b,
        1,
        expect![[r#"
        plan: workers 1, kernels 1 (1 distinct), contractions 1, barriers 0, arena 512 (at least 512) bytes
          %3 = dot(@96, state0) -> @0: batch [] m [8] n [6] k [4]
          %11 = kernel0(@0, state1, @48) over 0..8
        kernel0: [8p, 6v]
          v0 = 0.0
          v1 = b0[6·i0 + i1]: f32
          v2 = b1[i1]: f32
          v3 = add v1 v2
          v4 = lt v0 v3
          v5 = select v4 v3 v0
          b2[6·i0 + i1] = v5

    "#]],
    );
}

/// One of the products that make the gradient of a weight of 8 × 16 over several steps.
fn gradient_of_step(b: &Builder, step: usize) -> Expr {
    let x = b.input(format!("x{step}"), Type::f32([5, 8]));
    let y = b.input(format!("y{step}"), Type::f32([5, 16]));
    x.dot(&y, DotDims { lhs_contract: vec![0], rhs_contract: vec![0], ..DotDims::default() })
}

#[test]
fn products_that_are_summed_go_to_one_place() {
    let b = Builder::new();
    let [first, second, third] = [0, 1, 2].map(|step| gradient_of_step(&b, step));
    let w = b.state("w", Type::f32([8, 16]));
    b.write_state("w", &first.add(&second.add(&w)).add(&third));
    check(
        &b,
        2,
        expect![[r#"
        plan: workers 2, kernels 1 (1 distinct), contractions 3, barriers 3, arena 2048 (at least 2048) bytes
          %12 = dot(@368, @128) -> @0: batch [] m [8] n [16] k [5]
          ---- barrier
          %12 = dot(@416, @208) +> @0: batch [] m [8] n [16] k [5]
          ---- barrier
          %12 = dot(@464, @288) +> @0: batch [] m [8] n [16] k [5]
          ---- barrier
          %12 = kernel0(state0, @0, state0) over 0..64 | 64..128
        kernel0: [128vp]
          v0 = b0[i0]: f32
          v1 = b1[i0]: f32
          v2 = add v0 v1
          b2[i0] = v2

    "#]],
    );
}

#[test]
fn a_product_that_is_wanted_for_itself_keeps_its_place() {
    let b = Builder::new();
    let [first, second] = [0, 1].map(|step| gradient_of_step(&b, step));
    b.output("first", &first);
    b.output("sum", &first.add(&second));
    assert!(!planned(&b, 1).to_string().contains("+>"));
}

#[test]
fn steps_that_read_one_weight_are_shared_out_by_rows() {
    let recurrent = |names: [&str; 2]| {
        let b = Builder::new();
        let x = b.input("x", Type::f32([64, 128]));
        let [first, second] = names.map(|name| b.state(name, Type::f32([128, 128])));
        b.output("h", &dense(&dense(&x, &first).tanh(), &second).tanh());
        planned(&b, 2)
    };
    let rows_of_first = |plan: &Plan| match &plan.steps[0].work {
        StepWork::Dot(spec, _) => (spec.reused, spec.rows.clone()),
        _ => panic!("{plan}"),
    };
    let one = recurrent(["w", "w"]);
    assert_eq!(rows_of_first(&one), ([false, true], vec![(0, 32), (32, 64)]), "{one}");
    assert_eq!(one.summary.barriers, 0, "{one}");
    // Packing two weights for one product each costs more than barriers.
    let two = recurrent(["w", "v"]);
    assert_eq!(rows_of_first(&two), ([false, false], vec![]), "{two}");
    assert!(two.summary.barriers > 0, "{two}");
}

#[test]
fn what_is_used_slice_by_slice_is_computed_where_it_is_used() {
    // As the inputs' part of the gates of a recurrent layer: one product for all steps, each of which takes its own.
    let b = Builder::new();
    let x = b.input("x", Type::f32([8, 8]));
    let gates = dense(&x, &b.state("w", Type::f32([64, 8]))).add(&b.state("b", Type::f32([64])).broadcast(&[8, 64], &[1]));
    let u = b.state("u", Type::f32([4, 4]));
    let step = |h: Expr, at: usize| gates.slice_axis(1, at, at + 4).add(&dense(&h, &u)).tanh();
    let last = (0..64).step_by(4).fold(b.input("h", Type::f32([8, 4])), step);
    b.output("h", &last);
    let plan = planned(&b, 1);
    let large = plan.buffers.iter().filter(|buffer| buffer.elements == 8 * 64).count();
    assert_eq!(large, 2, "the weight, and of the gates only the product: {plan}");
}

#[test]
fn what_is_only_concatenated_is_computed_into_the_concatenation() {
    let b = Builder::new();
    let [x, h, w] = ["x", "h", "w"].map(|name| b.input(name, Type::f32([4, 4])));
    let (reset, update) = (x.mul(&h).tanh(), dense(&h, &w));
    // Both gates beside each other, and both as steps of a sequence: the first is their home, the second copies.
    b.output("gates", &Expr::concat(&[&reset, &update], 1).unwrap());
    let step = |gate: &Expr| gate.reshape(&[4, 1, 4]);
    b.output("steps", &Expr::concat(&[&step(&reset), &step(&update)], 1).unwrap());
    // A value that is also wanted for itself has memory of its own.
    let own = x.add(&h).tanh();
    b.output("own", &own);
    b.output("joined", &Expr::concat(&[&own, &x], 0).unwrap());
    check(
        &b,
        1,
        expect![[r#"
        plan: workers 1, kernels 5 (3 distinct), contractions 1, barriers 0, arena 640 (at least 640) bytes
          %5 = dot(@112, @128) -> @4: batch [] m [4] n [4] k [4]
          %4 %11 = kernel0(@96, @112, @0, @144) over 0..4
          %9 = kernel1(@0, @32) over 0..4
          %9 = kernel1(@4, @32) over 0..4
          %12 = kernel2(@144, @64) over 0..16
          %12 = kernel2(@96, @64) over 0..16
        kernel0: [4p, 4v]
          v0 = b0[4·i0 + i1]: f32
          v1 = b1[4·i0 + i1]: f32
          v2 = mul v0 v1
          v3 = tanh v2
          v4 = add v0 v1
          v5 = tanh v4
          b2[8·i0 + i1] = v3
          b3[4·i0 + i1] = v5

        kernel1: [4p, 4v]
          v0 = b0[8·i0 + i1]: f32
          b1[8·i0 + i1] = v0

        kernel2: [16vp]
          v0 = b0[i0]: f32
          b1[i0] = v0

    "#]],
    );
}

#[test]
fn softmax_keeps_the_exponentials_and_sums_them_as_they_are_made() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([8, 10]));
    let top = x.max_over(&[1]).broadcast(&[8, 10], &[0]);
    let e = x.sub(&top).exp();
    let y = e.div(&e.sum(&[1]).broadcast(&[8, 10], &[0]));
    b.output("y", &y);
    check(
        &b,
        1,
        expect![[r#"
        plan: workers 1, kernels 3 (3 distinct), contractions 0, barriers 0, arena 1088 (at least 1088) bytes
          %1 = kernel0(@0, @240) over 0..8
          %5 %6 = kernel1(@0, @240, @80, @256) over 0..8
          %8 = kernel2(@80, @256, @160) over 0..8
        kernel0: [8p, 10rv]
          v0 = b0[10·i0 + i1]: f32
          b1[i0] = Max v0

        kernel1: [8p, 10rv]
          v0 = b0[10·i0 + i1]: f32
          v1 = b1[i0]: f32
          v2 = neg v1
          v3 = add v0 v2
          v4 = exp v3
          b2[10·i0 + i1] = v4
          b3[i0] = Sum v4

        kernel2: [8p, 10v]
          v0 = b0[10·i0 + i1]: f32
          v1 = b1[i0]: f32
          v2 = div v0 v1
          b2[10·i0 + i1] = v2

    "#]],
    );
}

#[test]
fn an_update_reads_and_overwrites_its_states_in_one_kernel() {
    let b = Builder::new();
    let g = b.input("g", Type::f32([100]));
    let p = b.state("p", Type::f32([100]));
    let m = b.state("m", Type::f32([100])).scale(0.9).add(&g.scale(0.1));
    b.write_state("p", &p.sub(&m.scale(0.01)));
    b.write_state("m", &m);
    let plan = planned(&b, 2);
    assert_eq!(plan.steps.len(), 1, "{plan}");
    let StepWork::Kernel { args, .. } = &plan.steps[0].work else { panic!("{plan}") };
    let states = args.iter().filter(|a| matches!(plan.buffers[a.buffer].memory, Memory::State(_))).count();
    assert_eq!(states, args.len() - 1, "only the gradient is in the arena: {plan}");
}

#[test]
fn a_state_that_is_still_read_is_overwritten_at_the_end() {
    let b = Builder::new();
    let (p, q) = (b.state("p", Type::f32([40])), b.state("q", Type::f32([40])));
    b.write_state("p", &q.scale(2.0));
    b.write_state("q", &p.scale(3.0).reverse(&[0]));
    let plan = planned(&b, 1);
    let arena = plan.buffers.iter().filter(|b| matches!(b.memory, Memory::Arena(_)) && b.elements == 40).count();
    assert!(arena >= 1, "the two exchange values, so one must wait aside: {plan}");
}

#[test]
fn images_lie_channels_last_and_statistics_are_partial_sums() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([4, 1, 8, 8]));
    let w = b.state("w", Type::f32([8, 1, 4, 4]));
    let geometry = windows(2, 1);
    let y = x.conv(&w, geometry);
    let mean = y.mean(&[0, 2, 3]);
    b.output("y", &y.sub(&mean.broadcast(&y.shape(), &[1])).relu().sum(&[1, 2, 3]));
    check(
        &b,
        2,
        expect![[r#"
        plan: workers 2, kernels 3 (3 distinct), contractions 1, barriers 3, arena 3264 (at least 3264) bytes
          %2 = conv(@512, state0) -> @0: samples 4 groups 1 channels 1 features 8 8*4->4 8*4->4
          ---- barrier
          %3 = kernel0(@0, @768 each) over 0..32 | 32..64
          ---- barrier
          %3 = kernel1(@768, @784) over 0..8 | -
          ---- barrier
          %16 = kernel2(@0, @784, @800) over 0..2 | 2..4
        kernel0: [8v, 64rp]
          v0 = b0[i0 + 8·i1]: f32
          b1[i0] = Sum v0

        kernel1: [8vp, 2r]
          v0 = b0[i0 + 8·i1]: f32
          b1[i0] = Sum v0

        kernel2: [4p, 16r, 8rv]
          v0 = 0.0
          v1 = b0[128·i0 + 8·i1 + i2]: f32
          v2 = b1[i2]: f32
          v3 = 0.015625
          v4 = mul v2 v3
          v5 = neg v4
          v6 = add v1 v5
          v7 = lt v0 v6
          v8 = select v7 v6 v0
          b2[i0] = Sum v8

    "#]],
    );
}

#[test]
fn enlarged_pictures_stay_channels_last() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([4, 8, 8, 8]));
    let [w, v] = ["w", "v"].map(|name| b.state(name, Type::f32([8, 8, 3, 3])));
    let geometry = windows(1, 1);
    let small = x.conv(&w, geometry.clone()).relu();
    let large = small.broadcast(&[4, 8, 8, 2, 8, 2], &[0, 1, 2, 4]).reshape(&[4, 8, 16, 16]);
    b.output("y", &large.conv(&v, geometry));
    let plan = planned(&b, 1);
    let enlarged = plan.steps.iter().find_map(|step| match &step.work {
        StepWork::Conv(spec, _) if spec.spatial[0].input == 16 => Some((spec.channels.a, spec.spatial[1].x)),
        _ => None,
    });
    assert_eq!(enlarged, Some((1, 8)), "strides of channels and places: {plan}");
}

#[test]
fn flattening_channels_last_images_costs_no_copy() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([4, 2, 8, 8]));
    let w = b.state("w", Type::f32([8, 2, 3, 3]));
    let v = b.state("v", Type::f32([5, 8 * 36]));
    let geometry = windows(1, 0);
    let y = dense(&x.conv(&w, geometry).reshape(&[4, 8 * 36]), &v);
    b.output("y", &y);
    let plan = planned(&b, 1);
    let kernels = plan.steps.iter().filter(|s| matches!(s.work, StepWork::Kernel { .. })).count();
    assert_eq!((kernels, plan.steps.len()), (0, 2), "{plan}");
}

#[test]
fn barriers_stand_only_where_shares_meet() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([64, 16]));
    let y = x.exp();
    b.output("rows", &y.sum(&[1]));
    b.output("columns", &y.sum(&[0]));
    let plan = planned(&b, 2);
    // Rows go with the exponentials; columns are summed in partial results over the same rows, then combined.
    assert_eq!(plan.summary.barriers, 1, "{plan}");
    assert_eq!(planned(&b, 1).summary.barriers, 0);
}

#[test]
fn the_arena_is_not_smaller_than_its_bound_and_reuses_memory() {
    let b = Builder::new();
    let mut x = b.input("x", Type::f32([32, 32]));
    let w = b.state("w", Type::f32([32, 32]));
    for _ in 0..10 {
        x = dense(&x, &w).tanh();
    }
    b.output("y", &x);
    let plan = planned(&b, 1);
    assert!(plan.arena >= plan.arena_bound);
    assert!(plan.arena <= 3 * 32 * 32, "two values at a time: {} elements\n{plan}", plan.arena);
}

/// The convolution of a plan that has one.
fn convolution(plan: &Plan) -> super::ConvSpec {
    let spec = |step: &super::Step| match &step.work {
        StepWork::Conv(spec, _) => Some(spec.clone()),
        _ => None,
    };
    plan.steps.iter().find_map(spec).expect("a convolution")
}

#[test]
fn weight_gradients_have_the_wider_operand_as_features() {
    // Sixteen channels by one feature: 16 samples of 8 channels and a kernel of picture size, by PyTorch's order of axes.
    let b = Builder::new();
    let channels = b.input("channels", Type::f32([8, 16, 6, 6])).transpose(&[1, 0, 2, 3]);
    let feature = b.input("feature", Type::f32([8, 1, 6, 6])).transpose(&[1, 0, 2, 3]);
    b.output("gradient", &channels.conv(&feature, windows(1, 1)));
    let plan = planned(&b, 1);
    let spec = convolution(&plan);
    assert_eq!((spec.samples.extent, spec.features.extent), (1, 16), "{plan}");
    assert!(spec.spatial.iter().all(|s| (s.input, s.kernel, s.output) == (6, 6, 3) && s.out < 0), "{plan}");
}

#[test]
fn convolutions_read_batches_that_lie_side_by_side_where_they_are() {
    // What comes in and out has lanes; the convolution has more samples. Nothing is copied between.
    let b = Builder::new();
    let w = b.state("w", Type::f32([5, 3, 3, 3]));
    let lanes = b.input("x", Type::f32([2, 4, 3, 6, 6])).relu();
    let y = lanes.reshape(&[8, 3, 6, 6]).conv(&w, windows(1, 1)).reshape(&[2, 4, 5, 6, 6]);
    b.output("sum", &y.relu().sum(&[0, 1, 3, 4]));
    // Lane by lane they are wanted as well, as masks are.
    b.output("lanes", &lanes.tanh());
    let plan = planned(&b, 1);
    assert_eq!((plan.summary.contractions, plan.summary.kernels), (1, 2), "{plan}");
    assert_eq!(convolution(&plan).channels.a, 1, "channels lie last: {plan}");
}

#[test]
fn the_time_of_a_product_is_its_operations_and_its_packing() {
    let b = Builder::new();
    b.output("y", &dense(&b.input("x", Type::f32([64, 96])), &b.state("w", Type::f32([32, 96]))));
    let (plan, rates) = (planned(&b, 1), crate::rewrite::cost::Rates::CPU);
    let (flops, packed) = (2 * 64 * 96 * 32, 64 * 96 + 32 * 96);
    assert_eq!(plan.summary.time, flops * rates.product_64 / 64 + packed * rates.pack + rates.launch);
    assert_eq!(plan.summary.bytes, 4 * (64 * 96 + 32 * 96 + 64 * 32));
    // A slower machine's table, and nothing but the estimate changes.
    let slow = super::plan(
        &b.finish().unwrap(),
        &Options { share_from: 0, rates: crate::rewrite::cost::Rates::CPU_NARROW, ..Options::new(1) },
    );
    let slow = slow.unwrap();
    assert!(slow.summary.time > 2 * plan.summary.time && slow.steps == plan.steps);
}

#[test]
fn what_was_touched_a_short_while_ago_is_near() {
    // A sum, then a division of what was summed, or of something else of that size.
    let time = |shared: bool| {
        let b = Builder::new();
        let [x, y] = ["x", "y"].map(|name| b.input(name, Type::f32([1000])));
        let sum = x.sum(&[0]).broadcast(&[1000], &[]);
        b.output("share", &if shared { &x } else { &y }.div(&sum));
        let plan = planned(&b, 1);
        (plan.summary.kernels, plan.summary.time)
    };
    let ((kernels, near), (same, far)) = (time(true), time(false));
    assert_eq!((kernels, same), (2, 2));
    assert!(near < far, "{near} ps, {far} ps");
}

/// A product, a bias and an activation: one step, and the product itself is nowhere in memory.
#[test]
fn what_follows_a_product_is_its_epilogue() {
    let b = Builder::new();
    let (x, w) = (b.input("x", Type::f32([32, 16])), b.input("w", Type::f32([16, 24])));
    let bias = b.input("bias", Type::f32([24]));
    let dims = DotDims { lhs_contract: vec![1], rhs_contract: vec![0], ..DotDims::default() };
    let product = x.dot(&w, dims);
    let y = (&product + &bias.broadcast(&[32, 24], &[1])).tanh();
    b.output("y", &y);
    let graph = b.finish().unwrap();
    let [host, device] = [Options::new(1), Options::device()].map(|options| super::plan(&graph, &options).unwrap());
    assert_eq!((host.steps.len(), device.steps.len()), (2, 1), "{device}");
    let epilogue = device.steps[0].epilogue.as_ref().unwrap();
    assert!(!epilogue.kept && host.steps.iter().all(|step| step.epilogue.is_none()));
    assert_eq!(host.arena - device.arena, 32 * 24, "the product has no memory of its own\n{device}");
}

/// A product that others read too is written beside what its epilogue makes of it; and an epilogue cannot use what is not there yet.
#[test]
fn epilogues_keep_what_others_need_and_wait_for_nothing() {
    let b = Builder::new();
    let (x, w) = (b.input("x", Type::f32([32, 16])), b.input("w", Type::f32([16, 24])));
    let dims = || DotDims { lhs_contract: vec![1], rhs_contract: vec![0], ..DotDims::default() };
    let first = x.dot(&w, dims());
    b.output("first", &first);
    b.output("tanh", &first.tanh());
    // The sum needs both products: it is the epilogue of the later one only.
    let second = x.sin().dot(&w, dims());
    b.output("sum", &(&second + &x.exp().dot(&w, dims())).sin());
    let plan = super::plan(&b.finish().unwrap(), &Options::device()).unwrap();
    let epilogues: Vec<_> = plan.steps.iter().filter_map(|step| step.epilogue.as_ref()).collect();
    assert_eq!(epilogues.len(), 2, "{plan}");
    assert_eq!(epilogues.iter().filter(|epilogue| epilogue.kept).count(), 1, "{plan}");
    let last = plan.steps.iter().rposition(|step| matches!(step.work, StepWork::Dot(..))).unwrap();
    assert!(plan.steps[last].epilogue.is_some(), "{plan}");
}
