//! Shaders of random programs are well formed, in every form that options can give them.

use super::{Options, Tile, lower, validate};
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
