//! Every op by itself, in the forms that its rule tells apart.

use crate::check::{Case, case, check, ints, numbers, spread};
use saddlepoint_compiler::ir::interpret::Value;
use saddlepoint_compiler::ir::{Builder, ConvDims, DType, DotDims, Expr, Op, OpKind};

/// What the derivative of an op with respect to its operands is.
enum Derivative {
    /// There is one: both orders are compared with finite differences.
    Exists(Vec<Case>),
    /// It is zero or undefined, so that no gradient flows.
    None(Vec<Case>),
}

fn unary(low: f64, high: f64, f: fn(&Expr) -> Expr) -> Vec<Case> {
    vec![
        case("vector", vec![spread(&[7], low, high, 1)], move |_, a| f(&a[0])),
        case("scalar", vec![spread(&[], low, high, 2)], move |_, a| f(&a[0])),
    ]
}

fn binary(f: fn(&Expr, &Expr) -> Expr) -> Vec<Case> {
    vec![
        case("two operands", vec![numbers(&[2, 3], 1), spread(&[2, 3], 0.6, 2.1, 2)], move |_, a| f(&a[0], &a[1])),
        case("one operand twice", vec![spread(&[5], 0.5, 2.0, 3)], move |_, a| f(&a[0], &a[0].square().shift(0.1))),
        case("the left is a number", vec![spread(&[5], 0.5, 2.0, 4)], move |_, a| f(&a[0].scalar(0.7), &a[0])),
        case("the right is a number", vec![spread(&[5], 0.5, 2.0, 5)], move |_, a| f(&a[0], &a[0].scalar(0.7))),
    ]
}

/// Built from an operand by one op with attributes.
fn attributed(name: &str, shape: &[usize], op: Op) -> Case {
    case(&format!("{name} {op:?}"), vec![numbers(shape, 11)], move |b, a| b.op(op.clone(), &[&a[0]]))
}

