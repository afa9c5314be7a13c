//! Elementwise ops: element e of the result depends on element e of each operand only.

use super::value::{Data, Float};
use crate::ir::{DType, Op};

/// One operand.
pub(super) fn unary<T: Float>(op: &Op, x: &Data<T>) -> Option<Data<T>> {
    Some(match (op, x) {
        (Op::StopGrad | Op::Hold, x) => x.clone(),
        (Op::Cast(to), x) => cast(*to, x),
        (Op::Neg, Data::I(v)) => Data::I(v.iter().map(|a| a.wrapping_neg()).collect()),
        (op, Data::F(v)) => {
            let f: fn(T) -> T = match op {
                Op::Floor => T::floor,
                Op::Sign => sign,
                Op::Neg => |a| -a,
                Op::Exp => T::exp,
                Op::Log => T::ln,
                Op::Sqrt => T::sqrt,
                Op::Sin => T::sin,
                Op::Tanh => T::tanh,
                Op::Softplus => softplus,
                _ => return None,
            };
            Data::F(v.iter().map(|a| f(*a)).collect())
        }
        _ => return None,
    })
}

fn sign<T: Float>(x: T) -> T {
    let zero = T::from_f64(0.0);
    T::from_f64(f64::from(i8::from(x > zero) - i8::from(x < zero)))
}

/// max(x, 0) + ln(1 + e^−|x|): the exponential never overflows, and `ln_1p` keeps small ones.
fn softplus<T: Float>(x: T) -> T {
    let zero = T::from_f64(0.0);
    if x > zero { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

fn cast<T: Float>(to: DType, x: &Data<T>) -> Data<T> {
    let zero = T::from_f64(0.0);
    match (to, x) {
        (DType::F32, Data::F(v)) => Data::F(v.clone()),
        (DType::F32, Data::I(v)) => Data::F(v.iter().map(|a| T::from_f64((*a).into())).collect()),
        (DType::F32, Data::B(v)) => Data::F(v.iter().map(|a| T::from_f64(u8::from(*a).into())).collect()),
        (DType::I32, Data::F(v)) => Data::I(v.iter().map(|a| a.to_i32()).collect()),
        (DType::I32, Data::I(v)) => Data::I(v.clone()),
        (DType::I32, Data::B(v)) => Data::I(v.iter().map(|a| i32::from(*a)).collect()),
        (DType::Bool, Data::F(v)) => Data::B(v.iter().map(|a| *a != zero).collect()),
        (DType::Bool, Data::I(v)) => Data::B(v.iter().map(|a| *a != 0).collect()),
        (DType::Bool, Data::B(v)) => Data::B(v.clone()),
    }
}

/// Two operands of equal type.
pub(super) fn binary<T: Float>(op: &Op, a: &Data<T>, b: &Data<T>) -> Option<Data<T>> {
    fn zip<A: Copy, R>(a: &[A], b: &[A], f: impl Fn(A, A) -> R) -> Vec<R> {
        a.iter().zip(b).map(|(x, y)| f(*x, *y)).collect()
    }
    Some(match (op, a, b) {
        (Op::Add, Data::F(a), Data::F(b)) => Data::F(zip(a, b, |x, y| x + y)),
        (Op::Mul, Data::F(a), Data::F(b)) => Data::F(zip(a, b, |x, y| x * y)),
        (Op::Div, Data::F(a), Data::F(b)) => Data::F(zip(a, b, |x, y| x / y)),
        (Op::Max, Data::F(a), Data::F(b)) => Data::F(zip(a, b, |x, y| if x > y { x } else { y })),
        (Op::Lt, Data::F(a), Data::F(b)) => Data::B(zip(a, b, |x, y| x < y)),
        (Op::Eq, Data::F(a), Data::F(b)) => Data::B(zip(a, b, |x, y| x == y)),
        (Op::Add, Data::I(a), Data::I(b)) => Data::I(zip(a, b, i32::wrapping_add)),
        (Op::Mul, Data::I(a), Data::I(b)) => Data::I(zip(a, b, i32::wrapping_mul)),
        (Op::Max, Data::I(a), Data::I(b)) => Data::I(zip(a, b, i32::max)),
        (Op::Lt, Data::I(a), Data::I(b)) => Data::B(zip(a, b, |x, y| x < y)),
        (Op::Eq, Data::I(a), Data::I(b)) => Data::B(zip(a, b, |x, y| x == y)),
        _ => return None,
    })
}

/// Where the condition holds from `a`, else from `b`.
pub(super) fn select<T: Float>(condition: &[bool], a: &Data<T>, b: &Data<T>) -> Option<Data<T>> {
    fn pick<A: Copy>(condition: &[bool], a: &[A], b: &[A]) -> Vec<A> {
        condition.iter().zip(a.iter().zip(b)).map(|(c, (x, y))| if *c { *x } else { *y }).collect()
    }
    Some(match (a, b) {
        (Data::F(a), Data::F(b)) => Data::F(pick(condition, a, b)),
        (Data::I(a), Data::I(b)) => Data::I(pick(condition, a, b)),
        (Data::B(a), Data::B(b)) => Data::B(pick(condition, a, b)),
        _ => return None,
    })
}
