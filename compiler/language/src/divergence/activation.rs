//! The output activation g: increasing, from all real scores v onto the slopes at which the conjugate is needed.
//!
//! | slopes of f | g(v) | examples |
//! |---|---|---|
//! | up to ∞, f* known | v | KL, Pearson, Jeffrey |
//! | f smooth | f′(e^(κv)) | Jensen-Shannon, GAN, Hellinger, Neyman, reverse KL |
//! | between two bounds, with kinks | a scaled tanh | total variation |
//! | below a bound b, with kinks | b − softplus(−v) | |
//!
//! For smooth f the composition needs no inverse at all: f*(f′(u)) = u·f′(u) − f(u), and with u = e^(κv) logarithms of u become v,
//! and those of 1 + u softplus. κ makes the fastest growth of g and of f* ∘ g that of e^|v|.

use crate::divergence::conjugate::Segment;
use crate::divergence::expr::{Expr, exp, minus, negated, number, scaled, softplus, sum, tanh};
use crate::divergence::number::Number;
use crate::divergence::pieces::Piece;
use crate::divergence::simplify::{simplified, stable};

/// Scores at which g and its composition with f* must be finite in single precision, derivatives included.
const REACH: i32 = 80;

/// Scores between which a form is compared with its definition.
const COMPARED: i32 = 12;

/// Infimum and supremum of f′.
pub(crate) fn slopes(pieces: &[Piece]) -> Result<(f64, f64), String> {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return Err("f is empty".to_string()) };
    let unknown = |end: &str| format!("the slope of f towards {end} is not found");
    let low = far(&at_score(&first.slope, Number::ONE), -1.0).ok_or_else(|| unknown("u = 0"))?;
    let high = far(&at_score(&last.slope, Number::ONE), 1.0).ok_or_else(|| unknown("u = ∞"))?;
    Ok((low, high))
}

/// x with u = e^(κv), in a form for machine arithmetic.
fn at_score(x: &Expr, kappa: Number) -> Expr {
    let points: Vec<f64> = (-COMPARED..=COMPARED).map(f64::from).collect();
    stable(&simplified(&x.at(&exp(scaled(Expr::Real, kappa))), &points))
}

/// The limit of a monotone function of v towards ±∞; None where it has no values there.
fn far(x: &Expr, side: f64) -> Option<f64> {
    for reach in [600.0, 300.0, 100.0, 40.0, 16.0, 8.0, 4.0] {
        let [a, b, c] = [0.25, 0.5, 1.0].map(|part| x.value(side * reach * part));
        if a.is_nan() || b.is_nan() || c.is_nan() || a.is_infinite() {
            continue;
        }
        // Growth that slows down ends; the differences of v, of ln v and of e^v do not become smaller.
        let (before, after) = ((b - a).abs(), (c - b).abs());
        if after <= 1e-12 * (1.0 + c.abs()) {
            return Some(Number::near(c, 1e-13).map_or(c, Number::value));
        }
        if c.is_infinite() || after >= 0.95 * before {
            return Some(side * f64::INFINITY);
        }
        // Aitken's extrapolation.
        return Some(c - (c - b) * (c - b) / ((c - b) - (b - a)));
    }
    None
}

/// g, and f* ∘ g where it is known.
pub(crate) fn choose(
    pieces: &[Piece],
    (low, high): (f64, f64),
    segments: Option<&[Segment]>,
    conjugate: Option<&Expr>,
) -> Option<(Expr, Option<Expr>)> {
    let smooth = match pieces {
        [piece] => natural(piece),
        _ => None,
    };
    if high.is_infinite() {
        return match conjugate {
            Some(conjugate) => Some((Expr::Real, Some(stable(conjugate)))),
            None => smooth.map(|(g, composed)| (g, Some(composed))),
        };
    }
    let bounded = if low.is_finite() {
        // middle + half·tanh v
        sum([number(0.5 * (low + high)), scaled(tanh(Expr::Real), Number::of(0.5 * (high - low)))])
    } else {
        minus(number(high), softplus(negated(Expr::Real)))
    };
    let composed = match (segments, conjugate) {
        (Some([only]), _) => Some(stable(&only.value.at_real(&bounded))),
        (_, Some(conjugate)) => Some(stable(&conjugate.at_real(&bounded))),
        _ => None,
    };
    let general = (bounded, composed);
    match smooth {
        Some((g, composed)) if finite(&g) && finite(&composed) => Some((g, Some(composed))),
        Some((g, composed)) if !(finite(&general.0) && general.1.as_ref().is_some_and(finite)) => Some((g, Some(composed))),
        _ => Some(general),
    }
}