/// This table has an entry for every op: a new one does not compile without.
fn table(kind: OpKind) -> Derivative {
    use Derivative::{Exists, None};
    let key = || Value::ints(&[4], vec![1, 2, 3, 4]).unwrap();
    match kind {
        OpKind::Input => Exists(vec![case("itself", vec![numbers(&[3], 1)], |_, a| a[0].clone())]),
        OpKind::State => Exists(Vec::new()),
        OpKind::Const => None(vec![case("constant", vec![numbers(&[2], 1)], |b, _| b.full(2.0, &[2]))]),
        OpKind::Iota => None(vec![case("iota", vec![numbers(&[], 1)], |b, a| {
            let iota = b.op(Op::Iota { shape: vec![3], axis: 0 }, &[]);
            a[0].cast(DType::I32).broadcast(&[3], &[]).add(&iota).cast(DType::F32)
        })]),
        OpKind::Rng => None(vec![case("draw", vec![numbers(&[3], 1), key()], |b, a| {
            let _ = &a[0];
            b.op(Op::Rng { stream: 1, shape: vec![3] }, &[&a[1]])
        })]),
        OpKind::Cast => Exists(vec![
            case("float to float", vec![numbers(&[4], 1)], |_, a| a[0].cast(DType::F32)),
            case("through an integer", vec![numbers(&[4], 1)], |_, a| {
                a[0].mul(&a[0].shift(0.2).cast(DType::I32).cast(DType::F32))
            }),
        ]),
        // The finite difference of StopGrad is not zero: it is checked with the kinks.
        OpKind::StopGrad => {
            None(vec![case("stop", vec![numbers(&[3], 1)], |b, a| b.op(Op::StopGrad, &[&a[0]]).mul(&b.full(0.0, &[3])))])
        }
        // So is that of Hold: `tests/custom_loss.rs` has what it is for.
        OpKind::Hold => {
            None(vec![case("hold", vec![numbers(&[3], 1)], |b, a| b.op(Op::Hold, &[&a[0]]).mul(&b.full(0.0, &[3])))])
        }
        OpKind::Floor => None(unary(-2.0, 2.0, Expr::floor)),
        OpKind::Sign => None(unary(-2.0, 2.0, Expr::sign)),
        OpKind::Lt => None(vec![case("less", vec![numbers(&[4], 1), numbers(&[4], 2)], |_, a| {
            a[0].lt(&a[1].shift(0.07)).cast(DType::F32)
        })]),
        OpKind::Eq => None(vec![case("equal", vec![numbers(&[4], 1), numbers(&[4], 2)], |_, a| {
            a[0].eq(&a[1].shift(0.07)).cast(DType::F32)
        })]),
        OpKind::Neg => Exists(unary(-2.0, 2.0, Expr::neg)),
        OpKind::Exp => Exists(unary(-2.0, 2.0, Expr::exp)),
        OpKind::Log => Exists(unary(0.3, 3.0, Expr::ln)),
        OpKind::Sqrt => Exists(unary(0.3, 3.0, Expr::sqrt)),
        OpKind::Sin => Exists(unary(-4.0, 4.0, Expr::sin)),
        OpKind::Tanh => Exists(unary(-2.0, 2.0, Expr::tanh)),
        OpKind::Softplus => Exists(unary(-3.0, 3.0, Expr::softplus)),
        OpKind::Add => Exists(binary(Expr::add)),
        OpKind::Mul => Exists(binary(Expr::mul)),
        OpKind::Div => Exists(binary(Expr::div)),
        OpKind::Max => Exists(binary(Expr::max)),
        OpKind::Select => Exists(vec![
            case("both", vec![numbers(&[6], 1), numbers(&[6], 2), numbers(&[6], 3)], |_, a| {
                a[0].positive().select(&a[1], &a[2])
            }),
            case("relu", vec![numbers(&[6], 1)], |_, a| a[0].relu()),
            case("leaky relu", vec![numbers(&[6], 1)], |_, a| a[0].positive().select(&a[0], &a[0].scale(0.2))),
        ]),
        OpKind::Reshape => Exists(vec![attributed("", &[2, 3, 2], Op::Reshape(vec![4, 1, 3]))]),
        OpKind::Transpose => Exists(vec![
            attributed("", &[2, 3], Op::Transpose(vec![1, 0])),
            attributed("", &[2, 3, 4], Op::Transpose(vec![2, 0, 1])),
        ]),
        OpKind::Reverse => Exists(vec![attributed("", &[2, 3, 2], Op::Reverse(vec![0, 1]))]),
        OpKind::Broadcast => Exists(vec![
            attributed("", &[3], Op::Broadcast { shape: vec![2, 3, 2], dims: vec![1] }),
            attributed("", &[], Op::Broadcast { shape: vec![2, 2], dims: vec![] }),
            attributed("by one", &[3], Op::Broadcast { shape: vec![1, 3, 1], dims: vec![1] }),
            attributed("the same", &[2, 3], Op::Broadcast { shape: vec![2, 3], dims: vec![0, 1] }),
        ]),
        OpKind::Slice => Exists(vec![
            attributed("", &[5, 7], Op::Slice { start: vec![1, 0], stop: vec![4, 7], step: vec![1, 1] }),
            attributed("steps", &[7, 6], Op::Slice { start: vec![1, 0], stop: vec![6, 6], step: vec![2, 4] }),
            case("empty", vec![numbers(&[3], 1)], |_, a| {
                let none = a[0].slice(&[2], &[2], &[1]);
                Expr::concat(&[&none, &a[0]], 0).unwrap()
            }),
        ]),
        OpKind::Pad => Exists(vec![
            case("value", vec![numbers(&[2, 3], 1), numbers(&[], 2)], |_, a| a[0].pad(&[1, 0], &[0, 2], &[0, 0], &a[1])),
            case("interior", vec![numbers(&[2, 3], 1), numbers(&[], 2)], |_, a| a[0].pad(&[1, 2], &[2, 0], &[2, 1], &a[1])),
            case("zero", vec![numbers(&[4], 1)], |_, a| a[0].pad(&[0], &[3], &[1], &a[0].scalar(0.0))),
        ]),
        OpKind::Concat => Exists(vec![
            case("three", vec![numbers(&[2, 3], 1), numbers(&[2, 1], 2), numbers(&[2, 2], 3)], |_, a| {
                Expr::concat(&[&a[0], &a[1], &a[2]], 1).unwrap()
            }),
            case("one", vec![numbers(&[2, 3], 1)], |_, a| Expr::concat(&[&a[0]], 0).unwrap()),
            case("the same twice", vec![numbers(&[2, 3], 1)], |_, a| Expr::concat(&[&a[0], &a[0].sin()], 0).unwrap()),
        ]),
        OpKind::ReduceSum => Exists(vec![
            attributed("", &[2, 3, 4], Op::ReduceSum(vec![1])),
            attributed("", &[2, 3, 4], Op::ReduceSum(vec![0, 2])),
            attributed("all", &[2, 3], Op::ReduceSum(vec![0, 1])),
            attributed("none", &[2, 3], Op::ReduceSum(vec![])),
        ]),
        OpKind::ReduceMax => Exists(vec![
            attributed("", &[2, 3, 4], Op::ReduceMax(vec![1])),
            attributed("", &[2, 3, 4], Op::ReduceMax(vec![0, 2])),
            attributed("all", &[5], Op::ReduceMax(vec![0])),
        ]),
        OpKind::CumSum => Exists(vec![
            attributed("", &[2, 4, 2], Op::CumSum { axis: 1, reverse: false }),
            attributed("", &[2, 4], Op::CumSum { axis: 1, reverse: true }),
        ]),
        OpKind::Dot => Exists(products()),
        OpKind::Conv => Exists(convolutions()),
        OpKind::Unfold => Exists(vec![
            attributed("", &[2, 7], Op::Unfold { axis: 1, size: 3, stride: 2, dilation: 1 }),
            attributed("rest", &[8, 2], Op::Unfold { axis: 0, size: 2, stride: 2, dilation: 3 }),
        ]),
        OpKind::Fold => Exists(vec![
            attributed("", &[3, 3, 2], Op::Fold { axis: 0, length: 7, stride: 2, dilation: 1 }),
            attributed("rest", &[2, 2, 3], Op::Fold { axis: 1, length: 7, stride: 2, dilation: 2 }),
        ]),
        OpKind::Gather => Exists(vec![
            case("rows", vec![numbers(&[3, 2], 1), ints(&[4], &[2, 0, 2, 9])], |_, a| a[0].gather(&a[1], 0)),
            case("within", vec![numbers(&[2, 3, 2], 1), ints(&[2, 2], &[2, 0, -1, 1])], |_, a| a[0].gather(&a[1], 1)),
            case("one", vec![numbers(&[3], 1), ints(&[], &[1])], |_, a| a[0].gather(&a[1], 0)),
        ]),
        OpKind::ScatterAdd => Exists(vec![
            case("rows", vec![ints(&[4], &[2, 0, 2, 9]), numbers(&[4, 2], 1)], |_, a| a[1].scatter_add(&a[0], 0, 3)),
            case("within", vec![ints(&[2, 2], &[2, 0, -1, 1]), numbers(&[2, 2, 2], 1)], |_, a| {
                a[1].scatter_add(&a[0], 1, 4)
            }),
        ]),
    }
}

