//! Simplification: expansion, common denominators, logarithms of products whose signs are known.
//!
//! In: an expression and points of the interval on which it is wanted. Out: the same function there, the shortest form found.
//! **Invariant: the work is bounded:** nothing is expanded beyond [`TERMS`] terms, and rounds are counted.

use crate::divergence::expr::{Expr, exp, is_positive, ln, negated, power, product, scaled, softplus, sum};
use crate::divergence::number::Number;

/// Terms that an expansion may make.
const TERMS: usize = 48;

/// The largest power of a sum that is multiplied out.
const POWER: i64 = 4;

/// The shortest form found.
pub(crate) fn simplified(x: &Expr, points: &[f64]) -> Expr {
    let mut best = x.clone();
    for _ in 0..4 {
        let next = round(&best, points);
        if next == best {
            break;
        }
        best = next;
    }
    best
}

fn round(x: &Expr, points: &[f64]) -> Expr {
    let x = x.map(&mut |part| round(part, points));
    match x {
        Expr::Ln(inner) => logarithm(shortest(*inner), points),
        Expr::Power(base, e) => root(shortest(*base), e, points),
        Expr::Sum(_) | Expr::Product(_) => shortest(x),
        other => other,
    }
}

fn shortest(x: Expr) -> Expr {
    let wide = expanded(&x);
    let joined = together(&wide);
    let again = expanded(&joined);
    let by_logarithms = grouped(&wide);
    [x, wide, joined, again, by_logarithms].into_iter().min_by_key(Expr::size).unwrap_or(Expr::Number(Number::ZERO))
}

/// A sum whose terms with the same logarithms are over a common denominator.
fn grouped(x: &Expr) -> Expr {
    let Expr::Sum(terms) = x else { return x.clone() };
    let mut groups: Vec<(Expr, Vec<Expr>)> = Vec::new();
    for term in terms {
        let list = match term {
            Expr::Product(list) => list.clone(),
            other => vec![other.clone()],
        };
        let logarithmic = |factor: &Expr| factor.any(&|part| matches!(part, Expr::Ln(_) | Expr::LogLambert(_)));
        let (key, rest): (Vec<Expr>, Vec<Expr>) = list.into_iter().partition(logarithmic);
        let (key, rest) = (product(key), product(rest));
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rests)) => rests.push(rest),
            None => groups.push((key, vec![rest])),
        }
    }
    sum(groups.into_iter().map(|(key, rests)| {
        let rest = sum(rests);
        let joined = together(&rest);
        let again = expanded(&joined);
        let best = [rest, joined, again].into_iter().min_by_key(Expr::size);
        product([key, best.unwrap_or(Expr::Number(Number::ZERO))])
    }))
}

/// 1 or −1 where the expression has that sign at all points.
fn sign_at(x: &Expr, points: &[f64]) -> Option<i64> {
    if is_positive(x) {
        return Some(1);
    }
    let mut signs = points.iter().map(|point| x.value(*point));
    let first = signs.next()?;
    let one = first > 0.0;
    (first != 0.0 && signs.all(|value| (value > 0.0) == one && value != 0.0 && !value.is_nan())).then_some(if one {
        1
    } else {
        -1
    })
}

/// Factors and their exponents.
fn factors(x: Expr) -> Vec<(Expr, Number)> {
    let list = match x {
        Expr::Product(list) => list,
        other => vec![other],
    };
    list.into_iter()
        .map(|factor| match factor {
            Expr::Power(base, e) => (*base, e),
            other => (other, Number::ONE),
        })
        .collect()
}

/// ln of a product as a sum, where every factor has one sign.
fn logarithm(x: Expr, points: &[f64]) -> Expr {
    if sign_at(&x, points) != Some(1) {
        return ln(x);
    }
    let list = factors(x.clone());
    let signs: Option<Vec<i64>> = list.iter().map(|(base, _)| sign_at(base, points)).collect();
    match signs {
        Some(signs) => sum(list.into_iter().zip(signs).map(|((base, e), sign)| {
            let base = if sign < 0 { negated(base) } else { base };
            scaled(ln(base), e)
        })),
        None => ln(x),
    }
}

/// A power of a product as a product of powers, where every factor has one sign and the whole is positive.
fn root(x: Expr, e: Number, points: &[f64]) -> Expr {
    if e.integer().is_some() || sign_at(&x, points) != Some(1) {
        return power(x, e);
    }
    let list = factors(x.clone());
    let signs: Option<Vec<i64>> = list.iter().map(|(base, _)| sign_at(base, points)).collect();
    match signs {
        Some(signs) => product(list.into_iter().zip(signs).map(|((base, inner), sign)| {
            let base = if sign < 0 { negated(base) } else { base };
            match base {
                Expr::Number(n) => Expr::Number(n.power(inner.times(e))),
                base => power_of_positive(base, inner.times(e)),
            }
        })),
        None => power(x, e),
    }
}

/// (bᶜ)ᵉ = bᶜᵉ for b > 0, which the points have shown.
fn power_of_positive(base: Expr, e: Number) -> Expr {
    match base {
        Expr::Power(inner, c) => power(*inner, c.times(e)),
        base => power(base, e),
    }
}

