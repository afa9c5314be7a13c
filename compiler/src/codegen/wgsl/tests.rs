//! Shaders of random programs are well formed, in every form that options can give them; and have the form that their work asks for.

use super::{Options, Program, Tile, lower, validate};
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
            Options { unroll: 4, segments: Some(3), tile: Some(Tile::ALL[0]), ..Options::default() },
            Options { unroll: 1, segments: Some(2), tile: Some(Tile::ALL[1]), subgroups: true, ..Options::default() },
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

/// What one expression becomes.
fn program_of(options: &Options, build: impl Fn(&Builder) -> Expr) -> Program {
    let b = Builder::new();
    let y = build(&b);
    b.output("y", &y);
    lower(&plan(&b.finish().unwrap(), &plan::Options::device()).unwrap(), options).unwrap()
}

/// The shaders of what one expression becomes.
fn shaders_of(build: impl Fn(&Builder) -> Expr) -> Vec<String> {
    program_of(&Options::default(), build).shaders
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

/// Sums of a workgroup go through subgroups where the device has them; maxima do not, for they would lose a NaN.
#[test]
fn sums_use_subgroups_where_there_are_any() {
    let with = Options { subgroups: true, ..Options::default() };
    let sum = |b: &Builder| matrix(b, "x", 512, 512).sum(&[0, 1]);
    assert!(program_of(&with, sum).shaders[0].contains("subgroupAdd(sum0)"));
    assert!(!program_of(&Options::default(), sum).shaders[0].contains("subgroup"));
    assert!(!program_of(&with, |b| matrix(b, "x", 512, 512).max_over(&[0, 1])).shaders[0].contains("subgroupAdd"));
}

/// A product says which tiles it can have, and takes the one that it is told to; what is unknown or does not suit it is passed over.
#[test]
fn products_take_the_tiles_that_are_chosen_for_them() {
    let product = |options: &Options| {
        let mut program = program_of(options, |b| times(&matrix(b, "x", 512, 256), &matrix(b, "w", 256, 512)));
        assert_eq!(program.choices.len(), 1);
        program.choices.remove(0)
    };
    let suggested = product(&Options::default());
    assert_eq!(suggested.tiles, [Tile::ALL[1], Tile::ALL[0], Tile::ALL[2]]);
    assert_eq!(suggested.tile, Tile::ALL[1]);
    assert_eq!(suggested.product, "dot 512x256x512 summed free");
    for tile in Tile::ALL {
        let tiles = [(suggested.product.clone(), tile)].into();
        let taken = product(&Options { tiles, ..Options::default() }).tile;
        assert_eq!(taken, if suggested.tiles.contains(&tile) { tile } else { suggested.tile });
        assert_eq!(tile.to_string().parse::<Tile>(), Ok(tile));
    }
    assert!("100x100".parse::<Tile>().unwrap_err().contains("128x128"));
    let narrow = program_of(&Options::default(), |b| times(&matrix(b, "x", 512, 256), &matrix(b, "w", 256, 12)));
    assert_eq!(narrow.choices[0].tiles, [Tile::ALL[5]]);
}
