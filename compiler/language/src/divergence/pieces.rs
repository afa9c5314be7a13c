//! f by cases: the intervals of (0, ∞) on which no absolute value, maximum or comparison changes, and whether f is convex.
//!
//! In: f with signs in it. Out: [`Piece`]s in order, without signs, or what is wrong with f. Convexity is judged by the second
//! derivative at points dense in the logarithm of u, around its least values more closely, with a bound on rounding.

use crate::divergence::expr::{Expr, minus, number, product};
use crate::divergence::simplify::simplified;
use crate::divergence::solve::affine;

/// f on an interval.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) value: Expr,
    /// f′
    pub(crate) slope: Expr,
    /// u·f′ − f: the conjugate at the slope of u
    pub(crate) rest: Expr,
}

/// Powers of ten that points reach, and points between two.
const DECADES: i32 = 9;
const DENSITY: i32 = 40;

/// Intervals that f may consist of.
const PIECES: usize = 12;

/// Within these bounds f must have a value; beyond, functions may overflow.
const DEFINED: (f64, f64) = (1e-6, 300.0);

/// Points of (0, ∞).
fn grid() -> impl Iterator<Item = f64> {
    (-DECADES * DENSITY..=DECADES * DENSITY).map(|i| 10f64.powf(f64::from(i) / f64::from(DENSITY)))
}

impl Piece {
    /// Points inside, dense in the logarithm.
    pub(crate) fn points(&self) -> Vec<f64> {
        let inside = |u: f64| u > self.from && u < self.to;
        let mut points: Vec<f64> = grid().filter(|u| inside(*u)).collect();
        if self.from > 0.0 && self.to.is_finite() {
            points.extend((1..40).map(|i| self.from + (self.to - self.from) * f64::from(i) / 40.0));
            points.sort_by(f64::total_cmp);
        }
        points
    }
}

/// f by cases, or what is wrong with it; `u` is what its variable is called.
pub(crate) fn pieces(f: &Expr, u: &str) -> Result<Vec<Piece>, String> {
    let mut ends = vec![0.0];
    ends.extend(breaks(f)?);
    ends.push(f64::INFINITY);
    let mut pieces: Vec<Piece> = Vec::new();
    for pair in ends.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let middle = match (from, to) {
            (0.0, f64::INFINITY) => 1.0,
            (0.0, to) => 0.5 * to,
            (from, f64::INFINITY) => 2.0 * from,
            (from, to) => (from * to).sqrt(),
        };
        let here = Piece { from, to, value: number(0.0), slope: number(0.0), rest: number(0.0) };
        let points: Vec<f64> = here.points().into_iter().step_by(8).collect();
        let value = simplified(&without_signs(f, middle), &points);
        if let Some(last) = pieces.last_mut()
            && last.value == value
        {
            last.to = to;
            continue;
        }
        let slope = simplified(&value.derivative(), &points);
        let rest = simplified(&minus(product([Expr::Ratio, slope.clone()]), value.clone()), &points);
        pieces.push(Piece { value, slope, rest, ..here });
    }
    defined(&pieces, u)?;
    convex(&pieces, u)?;
    Ok(pieces)
}

fn without_signs(x: &Expr, at: f64) -> Expr {
    match x {
        Expr::Sign(_) => number(x.value(at)),
        other => other.map(&mut |part| without_signs(part, at)),
    }
}

/// Where a sign changes.
fn breaks(f: &Expr) -> Result<Vec<f64>, String> {
    let mut changing = Vec::new();
    collect(f, &mut changing);
    let mut breaks: Vec<f64> = Vec::new();
    for x in &changing {
        if let Some((beta, alpha)) = affine(x) {
            let root = -beta.value() / alpha.value();
            if root > 0.0 && root.is_finite() {
                breaks.push(root);
            }
            continue;
        }
        let mut last: Option<(f64, bool)> = None;
        for u in grid() {
            let value = x.value(u);
            if value.is_nan() || value == 0.0 {
                continue;
            }
            let positive = value > 0.0;
            if let Some((before, was)) = last
                && was != positive
            {
                breaks.push(bisected(before, u, &|u| (x.value(u) > 0.0) == was));
            }
            last = Some((u, positive));
        }
    }
    breaks.sort_by(f64::total_cmp);
    breaks.dedup_by(|a, b| (*a - *b).abs() <= 1e-9 * b.abs());
    if breaks.len() >= PIECES {
        return Err(format!("f consists of more than {PIECES} pieces"));
    }
    Ok(breaks)
}

