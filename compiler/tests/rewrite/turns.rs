//! Whole turns, built by hand: the discriminator's turn of a DCGAN.

use crate::harness::{Promise, agree_within, graph};
use expect_test::expect;
use saddlepoint_compiler::autodiff::gradients;
use saddlepoint_compiler::ir::{Builder, ConvDims, DotDims, Expr, Graph, Type};
use saddlepoint_compiler::rewrite::cost::Rates;
use saddlepoint_compiler::rewrite::{Level, Options, graph_flops, optimise, stabilise_expr};

/// Extents of the network: batch, latent, channels of the generator and the discriminator, a quarter of the image's side.
#[derive(Clone, Copy)]
struct Extents {
    batch: usize,
    latent: usize,
    wide: usize,
    narrow: usize,
    side: usize,
}

const W3: Extents = Extents { batch: 64, latent: 64, wide: 64, narrow: 32, side: 7 };
const SMALL: Extents = Extents { batch: 3, latent: 4, wide: 4, narrow: 2, side: 2 };

fn geometry(stride: usize, pad: isize, input_dilation: usize) -> ConvDims {
    ConvDims {
        stride: vec![stride; 2],
        padding: vec![(pad, pad); 2],
        input_dilation: vec![input_dilation; 2],
        kernel_dilation: vec![1; 2],
        groups: 1,
    }
}

struct Net<'a> {
    b: &'a Builder,
    name: &'static str,
    parameters: Vec<Expr>,
}

impl Net<'_> {
    fn parameter(&mut self, shape: &[usize]) -> Expr {
        let p = self.b.state(&format!("{}.{}", self.name, self.parameters.len()), Type::f32(shape));
        self.parameters.push(p.clone());
        p
    }

    fn bias(&mut self, x: &Expr) -> Expr {
        let shape = x.shape();
        x.add(&self.parameter(&shape[1..2]).broadcast(&shape, &[1]))
    }

    fn dense(&mut self, x: &Expr, out: usize) -> Expr {
        let w = self.parameter(&[out, x.shape()[1]]);
        let dims = DotDims { lhs_contract: vec![1], rhs_contract: vec![1], ..DotDims::default() };
        self.bias(&x.dot(&w, dims))
    }

    fn conv(&mut self, x: &Expr, out: usize) -> Expr {
        let w = self.parameter(&[out, x.shape()[1], 4, 4]);
        self.bias(&x.conv(&w, geometry(2, 1, 1)))
    }

    fn conv_transpose(&mut self, x: &Expr, out: usize) -> Expr {
        let w = self.parameter(&[x.shape()[1], out, 4, 4]).transpose(&[1, 0, 2, 3]).reverse(&[2, 3]);
        self.bias(&x.conv(&w, geometry(1, 2, 2)))
    }

    fn batch_norm(&mut self, x: &Expr) -> Expr {
        let shape = x.shape();
        let axes: Vec<usize> = (0..shape.len()).filter(|a| *a != 1).collect();
        let wide = |v: &Expr| v.broadcast(&shape, &[1]);
        let centred = x.sub(&wide(&x.mean(&axes)));
        let deviation = (centred.square().mean(&axes) + 1e-5).sqrt();
        let (gain, shift) = (self.parameter(&shape[1..2]), self.parameter(&shape[1..2]));
        centred.div(&wide(&deviation)).mul(&wide(&gain)).add(&wide(&shift))
    }
}

fn leaky(x: &Expr) -> Expr {
    x.positive().select(x, &x.scale(0.2))
}

fn generator(net: &mut Net, z: &Expr, e: Extents) -> Expr {
    let h = net.dense(z, e.wide * e.side * e.side).reshape(&[e.batch, e.wide, e.side, e.side]);
    let h = net.batch_norm(&h).relu();
    let h = net.conv_transpose(&h, e.narrow);
    let h = net.batch_norm(&h).relu();
    net.conv_transpose(&h, 1).tanh()
}

fn discriminator(net: &mut Net, x: &Expr, e: Extents) -> Expr {
    let h = leaky(&net.conv(x, e.narrow));
    let h = net.conv(&h, e.wide);
    let h = leaky(&net.batch_norm(&h));
    net.dense(&h.reshape(&[e.batch, e.wide * e.side * e.side]), 1).sigmoid()
}