/// Products of sums multiplied out.
pub(crate) fn expanded(x: &Expr) -> Expr {
    match x {
        Expr::Sum(parts) => sum(parts.iter().map(expanded).collect::<Vec<_>>()),
        Expr::Product(parts) => {
            let mut terms = vec![Expr::Number(Number::ONE)];
            let mut kept = Vec::new();
            for part in parts {
                let part = expanded(part);
                match part {
                    Expr::Sum(sums) if terms.len() * sums.len() <= TERMS => {
                        terms = terms.iter().flat_map(|a| sums.iter().map(|b| product([a.clone(), b.clone()]))).collect();
                    }
                    other => kept.push(other),
                }
            }
            if terms.len() == 1 {
                return product(kept);
            }
            sum(terms.into_iter().map(|term| product(kept.iter().cloned().chain([term]))))
        }
        Expr::Power(base, e) => match (&**base, e.integer()) {
            (Expr::Sum(_), Some(n)) if (2..=POWER).contains(&n) => {
                let mut result = (**base).clone();
                for _ in 1..n {
                    let (Expr::Sum(a), Expr::Sum(b)) = (&result, &**base) else { return x.clone() };
                    if a.len() * b.len() > TERMS {
                        return x.clone();
                    }
                    let terms: Vec<Expr> =
                        a.iter().flat_map(|a| b.iter().map(|b| product([a.clone(), b.clone()]))).collect();
                    result = sum(terms);
                }
                result
            }
            _ => x.clone(),
        },
        other => other.clone(),
    }
}

/// A sum over its common denominator.
pub(crate) fn together(x: &Expr) -> Expr {
    let Expr::Sum(terms) = x else { return x.clone() };
    let mut below: Vec<(Expr, Number)> = Vec::new();
    for term in terms {
        for (base, e) in factors(term.clone()) {
            if !e.negative() {
                continue;
            }
            match below.iter_mut().find(|(known, _)| *known == base) {
                Some((_, least)) => *least = e.min(*least),
                None => below.push((base, e)),
            }
        }
    }
    if below.is_empty() {
        return x.clone();
    }
    let denominator = |sign: Number| below.iter().map(move |(base, e)| power(base.clone(), e.times(sign)));
    let above = sum(terms.iter().map(|term| {
        let raised = product([term.clone()].into_iter().chain(denominator(Number::MINUS_ONE)));
        expanded(&raised)
    }));
    let (content, above) = crate::divergence::expr::primitive(above);
    product([content, above].into_iter().chain(denominator(Number::ONE)))
}

/// For machine arithmetic: logarithms and powers of 1 + c·eˣ by softplus, which neither overflows nor cancels.
pub(crate) fn stable(x: &Expr) -> Expr {
    let mut x = x.clone();
    for _ in 0..4 {
        let next = stable_round(&x);
        if next == x {
            break;
        }
        x = next;
    }
    x
}

fn stable_round(x: &Expr) -> Expr {
    let x = x.map(&mut |part| stable_round(part));
    match &x {
        Expr::Ln(inner) => logistic(inner).unwrap_or(x),
        Expr::Power(base, e) => match logistic(base) {
            Some(logarithm) => exp(scaled(logarithm, *e)),
            None => x,
        },
        Expr::Sum(terms) => cancelled(terms).unwrap_or(x),
        _ => x,
    }
}

/// ln(c + d·eˣ) = ln c + softplus(x + ln(d/c)) for positive c, d.
fn logistic(x: &Expr) -> Option<Expr> {
    let Expr::Sum(terms) = x else { return None };
    let [a, b] = &terms[..] else { return None };
    if !(is_positive(a) && is_positive(b) && x.any(&|part| matches!(part, Expr::Exp(_)))) {
        return None;
    }
    let (a, b) = if matches!(b, Expr::Number(_)) { (b, a) } else { (a, b) };
    let (a, b) = (ln(a.clone()), ln(b.clone()));
    Some(sum([a.clone(), softplus(sum([b, negated(a)]))]))
}

/// c·x − c·softplus(x) = −c·softplus(−x).
fn cancelled(terms: &[Expr]) -> Option<Expr> {
    for (index, term) in terms.iter().enumerate() {
        let (c, rest) = crate::divergence::expr::coefficient(term.clone());
        let Expr::Softplus(inner) = rest else { continue };
        let rest = terms.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, term)| term.clone());
        let turned = scaled(softplus(negated((*inner).clone())), c);
        let moved = sum(rest.chain([turned, scaled((*inner).clone(), c)]));
        let length = |x: &Expr| if let Expr::Sum(parts) = x { parts.len() } else { 1 };
        let variable =
            |x: &Expr| if let Expr::Sum(parts) = x { parts.iter().filter(|p| !p.is_constant()).count() } else { 1 };
        if variable(&moved) < terms.iter().filter(|p| !p.is_constant()).count() && length(&moved) <= terms.len() + 1 {
            return Some(moved);
        }
    }
    None
}
