//! The conjugate: on the slopes of a smooth piece k(u(t)), at a kink c the straight line t·c − f(c).

use crate::divergence::expr::{Expr, clamp, number, product, sum};
use crate::divergence::number::Number;
use crate::divergence::pieces::Piece;
use crate::divergence::simplify::simplified;
use crate::divergence::solve::solve;

/// f* between two slopes.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) value: Expr,
}

/// Points of a piece at which solutions are tested: ratios as they occur, not the far ends, where slopes no longer differ.
const TESTED: (f64, f64) = (1e-4, 1e4);

/// The segments of f* in order of slope, without overlap; None where f′(u) = t is not solved.
pub(crate) fn segments(pieces: &[Piece], slopes: (f64, f64)) -> Option<Vec<Segment>> {
    let mut segments: Vec<Segment> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let from = if index == 0 { slopes.0 } else { limit(piece, piece.from, slopes.0) };
        let to = if index + 1 == pieces.len() { slopes.1 } else { limit(piece, piece.to, slopes.1) };
        if let Some(last) = segments.last().map(|last| last.to).or((index > 0).then_some(slopes.0))
            && from > last + 1e-12 * (1.0 + from.abs())
        {
            // The kink at which the piece begins.
            let c = piece.from;
            let value = sum([product([number(c), Expr::Real]), number(-value_at(pieces, index))]);
            segments.push(Segment { from: last, to: from, value });
        }
        if !piece.slope.is_constant() {
            let value = of_piece(piece, from, to)?;
            segments.push(Segment { from, to, value });
        }
    }
    (!segments.is_empty()).then_some(segments)
}

/// The slope of a piece at an end of it that is finite.
pub(crate) fn limit(piece: &Piece, u: f64, otherwise: f64) -> f64 {
    let slope = piece.slope.value(u);
    if slope.is_finite() { slope } else { otherwise }
}

/// f at the beginning of a piece.
fn value_at(pieces: &[Piece], index: usize) -> f64 {
    let u = pieces[index].from;
    let value = pieces[index].value.value(u);
    if value.is_finite() { value } else { pieces[index - 1].value.value(u) }
}

/// k(u(t)) for t between the slopes of a smooth piece.
fn of_piece(piece: &Piece, from: f64, to: f64) -> Option<Expr> {
    let tests: Vec<(f64, f64)> = piece
        .points()
        .into_iter()
        .filter(|u| (TESTED.0..=TESTED.1).contains(u))
        .map(|u| (u, piece.slope.value(u)))
        .filter(|(_, t)| t.is_finite() && *t > from && *t < to)
        .step_by(5)
        .collect();
    if tests.len() < 4 {
        return None;
    }
    let points: Vec<f64> = tests.iter().map(|(_, t)| *t).collect();
    let second = piece.slope.derivative();
    let right = |u: &Expr| {
        tests.iter().all(|(wanted, t)| {
            let found = u.rounded(*t);
            // A slope known up to rounding determines u only so far.
            let rounding = piece.slope.rounded(*wanted).error / second.value(*wanted).abs();
            (found.value - wanted).abs() <= 1e-7 * wanted + 16.0 * (found.error + rounding)
        })
    };
    let fits = |value: &Expr| {
        tests.iter().all(|(u, t)| {
            let (found, wanted) = (value.rounded(*t), piece.rest.rounded(*u));
            let rounding = u * piece.slope.rounded(*u).error;
            (found.value - wanted.value).abs()
                <= 1e-8 * (1.0 + wanted.value.abs()) + 16.0 * (found.error + wanted.error + rounding)
        })
    };
    let mut best: Option<Expr> = None;
    for u in solve(&piece.slope, &Expr::Real) {
        if !right(&u) {
            continue;
        }
        let u = simplified(&u, &points);
        let plain = piece.rest.at(&u);
        let value = simplified(&plain, &points);
        for value in [value, plain] {
            if fits(&value) && best.as_ref().is_none_or(|known| value.size() < known.size()) {
                best = Some(value);
            }
        }
    }
    best
}

/// f* on the whole line: each segment between its ends, put together where they meet; below the least slope a constant. None
/// where a segment has no value at its lower end.
pub(crate) fn joined(segments: &[Segment]) -> Option<Expr> {
    let last = segments.len() - 1;
    let mut terms = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let high = if index == last { f64::INFINITY } else { segment.to };
        terms.push(segment.value.at_real(&clamp(Expr::Real, Number::of(segment.from), Number::of(high))));
        let start = segment.value.value(segment.from);
        if segment.from.is_finite() && !start.is_finite() {
            return None;
        }
        if index > 0 {
            terms.push(number(-start));
        }
    }
    Some(sum(terms))
}