fn collect(x: &Expr, out: &mut Vec<Expr>) {
    if let Expr::Sign(inner) = x
        && !out.contains(inner)
    {
        out.push((**inner).clone());
    }
    x.parts().into_iter().for_each(|part| collect(part, out));
}

/// The place between `low`, where the test holds, and `high`, where it does not; a round number if one is there.
fn bisected(mut low: f64, mut high: f64, holds: &dyn Fn(f64) -> bool) -> f64 {
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if holds(middle) { low = middle } else { high = middle }
    }
    let rounded = format!("{high:.9}").parse().unwrap_or(high);
    if (rounded - high).abs() <= 1e-12 * high { rounded } else { high }
}

fn defined(pieces: &[Piece], name: &str) -> Result<(), String> {
    for piece in pieces {
        for u in piece.points() {
            if (DEFINED.0..=DEFINED.1).contains(&u) && piece.value.value(u).is_nan() {
                return Err(format!("f has no value at {}; it must have one for every {name} > 0", shown(u)));
            }
        }
    }
    for pair in pieces.windows(2) {
        let at = pair[1].from;
        let (before, after) = (pair[0].value.rounded(at), pair[1].value.rounded(at));
        let jump = (before.value - after.value).abs();
        // At the break itself a form may have no value: its neighbourhood tells.
        if jump > 1e-6 * (1.0 + before.value.abs()) + 8.0 * (before.error + after.error) {
            return Err(format!("f jumps from {} to {} at {name} = {}", shown(before.value), shown(after.value), shown(at)));
        }
    }
    Ok(())
}

fn convex(pieces: &[Piece], name: &str) -> Result<(), String> {
    let not = |from: f64, to: f64| {
        let to = if to.is_finite() { shown(to) } else { "∞".to_string() };
        format!("f is not convex: f″ < 0 for {name} in ({}, {to})", shown(from))
    };
    for piece in pieces {
        let second = simplified(&piece.slope.derivative(), &piece.points().into_iter().step_by(8).collect::<Vec<_>>());
        let fails = |u: f64| {
            let bend = second.rounded(u);
            bend.value.is_finite() && bend.value < -8.0 * bend.error
        };
        let points = piece.points();
        let found =
            points.iter().position(|u| fails(*u)).map(|i| (i, points[i])).or_else(|| narrow(&second, &points, &fails));
        let Some((index, inside)) = found else { continue };
        let before = points[..index].last().copied().filter(|u| !fails(*u));
        let from = before.map_or(piece.from, |low| bisected(low, inside, &|u| !fails(u)));
        let after = points[index..].iter().copied().find(|u| *u > inside && !fails(*u));
        let to = after.map_or(piece.to, |high| bisected(inside, high, &fails));
        return Err(not(from, to));
    }
    for pair in pieces.windows(2) {
        let at = pair[1].from;
        let (before, after) = (pair[0].slope.rounded(at), pair[1].slope.rounded(at));
        if before.value - after.value > 1e-6 * (1.0 + before.value.abs()) + 8.0 * (before.error + after.error) {
            return Err(format!(
                "f is not convex: its slope falls from {} to {} at {name} = {}",
                shown(before.value),
                shown(after.value),
                shown(at)
            ));
        }
    }
    Ok(())
}

/// A dip of the second derivative below 0 between two points, near one where it is least.
fn narrow(second: &Expr, points: &[f64], fails: &dyn Fn(f64) -> bool) -> Option<(usize, f64)> {
    for i in 1..points.len().saturating_sub(1) {
        let (a, b, c) = (second.value(points[i - 1]), second.value(points[i]), second.value(points[i + 1]));
        if !(b <= a && b <= c) {
            continue;
        }
        let (mut low, mut high) = (points[i - 1], points[i + 1]);
        for _ in 0..60 {
            let (x, y) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if fails(x) || fails(y) {
                let inside = if fails(x) { x } else { y };
                return Some((points.iter().position(|u| *u > inside).unwrap_or(points.len()), inside));
            }
            if second.value(x) < second.value(y) { high = y } else { low = x }
        }
    }
    None
}

/// A number of three significant digits.
pub(crate) fn shown(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    let digits = (2 - x.abs().log10().floor() as i32).max(0) as usize;
    let text = if digits > 8 { format!("{x:.2e}") } else { format!("{x:.digits$}") };
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    } else {
        text
    }
}
