//! Shaders of random programs are well formed, in every form that options can give them; and have the form that their work asks for.

use super::{Options, Tile, lower, validate};
use crate::ir::{Builder, DotDims, Expr, Type};
use crate::plan::{self, plan};
use crate::testing;

#[test]
fn shaders_of_random_programs_are_well_formed() {
    let options = testing::Options { nodes: 60, ..testing::Options::default() };
    for seed in 0..150 {
        let program = testing::random_program(seed, &options);
        let plan = plan(&program.graph, &plan::Options::device()).unwrap();
        let forms = [
            Options::default(),
            Options { unroll: 4, segments: Some(3), tile: Some(Tile::ALL[0]) },
            Options { unroll: 1, segments: Some(2), tile: Some(Tile::ALL[1]) },
        ];
        for form in &forms {
            lower(&plan, form).unwrap_or_else(|e| panic!("seed {seed}, {form:?}: {e}"));
        }
    }
}

#[test]
fn a_wrong_shader_is_refused() {
    let error = validate("@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }").unwrap_err();
    assert!(error.contains("u32"), "{error}");
}

/// The shaders of what one expression becomes.
fn shaders_of(build: impl Fn(&Builder) -> Expr) -> Vec<String> {
    let b = Builder::new();
    let y = build(&b);
    b.output("y", &y);
    lower(&plan(&b.finish().unwrap(), &plan::Options::device()).unwrap(), &Options::default()).unwrap().shaders
}

fn matrix(b: &Builder, name: &str, rows: usize, columns: usize) -> Expr {
    b.input(name, Type::f32([rows, columns]))
}

fn times(x: &Expr, w: &Expr) -> Expr {
    x.dot(w, DotDims { lhs_contract: vec![1], rhs_contract: vec![0], ..DotDims::default() })
}

/// Contiguous elements are taken four at a time, and written as vectors; others one at a time.
#[test]
fn contiguous_memory_is_taken_in_vectors() {
    let even = shaders_of(|b| matrix(b, "x", 64, 64).tanh());
    assert!(even[0].contains("alias F = vec4<f32>") && even[0].contains("var<storage, read_write> arena: array<vec4<u32>>"));
    let odd = shaders_of(|b| matrix(b, "x", 7, 9).tanh());
    assert!(odd[0].contains("alias F = f32") && odd[0].contains("arena: array<u32>"));
}

/// Tiles follow the size of the product; operands come in vectors along whichever axis memory runs in.
#[test]
fn products_choose_tiles_and_vectors_by_their_form() {
    let tile_of = |m: usize, k: usize, n: usize| {
        let shader = &shaders_of(|b| times(&matrix(b, "x", m, k), &matrix(b, "w", k, n)))[0];
        let size =
            |name: &str| shader.split_once(&format!("{name}: array<vec4<f32>, ")).unwrap().1.split('>').next().unwrap();
        // Sixteen terms of so many rows, or columns, in vectors of four.
        (size("left_").parse::<usize>().unwrap() / 4, size("right_").parse::<usize>().unwrap() / 4)
    };
    assert_eq!(tile_of(2048, 256, 2048), (128, 128));
    assert_eq!(tile_of(512, 256, 512), (64, 64));
    assert_eq!(tile_of(32, 256, 40), (32, 32));
    assert_eq!(tile_of(256, 256, 12), (64, 16));
    let shader = &shaders_of(|b| times(&matrix(b, "x", 64, 64), &matrix(b, "w", 64, 64)))[0];
    assert!(shader.contains("fn left4(") && shader.contains("fn right4("), "{shader}");
    let shader = &shaders_of(|b| times(&matrix(b, "x", 63, 63), &matrix(b, "w", 63, 63)))[0];
    assert!(shader.contains("fn left1(") && shader.contains("fn right1("), "{shader}");
}

/// A long sum of few results is cut, and what follows a product stands in its shader.
#[test]
fn long_sums_are_cut_and_epilogues_are_inside() {
    assert_eq!(shaders_of(|b| matrix(b, "x", 512, 512).sum(&[0, 1])).len(), 2);
    assert_eq!(shaders_of(|b| times(&matrix(b, "x", 32, 8192), &matrix(b, "w", 8192, 32))).len(), 2);
    let fused = shaders_of(|b| times(&matrix(b, "x", 64, 16), &matrix(b, "w", 16, 64)).tanh());
    assert!(fused.len() == 1 && fused[0].contains("tanh_(") && fused[0].contains("fn left4("));
    // Of the mathematics a shader has what it calls, and no more.
    assert!(!fused[0].contains("fn softplus_(") && !fused[0].contains("fn philox("));
}