fn products() -> Vec<Case> {
    let product = |name: &str, lhs: &[usize], rhs: &[usize], dims: [&[usize]; 4]| {
        let [lhs_batch, rhs_batch, lhs_contract, rhs_contract] = dims.map(<[usize]>::to_vec);
        let dims = DotDims { lhs_batch, rhs_batch, lhs_contract, rhs_contract };
        case(name, vec![numbers(lhs, 1), numbers(rhs, 2)], move |_, a| a[0].dot(&a[1], dims.clone()))
    };
    vec![
        product("matrices", &[2, 3], &[3, 4], [&[], &[], &[1], &[0]]),
        product("by transposed", &[2, 3], &[4, 3], [&[], &[], &[1], &[1]]),
        product("transposed by", &[3, 2], &[3, 4], [&[], &[], &[0], &[0]]),
        product("outer", &[2], &[3], [&[], &[], &[], &[]]),
        product("inner", &[2, 3], &[3, 2], [&[], &[], &[0, 1], &[1, 0]]),
        product("scalar", &[], &[3], [&[], &[], &[], &[]]),
        product("batched", &[2, 3, 2], &[2, 2, 3], [&[0], &[0], &[2], &[1]]),
        product("everything permuted", &[2, 3, 2, 4], &[4, 2, 2, 3], [&[3, 0], &[0, 2], &[1], &[3]]),
        product("two contracted, crossed", &[2, 3, 4], &[3, 5, 2], [&[], &[], &[1, 0], &[0, 2]]),
        case("with itself", vec![numbers(&[2, 3], 1)], |_, a| {
            a[0].dot(&a[0], DotDims { lhs_contract: vec![1], rhs_contract: vec![1], ..DotDims::default() })
        }),
    ]
}

