//! Expressions in one variable, always in a canonical form.
//!
//! In: parts that are canonical. Out: sums and products that are flat, sorted and collected, logarithms and powers taken apart
//! where signs are certain. **Invariant: expressions are made by the functions of this file only,** so two that differ only in
//! order are equal.

use std::collections::BTreeMap;
use std::fmt;

use crate::divergence::number::Number;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expr {
    Number(Number),
    /// The ratio u > 0 that f is a function of.
    Ratio,
    /// Any real number: a slope t, or a score v.
    Real,
    /// Two or more terms, at most one of them a number.
    Sum(Vec<Expr>),
    /// Two or more factors, at most one of them a number, which stands first.
    Product(Vec<Expr>),
    Power(Box<Expr>, Number),
    Exp(Box<Expr>),
    Ln(Box<Expr>),
    /// −1 below 0, 1 above.
    Sign(Box<Expr>),
    /// ln(1 + eˣ)
    Softplus(Box<Expr>),
    Tanh(Box<Expr>),
    /// The y of y + eʸ = x: the logarithm of Lambert's W at eˣ.
    LogLambert(Box<Expr>),
    /// Between two bounds.
    Clamp(Box<Expr>, Number, Number),
}

use Expr::{Clamp, Exp, Ln, LogLambert, Power, Product, Ratio, Real, Sign, Softplus, Sum, Tanh};

pub(crate) fn number(value: f64) -> Expr {
    Expr::Number(Number::of(value))
}

pub(crate) fn whole(n: i64) -> Expr {
    Expr::Number(Number::whole(n))
}

/// A term as coefficient and rest; the rest of a number is 1.
pub(crate) fn coefficient(term: Expr) -> (Number, Expr) {
    match term {
        Expr::Number(n) => (n, Expr::Number(Number::ONE)),
        Product(mut factors) => match factors[0] {
            Expr::Number(n) => {
                factors.remove(0);
                let rest = if factors.len() == 1 { factors.remove(0) } else { Product(factors) };
                (n, rest)
            }
            _ => (Number::ONE, Product(factors)),
        },
        other => (Number::ONE, other),
    }
}

pub(crate) fn sum(terms: impl IntoIterator<Item = Expr>) -> Expr {
    let mut collected: BTreeMap<Expr, Number> = BTreeMap::new();
    let mut add = |term: Expr| {
        let (n, rest) = coefficient(term);
        let entry = collected.entry(rest).or_insert(Number::ZERO);
        *entry = entry.plus(n);
    };
    for term in terms {
        match term {
            Sum(parts) => parts.into_iter().for_each(&mut add),
            other => add(other),
        }
    }
    let mut terms: Vec<Expr> =
        collected.into_iter().filter(|(_, n)| !n.is_zero()).map(|(rest, n)| scaled(rest, n)).collect();
    match terms.len() {
        0 => Expr::Number(Number::ZERO),
        1 => terms.remove(0),
        _ => Sum(terms),
    }
}

/// n·x, into sums.
pub(crate) fn scaled(x: Expr, n: Number) -> Expr {
    if n.is_zero() {
        return Expr::Number(Number::ZERO);
    }
    if n.is_one() {
        return x;
    }
    match x {
        Expr::Number(m) => Expr::Number(m.times(n)),
        Sum(terms) => sum(terms.into_iter().map(|term| scaled(term, n))),
        other => {
            let (m, rest) = coefficient(other);
            let n = m.times(n);
            match rest {
                rest if n.is_one() => rest,
                Expr::Number(_) => Expr::Number(n),
                Product(mut factors) => {
                    factors.insert(0, Expr::Number(n));
                    Product(factors)
                }
                rest => Product(vec![Expr::Number(n), rest]),
            }
        }
    }
}