/// D's turn: loss, gradients with respect to D, Adam.
fn turn(e: Extents) -> Graph {
    graph(|b| {
        let x = b.input("x", Type::f32([e.batch, 1, 4 * e.side, 4 * e.side]));
        let z = b.input("z", Type::f32([e.batch, e.latent]));
        let net = |name| Net { b, name, parameters: Vec::new() };
        let fake = generator(&mut net("G"), &z, e);
        let mut d = net("D");
        let real = discriminator(&mut d, &x, e);
        let parameters = std::mem::take(&mut d.parameters);
        let fake = discriminator(&mut d, &fake, e);
        let mean = |y: &Expr| y.mean(&[0, 1]);
        let loss = mean(&real.ln()).add(&mean(&(1.0 - fake).ln())).neg();
        let loss = stabilise_expr(b, &loss, &[]);
        b.output("loss", &loss);
        let t = b.state("steps", Type::f32([])).shift(1.0);
        b.write_state("steps", &t);
        let corrected = |beta: f32| 1.0 - t.scale(beta.ln()).exp();
        for (p, g) in parameters.iter().zip(gradients(b, &[(loss, b.f32(1.0))], &parameters)) {
            let moment = |kind: &str, beta: f32, value: &Expr| {
                let name = format!("{kind}.{}", p.id().0);
                let m = b.state(&name, p.ty()).scale(beta).add(&value.scale(1.0 - beta));
                b.write_state(&name, &m);
                m.div(&corrected(beta).repeated(&p.shape()))
            };
            let (m, v) = (moment("m", 0.5, &g), moment("v", 0.999, &g.square()));
            let step = m.scale(2e-4).div(&v.abs().sqrt().shift(1e-8));
            let name = b.with_graph(|graph| match graph.node(p.id()).op {
                saddlepoint_compiler::ir::Op::State(i) => graph.states[i as usize].name.clone(),
                _ => unreachable!("a parameter is a state"),
            });
            b.write_state(&name, &p.sub(&step));
            b.output(format!("gradient of {name}"), &g);
        }
    })
}

/// The critic's turn of a WGAN-GP: second derivatives through convolutions and leaky ReLUs.
fn penalty_turn(e: Extents) -> Graph {
    graph(|b| {
        let shape = [e.batch, 1, 4 * e.side, 4 * e.side];
        let x = b.input("x", Type::f32(shape));
        let z = b.input("z", Type::f32([e.batch, e.latent]));
        let mix = b.input("mix", Type::f32([e.batch])).broadcast(&shape, &[0]);
        let mut net = Net { b, name: "G", parameters: Vec::new() };
        let fake = generator(&mut net, &z, e);
        let parameters = std::cell::RefCell::new(Vec::new());
        let critic = |x: &Expr| {
            let mut net = Net { b, name: "D", parameters: Vec::new() };
            let h = leaky(&net.conv(x, e.narrow));
            let h = leaky(&net.conv(&h, e.wide));
            let y = net.dense(&h.reshape(&[e.batch, e.wide * e.side * e.side]), 1);
            *parameters.borrow_mut() = net.parameters;
            y
        };
        let mid = x.mul(&mix).add(&fake.mul(&mix.neg().shift(1.0)));
        let score = critic(&mid);
        let slope = gradients(b, &[(score, b.full(1.0, &[e.batch, 1]))], std::slice::from_ref(&mid)).remove(0);
        let norm = (slope.square().sum(&[1, 2, 3]) + 1e-12).sqrt();
        let mean = |y: &Expr| y.mean(&[0, 1]);
        let penalty = norm.shift(-1.0).square().mean(&[0]);
        let loss = mean(&critic(&fake)).sub(&mean(&critic(&x))).add(&penalty.scale(10.0));
        let loss = stabilise_expr(b, &loss, &[mid.id()]);
        b.output("loss", &loss);
        let parameters = parameters.into_inner();
        for (i, g) in gradients(b, &[(loss, b.f32(1.0))], &parameters).iter().enumerate() {
            b.output(format!("gradient {i}"), g);
        }
    })
}

#[test]
fn a_turn_with_second_derivatives_keeps_its_meaning_and_gets_cheaper() {
    let (before, large) = (penalty_turn(SMALL), penalty_turn(W3));
    for level in [Level::GraphRules, Level::Directed, Level::Full] {
        let (after, report) = optimise(&before, &Options::at(level)).unwrap();
        agree_within(&before, &after, &[0.5, -0.5, 1.0], Promise::WhereFinite, [1e-5, 2e-3], 1e-3)
            .unwrap_or_else(|e| panic!("{e}\n{report}"));
    }
    let (after, report) = optimise(&large, &Options::default()).unwrap();
    assert!(Rates::CPU.graph(&after).time < Rates::CPU.graph(&large).time, "{report}");
    assert!(graph_flops(&after) <= graph_flops(&large), "{report}");
    if std::env::var_os("SADDLEPOINT_PRINT").is_some() {
        let start = std::time::Instant::now();
        let _ = optimise(&large, &Options::default()).unwrap();
        println!("{report}\n{} nodes, optimised in {:?}\n{after}", large.nodes.len(), start.elapsed());
    }
}

#[test]
fn a_turn_keeps_its_meaning() {
    let before = turn(SMALL);
    for level in [Level::GraphRules, Level::Directed, Level::Full] {
        let (after, report) = optimise(&before, &Options::at(level)).unwrap();
        // The gradient of the bias before the batch norm is zero but for rounding.
        agree_within(&before, &after, &[0.5, -0.5, 1.0], Promise::WhereFinite, [1e-5, 2e-3], 1e-3)
            .unwrap_or_else(|e| panic!("{e}\n{report}"));
    }
}

