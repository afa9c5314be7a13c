//! The text of small derivatives: what rules write, and that they write nothing idle.

use expect_test::{Expect, expect};
use saddlepoint_compiler::autodiff::gradients;
use saddlepoint_compiler::ir::{Builder, ConvDims, Expr, Type};

fn golden(shapes: &[&[usize]], f: impl Fn(&[Expr]) -> Expr, expected: Expect) {
    let b = Builder::new();
    let x: Vec<Expr> = shapes.iter().enumerate().map(|(i, s)| b.input(format!("x{i}"), Type::f32(*s))).collect();
    let g = gradients(&b, &[(f(&x), b.f32(1.0))], &x);
    for (i, g) in g.iter().enumerate() {
        b.output(format!("g{i}"), g);
    }
    drop((x, g));
    expected.assert_eq(&b.finish().unwrap().to_string());
}

#[test]
fn dense_layer_with_relu() {
    golden(
        &[&[4, 3], &[3, 2]],
        |x| x[0].matmul(&x[1]).relu().mean(&[0, 1]),
        expect![[r#"
        input "x0": f32[4,3]
        input "x1": f32[3,2]
        %0: f32[4,3] = input "x0"
        %1: f32[3,2] = input "x1"
        %2: f32[4,2] = dot(%0, %1) batch=[]:[] contract=[1]:[0]
        %3: f32[] = const 0.0
        %4: f32[4,2] = broadcast(%3) shape=[4,2] dims=[]
        %5: bool[4,2] = lt(%4, %2)
        %6: f32[] = const 0.0
        %7: f32[4,2] = broadcast(%6) shape=[4,2] dims=[]
        %8: f32[4,2] = select(%5, %2, %7)
        %9: f32[] = reduce_sum(%8) axes=[0,1]
        %10: f32[] = const 0.125
        %11: f32[] = mul(%9, %10)
        %12: f32[] = const 1.0
        %13: f32[4,2] = broadcast(%10) shape=[4,2] dims=[]
        %14: f32[] = const 0.0
        %15: f32[4,2] = broadcast(%14) shape=[4,2] dims=[]
        %16: f32[4,2] = select(%5, %13, %15)
        %17: f32[4,3] = dot(%16, %1) batch=[]:[] contract=[1]:[1]
        %18: f32[3,2] = dot(%0, %16) batch=[]:[] contract=[0]:[0]
        output "g0" = %17
        output "g1" = %18
    "#]],
    );
}

#[test]
fn strided_convolution() {
    let dims = ConvDims {
        stride: vec![2, 2],
        padding: vec![(1, 1); 2],
        input_dilation: vec![1; 2],
        kernel_dilation: vec![1; 2],
        groups: 1,
    };
    golden(
        &[&[8, 3, 8, 8], &[16, 3, 3, 3]],
        |x| x[0].conv(&x[1], dims.clone()).sum_all(),
        expect![[r#"
        input "x0": f32[8,3,8,8]
        input "x1": f32[16,3,3,3]
        %0: f32[8,3,8,8] = input "x0"
        %1: f32[16,3,3,3] = input "x1"
        %2: f32[8,16,4,4] = conv(%0, %1) stride=[2,2] padding=[1:1,1:1] input_dilation=[1,1] kernel_dilation=[1,1] groups=1
        %3: f32[] = reduce_sum(%2) axes=[0,1,2,3]
        %4: f32[] = const 1.0
        %5: f32[8,16,4,4] = broadcast(%4) shape=[8,16,4,4] dims=[]
        %6: f32[3,16,3,3] = transpose(%1) perm=[1,0,2,3]
        %7: f32[3,16,3,3] = reverse(%6) axes=[2,3]
        %8: f32[8,3,8,8] = conv(%5, %7) stride=[1,1] padding=[1:2,1:2] input_dilation=[2,2] kernel_dilation=[1,1] groups=1
        %9: f32[3,8,8,8] = transpose(%0) perm=[1,0,2,3]
        %10: f32[16,8,4,4] = transpose(%5) perm=[1,0,2,3]
        %11: f32[3,16,3,3] = conv(%9, %10) stride=[1,1] padding=[1:0,1:0] input_dilation=[1,1] kernel_dilation=[2,2] groups=1
        %12: f32[16,3,3,3] = transpose(%11) perm=[1,0,2,3]
        output "g0" = %8
        output "g1" = %12
    "#]],
    );
}