pub(crate) fn product(factors: impl IntoIterator<Item = Expr>) -> Expr {
    let mut n = Number::ONE;
    let mut exponents: Vec<Expr> = Vec::new();
    let mut powers: BTreeMap<Expr, Number> = BTreeMap::new();
    let mut queue: Vec<Expr> = factors.into_iter().collect();
    let several = queue.iter().filter(|factor| !matches!(factor, Expr::Number(_))).count() > 1;
    while let Some(factor) = queue.pop() {
        match factor {
            // Sums that differ by a factor only are powers of one base.
            Sum(_) if several => {
                let (content, inner) = primitive(factor);
                let (sign, inner) = upright(inner);
                n = n.times(sign);
                if content != Expr::Number(Number::ONE) {
                    queue.push(content);
                }
                let entry = powers.entry(inner).or_insert(Number::ZERO);
                *entry = entry.plus(Number::ONE);
            }
            Expr::Number(m) => n = n.times(m),
            Product(parts) => queue.extend(parts),
            Exp(x) => exponents.push(*x),
            Power(base, e) => {
                let entry = powers.entry(*base).or_insert(Number::ZERO);
                *entry = entry.plus(e);
            }
            base => {
                let entry = powers.entry(base).or_insert(Number::ZERO);
                *entry = entry.plus(Number::ONE);
            }
        }
    }
    if n.is_zero() {
        return Expr::Number(Number::ZERO);
    }
    let mut factors: Vec<Expr> = Vec::new();
    for (base, e) in powers {
        match power(base, e) {
            Expr::Number(m) => n = n.times(m),
            factor => factors.push(factor),
        }
    }
    if !exponents.is_empty() {
        match exp(sum(exponents)) {
            Expr::Number(m) => n = n.times(m),
            factor => factors.push(factor),
        }
    }
    if factors.iter().any(|factor| matches!(factor, Product(_))) {
        factors.push(Expr::Number(n));
        return product(factors);
    }
    match factors.len() {
        0 => return Expr::Number(n),
        1 => return scaled(factors.remove(0), n),
        _ => {}
    }
    factors.sort();
    if !n.is_one() {
        factors.insert(0, Expr::Number(n));
    }
    Product(factors)
}

/// Whether x is above 0 by its form.
pub(crate) fn is_positive(x: &Expr) -> bool {
    match x {
        Expr::Number(n) => n.positive(),
        Ratio | Exp(_) | Softplus(_) => true,
        Sum(parts) | Product(parts) => parts.iter().all(is_positive),
        Power(base, _) => is_positive(base),
        _ => false,
    }
}

/// xᵉ
pub(crate) fn power(x: Expr, e: Number) -> Expr {
    if e.is_zero() {
        return Expr::Number(Number::ONE);
    }
    if e.is_one() {
        return x;
    }
    let whole = e.integer().is_some();
    match x {
        // Of a negative number a broken power is not a number.
        Expr::Number(n) => Expr::Number(n.power(e)),
        Exp(x) => exp(scaled(*x, e)),
        Power(base, inner) if whole || is_positive(&base) => power(*base, inner.times(e)),
        Product(factors) if whole || factors.iter().all(is_positive) => {
            product(factors.into_iter().map(|factor| power(factor, e)))
        }
        Product(factors) => {
            // What is certainly positive comes out; the rest keeps its sign.
            let (out, rest): (Vec<Expr>, Vec<Expr>) = factors.into_iter().partition(is_positive);
            let rest = product(rest);
            if out.is_empty() {
                return match coefficient(rest) {
                    (n, rest) if n.negative() && !n.negated().is_one() => {
                        let inner = Power(Box::new(scaled(rest, Number::MINUS_ONE)), e);
                        product([Expr::Number(n.negated().power(e)), inner])
                    }
                    (n, rest) => Power(Box::new(scaled(rest, n)), e),
                };
            }
            product(out.into_iter().map(|factor| power(factor, e)).chain([power(rest, e)]))
        }
        Sum(terms) => {
            let (content, inner) = primitive(Sum(terms));
            let (sign, inner) = if whole { upright(inner) } else { (Number::ONE, inner) };
            let content = scaled(content, sign);
            match content {
                Expr::Number(n) if n.is_one() => Power(Box::new(inner), e),
                content => {
                    let content = power(content, e);
                    product([content, Power(Box::new(inner), e)])
                }
            }
        }
        other => Power(Box::new(other), e),
    }
}

/// A sum or its opposite, whichever has the constant term, or else the first coefficient, above 0; and the sign.
fn upright(x: Expr) -> (Number, Expr) {
    let Sum(terms) = &x else { return (Number::ONE, x) };
    let constant = terms.iter().find(|term| matches!(term, Expr::Number(_))).unwrap_or(&terms[0]);
    let down = coefficient(constant.clone()).0.negative();
    if down { (Number::MINUS_ONE, negated(x)) } else { (Number::ONE, x) }
}