#[test]
fn a_turn_gets_cheaper_and_does_no_dead_work() {
    let before = turn(W3);
    let (after, report) = optimise(&before, &Options::default()).unwrap();
    let rates = Rates::CPU;
    assert!(rates.graph(&after).time < rates.graph(&before).time, "{report}");
    for stage in &report.stages {
        assert!(stage.after.time <= stage.before.time, "{report}");
    }
    // G forward, and for D on both batches: forward, weight gradients, input gradients behind the first layer. Batch norm and
    // bias gradients are no products.
    let conv1 = 2 * 64 * 196 * 32 * 16;
    let (conv2, dense, project) = (2 * 64 * 49 * 64 * 32 * 16, 2 * 64 * 3136, 2 * 64 * 64 * 3136);
    let useful = project + conv2 + conv1 + 2 * (2 * conv1 + 3 * conv2 + 3 * dense);
    assert!(graph_flops(&after) <= useful, "{} of {useful}\n{report}", graph_flops(&after));
    if std::env::var_os("SADDLEPOINT_PRINT").is_some() {
        let start = std::time::Instant::now();
        let _ = optimise(&before, &Options::default()).unwrap();
        println!("{report}\n{} nodes, optimised in {:?}", before.nodes.len(), start.elapsed());
    }
}

#[test]
fn a_small_turn_as_text() {
    let before = graph(|b| {
        let x = b.input("x", Type::f32([4, 3]));
        let w = b.state("w", Type::f32([1, 3]));
        let dims = DotDims { lhs_contract: vec![1], rhs_contract: vec![1], ..DotDims::default() };
        let loss = x.dot(&w, dims).sigmoid().ln().mean(&[0, 1]).neg();
        let loss = stabilise_expr(b, &loss, &[]);
        let g = gradients(b, &[(loss.clone(), b.f32(1.0))], std::slice::from_ref(&w)).remove(0);
        b.output("loss", &loss);
        b.write_state("w", &w.sub(&g.scale(0.1)));
    });
    let (after, _) = optimise(&before, &Options::default()).unwrap();
    expect![[r#"
        input "x": f32[4,3]
        state "w": f32[1,3]
        %0: f32[4,3] = input "x"
        %1: f32[1,3] = state "w"
        %2: f32[4,1] = dot(%0, %1) batch=[]:[] contract=[1]:[1]
        %3: f32[] = const 0.25
        %4: f32[4,1] = neg(%2)
        %5: f32[4,1] = softplus(%4)
        %6: f32[] = reduce_sum(%5) axes=[0,1]
        %7: f32[] = const -0.25
        %8: f32[] = mul(%3, %6)
        %9: f32[] = const 0.5
        %10: f32[4,1] = broadcast(%9) shape=[4,1] dims=[]
        %11: f32[] = const -0.5
        %12: f32[4,1] = broadcast(%11) shape=[4,1] dims=[]
        %13: f32[4,1] = mul(%2, %12)
        %14: f32[4,1] = tanh(%13)
        %15: f32[4,1] = mul(%10, %14)
        %16: f32[4,1] = add(%10, %15)
        %17: f32[4,1] = broadcast(%7) shape=[4,1] dims=[]
        %18: f32[4,1] = mul(%16, %17)
        %19: f32[1,3] = dot(%18, %0) batch=[]:[] contract=[0]:[0]
        %20: f32[] = const -0.1
        %21: f32[1,3] = broadcast(%20) shape=[1,3] dims=[]
        %22: f32[1,3] = mul(%19, %21)
        %23: f32[1,3] = add(%1, %22)
        output "loss" = %8
        write "w" = %23
    "#]]
    .assert_eq(&after.to_string());
}

#[test]
fn the_explanation_has_every_stage_and_what_rules_saved() {
    use saddlepoint_compiler::rewrite::explain::explain;
    let explanation = explain(&penalty_turn(SMALL), &Options::default()).unwrap();
    let names: Vec<&str> = explanation.stages.iter().map(|s| s.name.as_str()).collect();
    let stages = ["lowered", "dead code", "graph rules", "directed rules", "shared-weight batching", "equality saturation"];
    assert_eq!(names[..6], stages);
    let directed = &explanation.stages[3];
    let (_, n, saved) = directed.rules.iter().find(|(rule, ..)| rule == "dot-of-broadcast").expect("it fires");
    assert!(*n > 0 && saved.is_some_and(|ns| ns > 0), "{explanation}");
    let (first, last) = (&explanation.stages[1], &explanation.stages[explanation.stages.len() - 1]);
    assert!(last.plan.time <= first.plan.time && last.plan.kernels <= first.plan.kernels, "{explanation}");
    assert!(explanation.gain().is_some_and(|percent| percent >= 0.0), "{explanation}");
    assert!(explanation.to_string().contains("dot-of-broadcast"), "{explanation}");
}
