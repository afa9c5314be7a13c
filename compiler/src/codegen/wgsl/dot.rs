//! Products of strided views as [`Product`]s.

use super::product::{Along, Kind, Operand, Product};
use super::text::{digits, sum};
use crate::plan::{ContractAxis, DotSpec, LeftAxis, RightAxis};

/// An axis as two of the three views see it: extent and strides.
type Pair = (usize, [isize; 2]);

/// A linear index by name, how the digits it has are to be called, and their extents and strides.
type Digits<'a> = (&'a str, &'a str, Vec<(usize, isize)>);

/// Statements that compute an address: digits of linear indices times strides.
fn address(parts: &[Digits<'_>]) -> String {
    let (mut text, mut terms) = (String::new(), Vec::new());
    for (linear, prefix, axes) in parts {
        let named: Vec<(String, usize)> =
            axes.iter().enumerate().map(|(k, (extent, _))| (format!("{prefix}{k}"), *extent)).collect();
        text += &digits(linear, &named);
        terms.extend(named.into_iter().zip(axes).map(|((name, _), (_, stride))| (name, *stride as i64)));
    }
    text + &format!("let at = {};\n", sum(0, terms.into_iter().filter(|(_, stride)| *stride != 0)))
}

/// Whether the last axis is contiguous, its extent and all other strides being multiples of four.
fn contiguous(axes: &[(usize, isize)], others: &[(usize, isize)]) -> bool {
    let Some(((extent, stride), rest)) = axes.split_last() else { return false };
    *stride == 1 && extent % 4 == 0 && rest.iter().chain(others).all(|(_, stride)| stride % 4 == 0)
}

fn operand(
    param: usize,
    batch: Vec<(usize, isize)>,
    free: Vec<(usize, isize)>,
    terms: Vec<(usize, isize)>,
    aligned: bool,
) -> Operand {
    let along = match () {
        _ if aligned && contiguous(&free, &[&batch[..], &terms].concat()) => Along::Free,
        _ if aligned && contiguous(&terms, &[&batch[..], &free].concat()) => Along::Summed,
        _ => Along::Neither,
    };
    let address = address(&[("batch", "b", batch), ("free", "f", free), ("term", "k", terms)]);
    Operand { param, address, along }
}

/// The product that a specification describes, its parameters being left, right and result.
pub fn product(spec: &DotSpec, aligned: &[bool]) -> Product {
    let of = |axes: &mut Vec<Pair>, by: [usize; 2]| {
        // What is contiguous comes last.
        axes.sort_by_key(|(_, strides)| std::cmp::Reverse((strides[by[0]].unsigned_abs(), strides[by[1]].unsigned_abs())));
    };
    let mut m: Vec<Pair> = spec.m.iter().map(|LeftAxis { extent, a, c }| (*extent, [*a, *c])).collect();
    let mut n: Vec<Pair> = spec.n.iter().map(|RightAxis { extent, b, c }| (*extent, [*b, *c])).collect();
    let mut k: Vec<Pair> = spec.k.iter().map(|ContractAxis { extent, a, b }| (*extent, [*a, *b])).collect();
    of(&mut m, [0, 1]);
    of(&mut n, [1, 0]);
    let by = usize::from(!k.iter().any(|(_, strides)| strides[0] == 1));
    of(&mut k, [by, 1 - by]);
    let view =
        |axes: &[Pair], which: usize| axes.iter().map(|(extent, strides)| (*extent, strides[which])).collect::<Vec<_>>();
    let batch = |which: usize| spec.batch.iter().map(|x| (x.extent, [x.a, x.b, x.c][which])).collect::<Vec<_>>();
    let count = |axes: &[Pair]| axes.iter().map(|(extent, _)| extent).product::<usize>();
    let columns = view(&n, 1);
    let vectors = aligned[2] && contiguous(&columns, &[batch(2), view(&m, 1)].concat());
    Product {
        kind: Kind::Dot,
        batch: spec.batch.iter().map(|x| x.extent).product(),
        size: [count(&m), count(&n), count(&k)],
        left: operand(0, batch(0), view(&m, 0), view(&k, 0), aligned[0]),
        right: operand(1, batch(1), view(&n, 0), view(&k, 1), aligned[1]),
        target: address(&[("batch", "b", batch(2)), ("row", "m", view(&m, 1)), ("column", "n", columns)]),
        param: 2,
        vectors,
        accumulate: spec.accumulate,
        finish: None,
    }
}

/// The same product with the operands exchanged, where the result is contiguous along the left one's axes: its specification.
pub fn exchanged(spec: &DotSpec) -> Option<DotSpec> {
    let (left, right) = (spec.m.iter().any(|x| x.c == 1), spec.n.iter().any(|x| x.c == 1));
    if !left || right {
        return None;
    }
    Some(DotSpec {
        batch: spec.batch.iter().map(|x| crate::plan::BatchAxis { a: x.b, b: x.a, ..*x }).collect(),
        m: spec.n.iter().map(|x| LeftAxis { extent: x.extent, a: x.b, c: x.c }).collect(),
        n: spec.m.iter().map(|x| RightAxis { extent: x.extent, b: x.a, c: x.c }).collect(),
        k: spec.k.iter().map(|x| ContractAxis { extent: x.extent, a: x.b, b: x.a }).collect(),
        accumulate: spec.accumulate,
        reused: [false; 2],
        rows: vec![],
    })
}
