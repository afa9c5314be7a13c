//! Tiles of every size, on every instruction set of this machine, against the definition in double precision.

use super::{Operand, Segment, Tile, Tiles};
use crate::device::cpu::testing::{Layout, Numbers, check};

/// Places of the operands: repetitions × segments × steps × rows or columns, with gaps between the segments.
const REPEATS: usize = 2;
const STEPS: usize = 5;
const SEGMENTS: [usize; 3] = [5, 1, 3];

fn segments(left_step: isize, right_step: isize) -> Vec<Segment> {
    let segment = |(at, &steps): (usize, &usize)| {
        let start = (at * STEPS) as isize;
        Segment { left: start * left_step, right: start * right_step, steps }
    };
    SEGMENTS.iter().enumerate().map(segment).collect()
}

fn verify(tiles: &Tiles, rows: usize, columns: usize, numbers: &mut Numbers) {
    let all = SEGMENTS.len() * STEPS;
    // Columns as neighbours, as in a weight gradient, or far apart, as in a convolution.
    for (right_step, right_column) in [(columns as isize, 1), (1, all as isize)] {
        let right_repeat = (all * columns) as isize;
        // Rows that fill whole vectors in memory, and rows beyond which there is nothing to be read.
        for padded in [true, false] {
            let row = if padded { rows.next_multiple_of(tiles.lanes) } else { rows };
            let left_repeat = (all * row) as isize;
            let left = Layout::filled(numbers, &[REPEATS, all, row], &[left_repeat, row as isize, 1]);
            let right = Layout::filled(numbers, &[REPEATS, all, columns], &[right_repeat, right_step, right_column]);
            let segments = segments(row as isize, right_step);
            let mut expected = Vec::new();
            for column in 0..columns as isize {
                for place in 0..rows as isize {
                    let mut sum = 0.0;
                    for repeat in 0..REPEATS as isize {
                        for (at, &steps) in SEGMENTS.iter().enumerate() {
                            for step in (at * STEPS) as isize..(at * STEPS + steps) as isize {
                                let a = left.at(repeat * left_repeat + step * row as isize + place);
                                let b = right.at(repeat * right_repeat + step * right_step + column * right_column);
                                sum += f64::from(a) * f64::from(b);
                            }
                        }
                    }
                    expected.push((column * (rows as isize + 1) + place, sum));
                }
            }
            let mut target = Layout::empty(&[columns, rows], &[rows as isize + 1, 1]);
            for accumulate in [false, true] {
                let tile = Tile {
                    rows,
                    columns,
                    segments: &segments,
                    repeats: REPEATS,
                    left: Operand { start: left.base(), step: row as isize, repeat: left_repeat },
                    padded,
                    right: Operand { start: right.base(), step: right_step, repeat: right_repeat },
                    right_column,
                    target: target.base_mut(),
                    target_column: rows as isize + 1,
                    accumulate,
                };
                // SAFETY: the layouts hold all places of the tile.
                unsafe { tiles.compute(&tile) };
                let expected: Vec<_> =
                    expected.iter().map(|&(at, sum)| (at, if accumulate { 2.0 * sum } else { sum })).collect();
                check(&target, &expected, &format!("{tiles:?} {rows} rows {columns} columns padded {padded}"));
            }
        }
    }
}

#[test]
fn tiles_of_every_size_agree_with_the_definition() {
    let mut numbers = Numbers::new(11);
    for tiles in Tiles::all() {
        for vectors in 1..=tiles.most_vectors() {
            for rows in [1, tiles.lanes / 2 + 1, tiles.lanes].map(|last| (vectors - 1) * tiles.lanes + last) {
                for columns in 1..=tiles.most_columns(vectors) {
                    verify(&tiles, rows, columns, &mut numbers);
                }
            }
        }
    }
}

#[test]
fn an_empty_contraction_stores_zeros() {
    let mut target = Layout::empty(&[2, 3], &[3, 1]);
    let nothing = Operand { start: std::ptr::null(), step: 0, repeat: 0 };
    let tile = Tile {
        rows: 3,
        columns: 2,
        segments: &[],
        repeats: 1,
        left: nothing,
        padded: true,
        right: nothing,
        right_column: 0,
        target: target.base_mut(),
        target_column: 3,
        accumulate: false,
    };
    // SAFETY: nothing is read.
    unsafe { Tiles::of_this_machine().compute(&tile) };
    check(&target, &(0..6).map(|at| (at, 0.0)).collect::<Vec<_>>(), "empty");
}