fn convolutions() -> Vec<Case> {
    let conv = |name: &str, x: &[usize], w: &[usize], dims: ConvDims| {
        case(name, vec![numbers(x, 1), numbers(w, 2)], move |_, a| a[0].conv(&a[1], dims.clone()))
    };
    let line = |stride, padding, input_dilation, kernel_dilation, groups| ConvDims {
        stride: vec![stride],
        padding: vec![padding],
        input_dilation: vec![input_dilation],
        kernel_dilation: vec![kernel_dilation],
        groups,
    };
    vec![
        conv("plain", &[2, 2, 5], &[3, 2, 2], line(1, (0, 0), 1, 1, 1)),
        conv("padded, strided", &[2, 2, 6], &[2, 2, 3], line(2, (1, 1), 1, 1, 1)),
        conv("rows left over", &[1, 2, 8], &[2, 2, 3], line(3, (1, 0), 1, 1, 1)),
        conv("kernel of one, strided", &[2, 2, 5], &[3, 2, 1], line(2, (0, 0), 1, 1, 1)),
        conv("cropped", &[1, 2, 7], &[2, 2, 2], line(1, (-1, -2), 1, 1, 1)),
        conv("cropped, strided, dilated", &[1, 1, 6], &[1, 1, 2], line(2, (-1, 3), 2, 2, 1)),
        conv("dilated input", &[2, 2, 4], &[2, 2, 3], line(1, (2, 1), 2, 1, 1)),
        conv("dilated input, left over", &[1, 2, 4], &[2, 2, 2], line(3, (0, 2), 2, 1, 1)),
        conv("dilated kernel", &[1, 2, 9], &[2, 2, 3], line(2, (1, 2), 1, 2, 1)),
        conv("more padding than kernel", &[1, 1, 3], &[1, 1, 2], line(1, (3, 4), 1, 1, 1)),
        conv("groups", &[2, 4, 5], &[6, 2, 2], line(2, (1, 0), 1, 1, 2)),
        conv("groups, dilated", &[2, 4, 4], &[2, 2, 2], line(2, (1, 2), 2, 2, 2)),
        conv("depthwise", &[2, 3, 5], &[6, 1, 3], line(1, (1, 1), 1, 1, 3)),
        conv(
            "two axes",
            &[2, 2, 5, 4],
            &[3, 2, 3, 2],
            ConvDims {
                stride: vec![2, 1],
                padding: vec![(1, 1), (0, -1)],
                input_dilation: vec![1, 2],
                kernel_dilation: vec![1, 2],
                groups: 1,
            },
        ),
        conv(
            "two axes, groups",
            &[2, 4, 4, 4],
            &[4, 2, 4, 4],
            ConvDims {
                stride: vec![2, 2],
                padding: vec![(1, 1), (1, 1)],
                input_dilation: vec![1, 1],
                kernel_dilation: vec![1, 1],
                groups: 2,
            },
        ),
        conv(
            "three axes",
            &[1, 2, 3, 2, 3],
            &[2, 2, 2, 1, 2],
            ConvDims {
                stride: vec![1, 1, 2],
                padding: vec![(0, 1), (0, 0), (1, 0)],
                input_dilation: vec![1; 3],
                kernel_dilation: vec![1; 3],
                groups: 1,
            },
        ),
    ]
}

#[test]
fn every_op_in_both_orders() {
    for kind in OpKind::ALL {
        let (cases, exists) = match table(*kind) {
            Derivative::Exists(cases) => (cases, true),
            Derivative::None(cases) => (cases, false),
        };
        for mut case in cases {
            case.name = format!("{}: {}", kind.name(), case.name);
            let reached = check(&case);
            assert!(uses(&case, *kind), "{} does not use the op", case.name);
            assert_eq!(reached > 0, exists, "{}: derivatives found for {reached} operands", case.name);
        }
    }
}

fn uses(case: &Case, kind: OpKind) -> bool {
    let b = Builder::new();
    let x: Vec<Expr> = case.point.iter().enumerate().map(|(i, v)| b.input(format!("x{i}"), v.ty.clone())).collect();
    (case.function)(&b, &x);
    b.with_graph(|g| g.nodes.iter().any(|n| n.op.kind() == kind))
}
