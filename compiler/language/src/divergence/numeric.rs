//! Values of expressions, with a bound on what rounding has done to them.

use crate::divergence::expr::Expr;

/// A value and how far it may be off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounded {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

impl Rounded {
    fn exact(value: f64) -> Rounded {
        Rounded { value, error: value.abs() * f64::EPSILON }
    }

    fn new(value: f64, error: f64) -> Rounded {
        Rounded { value, error: error + value.abs() * f64::EPSILON }
    }
}

/// Logarithm of the Wright omega function: y + eʸ = x. Convex, so Newton's method from the right descends to the root.
pub(crate) fn log_lambert(x: f64) -> f64 {
    let mut y = x.min(x.max(1.0).ln());
    for _ in 0..6 {
        y -= (y + y.exp() - x) / (1.0 + y.exp());
    }
    y
}

pub(crate) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl Expr {
    /// The value where the variable is `x`.
    pub(crate) fn value(&self, x: f64) -> f64 {
        self.rounded(x).value
    }

    /// The value where the variable is `x`, in double precision, with a first-order bound on its error.
    pub(crate) fn rounded(&self, x: f64) -> Rounded {
        match self {
            Expr::Number(n) => Rounded::exact(n.value()),
            Expr::Ratio | Expr::Real => Rounded { value: x, error: 0.0 },
            Expr::Sum(parts) => parts.iter().fold(Rounded { value: 0.0, error: 0.0 }, |total, part| {
                let part = part.rounded(x);
                Rounded::new(total.value + part.value, total.error + part.error)
            }),
            Expr::Product(parts) => parts.iter().fold(Rounded { value: 1.0, error: 0.0 }, |total, part| {
                let part = part.rounded(x);
                let error = total.error * part.value.abs() + part.error * total.value.abs();
                Rounded::new(total.value * part.value, error)
            }),
            Expr::Power(base, e) => {
                let base = base.rounded(x);
                let e = e.value();
                let raised = |e: f64| {
                    if e.fract() == 0.0 && e.abs() < 1e9 { base.value.powi(e as i32) } else { base.value.powf(e) }
                };
                let error = if base.error == 0.0 { 0.0 } else { (e * raised(e - 1.0)).abs() * base.error };
                Rounded::new(raised(e), error)
            }
            Expr::Exp(x0) => {
                let inner = x0.rounded(x);
                let value = inner.value.exp();
                Rounded::new(value, value * inner.error)
            }
            Expr::Ln(x0) => {
                let inner = x0.rounded(x);
                Rounded::new(inner.value.ln(), (inner.error / inner.value).abs())
            }
            Expr::Sign(x0) => {
                let value = x0.rounded(x).value;
                let sign = f64::from(value > 0.0) - f64::from(value < 0.0);
                Rounded { value: if value.is_nan() { value } else { sign }, error: 0.0 }
            }
            Expr::Softplus(x0) => {
                let inner = x0.rounded(x);
                Rounded::new(softplus(inner.value), inner.error / (1.0 + (-inner.value).exp()))
            }
            Expr::Tanh(x0) => {
                let inner = x0.rounded(x);
                let value = inner.value.tanh();
                Rounded::new(value, inner.error * (1.0 - value * value))
            }
            Expr::LogLambert(x0) => {
                let inner = x0.rounded(x);
                let value = log_lambert(inner.value);
                Rounded::new(value, (inner.error + inner.value.abs() * f64::EPSILON) / (1.0 + value.exp()))
            }
            Expr::Clamp(x0, low, high) => {
                let inner = x0.rounded(x);
                Rounded { value: inner.value.max(low.value()).min(high.value()), error: inner.error }
            }
        }
    }
}
