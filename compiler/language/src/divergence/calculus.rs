//! Derivatives.

use crate::divergence::expr::{Expr, power, product, scaled, sum};
use crate::divergence::number::Number;

impl Expr {
    /// The derivative by the variable. Signs and clamps have been taken apart before: theirs is that inside.
    pub(crate) fn derivative(&self) -> Expr {
        match self {
            Expr::Number(_) | Expr::Sign(_) => Expr::Number(Number::ZERO),
            Expr::Ratio | Expr::Real => Expr::Number(Number::ONE),
            Expr::Sum(parts) => sum(parts.iter().map(Expr::derivative)),
            Expr::Product(parts) => sum((0..parts.len()).map(|i| {
                product(parts.iter().enumerate().map(|(j, part)| if i == j { part.derivative() } else { part.clone() }))
            })),
            Expr::Power(base, e) => {
                let outer = scaled(power((**base).clone(), e.plus(Number::MINUS_ONE)), *e);
                product([outer, base.derivative()])
            }
            Expr::Exp(x) => product([self.clone(), x.derivative()]),
            Expr::Ln(x) => product([x.derivative(), power((**x).clone(), Number::MINUS_ONE)]),
            Expr::Softplus(x) => {
                // 1/(1 + e⁻ˣ)
                let below =
                    sum([Expr::Number(Number::ONE), crate::divergence::expr::exp(scaled((**x).clone(), Number::MINUS_ONE))]);
                product([power(below, Number::MINUS_ONE), x.derivative()])
            }
            Expr::Tanh(x) => {
                let rest =
                    sum([Expr::Number(Number::ONE), scaled(power(self.clone(), Number::whole(2)), Number::MINUS_ONE)]);
                product([rest, x.derivative()])
            }
            Expr::LogLambert(x) => {
                let below = sum([Expr::Number(Number::ONE), crate::divergence::expr::exp(self.clone())]);
                product([power(below, Number::MINUS_ONE), x.derivative()])
            }
            Expr::Clamp(x, ..) => x.derivative(),
        }
    }
}