/// A sum as positive content times a sum whose constant term, or else first coefficient, is ±1, and that has no power of u as
/// a factor.
pub(crate) fn primitive(x: Expr) -> (Expr, Expr) {
    let Sum(terms) = &x else { return (Expr::Number(Number::ONE), x) };
    let of_ratio = |term: &Expr| -> Number {
        match term {
            Ratio => Number::ONE,
            Power(base, e) if **base == Ratio => *e,
            Product(factors) => factors.iter().fold(Number::ZERO, |sum, factor| match factor {
                Ratio => sum.plus(Number::ONE),
                Power(base, e) if **base == Ratio => sum.plus(*e),
                _ => sum,
            }),
            _ => Number::ZERO,
        }
    };
    let least = terms.iter().map(of_ratio).min().unwrap_or(Number::ZERO);
    let reduced = if least.is_zero() {
        x.clone()
    } else {
        sum(terms.iter().map(|term| product([term.clone(), power(Ratio, least.negated())])))
    };
    let Sum(terms) = &reduced else { return (Expr::Number(Number::ONE), x) };
    let scale = terms
        .iter()
        .find_map(|term| match term {
            Expr::Number(n) => Some(*n),
            _ => None,
        })
        .unwrap_or_else(|| coefficient(terms[0].clone()).0);
    let scale = if scale.negative() { scale.negated() } else { scale };
    // Not a number, or one that rounding would give again.
    if !scale.value().is_finite() || scale.is_zero() || (scale.value() - 1.0).abs() < 1e-15 {
        return if least.is_zero() { (Expr::Number(Number::ONE), x) } else { (power(Ratio, least), reduced) };
    }
    let content = product([Expr::Number(scale), power(Ratio, least)]);
    (content, scaled(reduced, scale.inverse()))
}

pub(crate) fn exp(x: Expr) -> Expr {
    let parts = match x {
        Expr::Number(n) if n.is_zero() => return Expr::Number(Number::ONE),
        Expr::Number(n) => return number(n.value().exp()),
        Sum(parts) => parts,
        other => vec![other],
    };
    // exp(x + c·ln y) = yᶜ·exp(x)
    let mut factors = Vec::new();
    let mut rest = Vec::new();
    for part in parts {
        match coefficient(part) {
            (c, Ln(y)) => factors.push(power(*y, c)),
            (c, Expr::Number(_)) => factors.push(number(c.value().exp())),
            (c, other) => rest.push(scaled(other, c)),
        }
    }
    match rest.len() {
        0 => {}
        1 => factors.push(Exp(Box::new(rest.remove(0)))),
        _ => factors.push(Exp(Box::new(Sum(rest)))),
    }
    if factors.len() == 1 { factors.remove(0) } else { product(factors) }
}

pub(crate) fn ln(x: Expr) -> Expr {
    match x {
        Expr::Number(n) if n.is_one() => Expr::Number(Number::ZERO),
        Expr::Number(n) => number(n.value().ln()),
        Exp(x) => *x,
        Power(base, e) if is_positive(&base) => scaled(ln(*base), e),
        Product(factors) => {
            let (out, rest): (Vec<Expr>, Vec<Expr>) = factors.into_iter().partition(is_positive);
            if out.is_empty() {
                return Ln(Box::new(product(rest)));
            }
            let rest = match rest.is_empty() {
                true => Expr::Number(Number::ZERO),
                false => ln(product(rest)),
            };
            sum(out.into_iter().map(ln).chain([rest]))
        }
        Sum(terms) => {
            let (content, inner) = primitive(Sum(terms));
            match content {
                Expr::Number(n) if n.is_one() => Ln(Box::new(inner)),
                content => sum([ln(content), ln(inner)]),
            }
        }
        other => Ln(Box::new(other)),
    }
}

pub(crate) fn sign(x: Expr) -> Expr {
    match x {
        Expr::Number(n) if n.value().is_nan() => x,
        Expr::Number(n) => number(f64::from(n.positive()) - f64::from(n.negative())),
        x if is_positive(&x) => Expr::Number(Number::ONE),
        x => Sign(Box::new(x)),
    }
}

pub(crate) fn clamp(x: Expr, low: Number, high: Number) -> Expr {
    match x {
        Expr::Number(n) => Expr::Number(n.max(low).min(high)),
        x if low.value() == f64::NEG_INFINITY && high.value() == f64::INFINITY => x,
        x => Clamp(Box::new(x), low, high),
    }
}

