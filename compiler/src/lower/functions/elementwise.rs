//! Elementwise functions and operators: library code over the ops.

use crate::ir::{DType, Expr};
use saddlepoint_language::{Element, Function};

/// A function of one float tensor, element by element; `None` when `function` is of another family.
pub fn unary(function: &Function, x: &Expr) -> Option<Expr> {
    use Function::*;
    Some(match function {
        Neg => x.neg(),
        Ln => x.ln(),
        Exp => x.exp(),
        Sqrt => x.sqrt(),
        Square => x.square(),
        Abs => x.abs(),
        Sin => x.sin(),
        // cos x = sin(x + π/2)
        Cos => x.shift(std::f32::consts::FRAC_PI_2).sin(),
        Floor => x.floor(),
        Sign => x.sign(),
        Tanh => x.tanh(),
        Sigmoid => x.sigmoid(),
        Softplus => x.softplus(),
        LogLambert => log_lambert(x),
        Relu => x.relu(),
        // The exponential sees only what is not positive: beyond the select an overflow would give 0·∞ in the gradient.
        Elu => x.positive().select(x, &negative_part(x).exp().shift(-1.0)),
        Gelu => {
            let inner = (x + x.square().mul(x).scale(0.044_715)).scale((2.0 / std::f32::consts::PI).sqrt());
            x.mul(&inner.tanh().shift(1.0)).scale(0.5)
        }
        Silu => x.mul(&x.sigmoid()),
        LeakyRelu { slope } => x.positive().select(x, &x.scale(*slope as f32)),
        Clamp { lo, hi } => x.max(&x.scalar(*lo as f32)).min(&x.scalar(*hi as f32)),
        Pow { exponent } => power(x, *exponent),
        Stop => x.stop_grad(),
        _ => return None,
    })
}

/// A function of two operands already repeated to one shape; `None` when `function` is of another family.
pub fn binary(function: &Function, a: &Expr, b: &Expr, element: Element) -> Option<Expr> {
    use Function::*;
    let truth = |c: Expr| c.select(&a.scalar(1.0), &a.scalar(0.0));
    let falsity = |c: Expr| c.select(&a.scalar(0.0), &a.scalar(1.0));
    let class = matches!(element, Element::Class(_));
    Some(match function {
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        Div => a / b,
        Max => a.max(b),
        Min => a.min(b),
        Less => truth(a.lt(b)),
        Greater => truth(b.lt(a)),
        // Not written as the negation of the opposite: with a NaN operand every comparison is false.
        LessEqual => truth(a.lt(b)).max(&truth(a.eq(b))),
        GreaterEqual => truth(b.lt(a)).max(&truth(a.eq(b))),
        Equal => truth(a.eq(b)),
        NotEqual => falsity(a.eq(b)),
        _ if class => return None,
        _ => return None,
    })
}

/// Where c ≠ 0 a, else b; `c` is a float of the operands' shape.
pub fn select(c: &Expr, a: &Expr, b: &Expr) -> Expr {
    let zero = c.scalar(0.0).repeated(&c.shape());
    c.eq(&zero).select(b, a)
}

/// t·a + (1−t)·b
pub fn mix(a: &Expr, b: &Expr, t: &Expr) -> Expr {
    t * a + (1.0 - t) * b
}

/// min(x, 0) as a select, so that the slope at 0 is that of the negative side.
fn negative_part(x: &Expr) -> Expr {
    x.positive().select(&x.scalar(0.0), x)
}

/// Powers with an integral exponent are products, so that they hold for negative bases; others are e^(p·ln x).
fn power(x: &Expr, exponent: f64) -> Expr {
    let whole = exponent.fract() == 0.0 && exponent.abs() <= 64.0;
    if whole {
        let positive = (0..exponent.abs() as u32).fold(None, |product: Option<Expr>, _| {
            Some(match product {
                None => x.clone(),
                Some(p) => p.mul(x),
            })
        });
        let one = x.scalar(1.0).repeated(&x.shape());
        let positive = positive.unwrap_or_else(|| one.clone());
        return if exponent < 0.0 { one.div(&positive) } else { positive };
    }
    if exponent == 0.5 {
        return x.sqrt();
    }
    let by_logarithm = |x: &Expr| x.ln().scale(exponent as f32).exp();
    if exponent < 1.0 {
        return by_logarithm(x);
    }
    // At 0 value and slope are 0, where the derivative of the logarithm would make 0·∞.
    let zero = x.eq(&x.scalar(0.0));
    zero.select(&x.scalar(0.0), &by_logarithm(&zero.select(&x.scalar(1.0), x)))
}

/// The y of y + eʸ = x by Newton's method, which descends to the root from the right of it: y + eʸ is convex.
///
/// All but the last two steps are constants to the derivative. Each of those two doubles the number of derivatives that are
/// right, so that three are: the value, and dy/dx = 1/(1 + eʸ) and its first two derivatives.
fn log_lambert(x: &Expr) -> Expr {
    let step = |y: Expr| {
        let exp = y.exp();
        let excess = &y + &exp - x;
        y - excess / exp.shift(1.0)
    };
    let start = x.min(&x.max(&x.scalar(1.0)).ln());
    let near = (0..3).fold(start, |y, _| step(y)).stop_grad();
    step(step(near))
}

/// A class tensor as floats.
pub fn as_float(classes: &Expr) -> Expr {
    classes.cast(DType::F32)
}