/// f′(e^(κv)) and u·f′ − f there.
fn natural(piece: &Piece) -> Option<(Expr, Expr)> {
    let (g, composed) = (at_score(&piece.slope, Number::ONE), at_score(&piece.rest, Number::ONE));
    let growth = [growth(&g, -1.0), growth(&g, 1.0), growth(&composed, -1.0), growth(&composed, 1.0)]
        .into_iter()
        .fold(0.0f64, f64::max);
    let kappa = match growth {
        growth if growth < 0.05 => Number::ONE,
        growth => Number::near(1.0 / growth, 1e-3 / growth).unwrap_or(Number::of(1.0 / growth)),
    };
    let (g, composed) = (at_score(&piece.slope, kappa), at_score(&piece.rest, kappa));
    let agrees = |form: &Expr, definition: &Expr| {
        (-4 * COMPARED..=4 * COMPARED).all(|quarter| {
            let v = f64::from(quarter) * 0.25;
            let (found, wanted) = (form.rounded(v), definition.rounded((kappa.value() * v).exp()));
            (found.value - wanted.value).abs() <= 1e-9 * (1.0 + wanted.value.abs()) + 16.0 * (found.error + wanted.error)
        })
    };
    (agrees(&g, &piece.slope) && agrees(&composed, &piece.rest)).then_some((g, composed))
}

/// α where |x| grows as e^(α|v|); 0 for slower growth.
fn growth(x: &Expr, side: f64) -> f64 {
    for reach in [200.0, 50.0, 12.0] {
        let [near, far] = [0.5, 1.0].map(|part| x.value(side * reach * part).abs());
        if near.is_finite() && far.is_finite() && near > 0.0 {
            return (far / near).ln() / (0.5 * reach);
        }
    }
    0.0
}

/// Whether value and derivative are finite in single precision over the reach of scores.
pub(crate) fn finite(x: &Expr) -> bool {
    (-REACH..=REACH).all(|v| {
        let (value, slope) = x.single(v as f32);
        value.is_finite() && slope.is_finite()
    })
}

impl Expr {
    /// Value and derivative in single precision, as a machine computes them.
    pub(crate) fn single(&self, v: f32) -> (f32, f32) {
        match self {
            Expr::Number(n) => (n.value() as f32, 0.0),
            Expr::Ratio | Expr::Real => (v, 1.0),
            Expr::Sum(parts) => parts.iter().map(|part| part.single(v)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1)),
            Expr::Product(parts) => {
                parts.iter().map(|part| part.single(v)).fold((1.0, 0.0), |a, b| (a.0 * b.0, a.1 * b.0 + a.0 * b.1))
            }
            Expr::Power(base, e) => {
                let (x, dx) = base.single(v);
                let e = e.value() as f32;
                (x.powf(e), e * x.powf(e - 1.0) * dx)
            }
            Expr::Exp(x) => {
                let (x, dx) = x.single(v);
                (x.exp(), x.exp() * dx)
            }
            Expr::Ln(x) => {
                let (x, dx) = x.single(v);
                (x.ln(), dx / x)
            }
            Expr::Sign(x) => (x.single(v).0.signum(), 0.0),
            Expr::Softplus(x) => {
                let (x, dx) = x.single(v);
                (x.max(0.0) + (-x.abs()).exp().ln_1p(), dx * (0.5 + 0.5 * (0.5 * x).tanh()))
            }
            Expr::Tanh(x) => {
                let (x, dx) = x.single(v);
                (x.tanh(), dx * (1.0 - x.tanh() * x.tanh()))
            }
            Expr::LogLambert(x) => {
                let (x, dx) = x.single(v);
                let y = crate::divergence::numeric::log_lambert(f64::from(x)) as f32;
                (y, dx / (1.0 + y.exp()))
            }
            Expr::Clamp(x, low, high) => {
                let (x, dx) = x.single(v);
                let (low, high) = (low.value() as f32, high.value() as f32);
                (x.max(low).min(high), if x < low || x > high { 0.0 } else { dx })
            }
        }
    }
}