pub(crate) fn softplus(x: Expr) -> Expr {
    Softplus(Box::new(x))
}

pub(crate) fn tanh(x: Expr) -> Expr {
    Tanh(Box::new(x))
}

pub(crate) fn log_lambert(x: Expr) -> Expr {
    LogLambert(Box::new(x))
}

pub(crate) fn negated(x: Expr) -> Expr {
    scaled(x, Number::MINUS_ONE)
}

pub(crate) fn minus(a: Expr, b: Expr) -> Expr {
    sum([a, negated(b)])
}

pub(crate) fn divided(a: Expr, b: Expr) -> Expr {
    product([a, power(b, Number::MINUS_ONE)])
}

impl Expr {
    /// How many nodes it has.
    pub(crate) fn size(&self) -> usize {
        1 + self.parts().into_iter().map(Expr::size).sum::<usize>()
    }

    pub(crate) fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Number(_) | Ratio | Real => vec![],
            Sum(parts) | Product(parts) => parts.iter().collect(),
            Power(x, _) | Exp(x) | Ln(x) | Sign(x) | Softplus(x) | Tanh(x) | LogLambert(x) | Clamp(x, ..) => vec![x],
        }
    }

    /// The expression with its parts replaced, canonical again.
    pub(crate) fn map(&self, f: &mut dyn FnMut(&Expr) -> Expr) -> Expr {
        match self {
            Expr::Number(_) | Ratio | Real => self.clone(),
            Sum(parts) => sum(parts.iter().map(f).collect::<Vec<_>>()),
            Product(parts) => product(parts.iter().map(f).collect::<Vec<_>>()),
            Power(x, e) => power(f(x), *e),
            Exp(x) => exp(f(x)),
            Ln(x) => ln(f(x)),
            Sign(x) => sign(f(x)),
            Softplus(x) => softplus(f(x)),
            Tanh(x) => tanh(f(x)),
            LogLambert(x) => log_lambert(f(x)),
            Clamp(x, low, high) => clamp(f(x), *low, *high),
        }
    }

    /// `with` in place of u.
    pub(crate) fn at(&self, with: &Expr) -> Expr {
        match self {
            Ratio => with.clone(),
            other => other.map(&mut |part| part.at(with)),
        }
    }

    /// `with` in place of t or v.
    pub(crate) fn at_real(&self, with: &Expr) -> Expr {
        match self {
            Real => with.clone(),
            other => other.map(&mut |part| part.at_real(with)),
        }
    }

    /// −x
    pub(crate) fn opposite(&self) -> Expr {
        negated(self.clone())
    }

    pub(crate) fn any(&self, test: &dyn Fn(&Expr) -> bool) -> bool {
        test(self) || self.parts().into_iter().any(|part| part.any(test))
    }

    pub(crate) fn has_ratio(&self) -> bool {
        self.any(&|x| *x == Ratio)
    }

    pub(crate) fn is_constant(&self) -> bool {
        !self.any(&|x| matches!(x, Ratio | Real))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Fraction(n, 1) => write!(f, "{n}"),
            Number::Fraction(n, d) => write!(f, "{n}/{d}"),
            Number::Float(value) => write!(f, "{value:.6}"),
        }
    }
}

/// For tests and messages; u is the ratio, t the real variable.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Expr], by: &str| parts.iter().map(Expr::to_string).collect::<Vec<_>>().join(by);
        match self {
            Expr::Number(n) => write!(f, "{n}"),
            Ratio => write!(f, "u"),
            Real => write!(f, "t"),
            Sum(parts) => write!(f, "({})", joined(parts, " + ")),
            Product(parts) => write!(f, "{}", joined(parts, "*")),
            Power(x, e) => write!(f, "{x}^{e}"),
            Exp(x) => write!(f, "exp({x})"),
            Ln(x) => write!(f, "ln({x})"),
            Sign(x) => write!(f, "sign({x})"),
            Softplus(x) => write!(f, "softplus({x})"),
            Tanh(x) => write!(f, "tanh({x})"),
            LogLambert(x) => write!(f, "log_lambert({x})"),
            Clamp(x, low, high) => write!(f, "clamp({x}, {low}, {high})"),
        }
    }
}
