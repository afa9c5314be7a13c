//! f as the user wrote it, read into the algebra: the language's evaluator over a target whose tensors are expressions. So `fn`s,
//! blocks, `if` and constants mean here what they mean everywhere.

use crate::divergence::expr::{Expr, divided, exp, ln, minus, negated, number, power, product, scaled, sign, sum, whole};
use crate::divergence::number::Number;
use crate::function::Function;
use crate::target::{Call, Rows, Target, Typed};
use crate::types::TensorType;

/// The target; an expression larger than [`SIZE`] is refused.
#[derive(Debug, Default)]
pub(crate) struct Symbolic;

/// The largest f.
const SIZE: usize = 300;

fn half() -> Number {
    Number::fraction(1, 2)
}

fn absolute(x: Expr) -> Expr {
    product([x.clone(), sign(x)])
}

/// ½(a + b + |a − b|)
fn larger(a: Expr, b: Expr) -> Expr {
    let distance = absolute(minus(a.clone(), b.clone()));
    scaled(sum([a, b, distance]), half())
}

fn smaller(a: Expr, b: Expr) -> Expr {
    negated(larger(negated(a), negated(b)))
}

/// 1 where x > 0, 0 where x < 0.
fn step(x: Expr) -> Expr {
    scaled(sum([whole(1), sign(x)]), half())
}

/// c·a + (1 − c)·b
fn mixed(c: Expr, a: Expr, b: Expr) -> Expr {
    sum([product([c.clone(), a]), product([minus(whole(1), c), b])])
}

fn logistic(x: Expr) -> Expr {
    divided(whole(1), sum([whole(1), exp(negated(x))]))
}

fn applied(function: &Function, x: &[Expr]) -> Option<Expr> {
    use Function as F;
    Some(match (function, x) {
        (F::Add, [a, b]) => sum([a.clone(), b.clone()]),
        (F::Sub, [a, b]) => minus(a.clone(), b.clone()),
        (F::Mul, [a, b]) => product([a.clone(), b.clone()]),
        (F::Div, [a, b]) => divided(a.clone(), b.clone()),
        (F::Max, [a, b]) => larger(a.clone(), b.clone()),
        (F::Min, [a, b]) => smaller(a.clone(), b.clone()),
        (F::Less | F::LessEqual, [a, b]) => step(minus(b.clone(), a.clone())),
        (F::Greater | F::GreaterEqual, [a, b]) => step(minus(a.clone(), b.clone())),
        // The condition of a `select` is a comparison: 0 or 1.
        (F::Select, [c, a, b]) => mixed(c.clone(), a.clone(), b.clone()),
        (F::Mix, [a, b, t]) => mixed(t.clone(), a.clone(), b.clone()),
        (_, [x]) => {
            let x = x.clone();
            match function {
                F::Neg => negated(x),
                F::Ln => ln(x),
                F::Exp => exp(x),
                F::Sqrt => power(x, half()),
                F::Square => power(x, Number::whole(2)),
                F::Pow { exponent } => power(x, Number::of(*exponent)),
                F::Abs => absolute(x),
                F::Sign => sign(x),
                F::Relu => larger(x, whole(0)),
                F::Elu => mixed(step(x.clone()), x.clone(), minus(exp(x), whole(1))),
                F::LeakyRelu { slope } => mixed(step(x.clone()), x.clone(), scaled(x, Number::of(*slope))),
                F::Clamp { lo, hi } => smaller(larger(x, number(*lo)), number(*hi)),
                F::Sigmoid => logistic(x),
                F::Silu => product([x.clone(), logistic(x)]),
                F::Tanh => minus(scaled(logistic(scaled(x, Number::whole(2))), Number::whole(2)), whole(1)),
                F::Softplus => ln(sum([whole(1), exp(x)])),
                // One number: averages and sums of it are itself.
                F::Sum { .. } | F::Mean { .. } | F::Reshape | F::OverBatch => x,
                _ => return None,
            }
        }
        _ => return None,
    })
}

impl Target for Symbolic {
    type Tensor = Expr;

    fn number(&mut self, value: f64) -> Result<Expr, String> {
        if value.is_finite() { Ok(number(value)) } else { Err("a number in f is not finite".to_string()) }
    }

    fn data(&mut self, _group: usize, _field: usize, _ty: &TensorType) -> Result<Expr, String> {
        Err("f uses data".to_string())
    }

    fn hyper(&mut self, _hyper: usize) -> Result<Expr, String> {
        Err("f uses a hyper".to_string())
    }

    fn latent(&mut self, _latent: usize, _ty: &TensorType) -> Result<Expr, String> {
        Err("f uses a latent".to_string())
    }

    fn argument(&mut self, _output: usize, _parameter: usize, _ty: &TensorType) -> Result<Expr, String> {
        Err("f uses a parameter".to_string())
    }

    fn call(&mut self, call: &Call<'_, Expr>) -> Result<Vec<Expr>, String> {
        let operands: Vec<Expr> = call.operands.iter().map(|operand| operand.tensor.clone()).collect();
        match applied(call.function, &operands) {
            Some(value) if value.size() > SIZE => Err("f is too large".to_string()),
            Some(value) => Ok(vec![value]),
            None => Err("f uses a function that is not transformed".to_string()),
        }
    }

    fn gradient(&mut self, _y: &Typed<Expr>, _v: &Typed<Expr>) -> Result<Expr, String> {
        Err("f uses `grad`".to_string())
    }

    fn rust(&mut self, _path: usize, _operands: &[Typed<Expr>], _rows: Rows) -> Result<Option<Typed<Expr>>, String> {
        Err("f uses a Rust function".to_string())
    }
}
