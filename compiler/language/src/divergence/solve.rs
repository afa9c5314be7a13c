//! Equations in u: f′(u) = t solved for u.
//!
//! In: the left side, in u, and the right side, in t. Out: candidates for u as expressions in t; some may be wrong branches, the
//! caller tests them by value. The left side is rewritten until u occurs once, and what stands around it is then undone from
//! outside to inside. **Invariant: rounds are counted,** so every equation is given up at some time.
//!
//! | left side | step |
//! |---|---|
//! | x + c, c·x, eˣ, ln x, xᵉ | undone on the right |
//! | Σ c·ln q | exponentiated: a product of powers |
//! | Π qᵉ with fractions e | raised to the common denominator |
//! | Π q·eˣ, Σ q·eˣ with one x | its logarithm |
//! | a function of e^(cu) | u = ln(s)/c |
//! | a quotient of polynomials in u^(1/n) | multiplied out; linear or quadratic |
//! | a·ln q + b·uᵖ, q = u, or p = 1 and q affine | Lambert W |

use crate::divergence::expr::{
    Expr, coefficient, divided, exp, ln, log_lambert, minus, negated, number, power, product, scaled, sum,
};
use crate::divergence::number::{Number, gcd};
use crate::divergence::simplify::{expanded, simplified, together};

/// Rounds of rewriting.
const DEPTH: usize = 10;

/// Candidates that are followed at the same time.
const BRANCHES: usize = 8;

/// Forms larger than this are given up.
const SIZE: usize = 400;

/// A rewriting of the left side, followed to its solutions; none where it does not apply.
type Way = fn(&Expr, &Expr, usize) -> Vec<Expr>;

/// The values of u at which `left` is `right`, if they are found.
pub(crate) fn solve(left: &Expr, right: &Expr) -> Vec<Expr> {
    let mut found = step(left, right.clone(), DEPTH);
    found.dedup();
    found.truncate(BRANCHES);
    found
}

fn step(left: &Expr, right: Expr, depth: usize) -> Vec<Expr> {
    if depth == 0 || left.size() + right.size() > SIZE {
        return Vec::new();
    }
    let depth = depth - 1;
    match left {
        Expr::Ratio => return vec![right],
        Expr::Exp(x) => return step(x, ln(right), depth),
        Expr::Ln(x) => return step(x, exp(right), depth),
        Expr::Power(x, e) => {
            let even = matches!(e, Number::Fraction(n, _) if n % 2 == 0);
            let root = power(right.clone(), e.inverse());
            let mut found = step(x, root.clone(), depth);
            if even {
                found.extend(step(x, negated(root), depth));
            }
            return found;
        }
        Expr::Sum(terms) => {
            let (constant, rest): (Vec<Expr>, Vec<Expr>) = terms.iter().cloned().partition(|term| !term.has_ratio());
            if !constant.is_empty() {
                return step(&sum(rest), minus(right, sum(constant)), depth);
            }
        }
        Expr::Product(_) => {
            let (c, rest) = coefficient(left.clone());
            if !c.is_one() {
                return step(&rest, scaled(right, c.inverse()), depth);
            }
        }
        _ => return Vec::new(),
    }
    let ways: [Way; 7] =
        [by_factoring, by_exponential, by_lambert, by_polynomial, by_exponentiating, by_raising, by_logarithm];
    for way in ways {
        let found = way(left, &right, depth);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// A function of e^(cu), perhaps beside u: u = ln(s)/c.
fn by_exponential(left: &Expr, right: &Expr, depth: usize) -> Vec<Expr> {
    let mut rate = None;
    find(left, &mut |x| {
        if let Expr::Exp(inner) = x
            && let (c, Expr::Ratio) = coefficient((**inner).clone())
        {
            rate = Some(rate.map_or(c, |known: Number| if c.value().abs() < known.value().abs() { c } else { known }));
        }
    });
    let Some(c) = rate else { return Vec::new() };
    let left = left.at(&scaled(ln(Expr::Ratio), c.inverse()));
    step(&left, right.clone(), depth).into_iter().map(|s| scaled(ln(s), c.inverse())).collect()
}

/// A sum whose terms share a factor eˣ: its logarithm.
fn by_factoring(left: &Expr, right: &Expr, depth: usize) -> Vec<Expr> {
    let Expr::Sum(terms) = left else { return Vec::new() };
    let exponential = |term: &Expr| match term {
        Expr::Exp(_) => Some(term.clone()),
        Expr::Product(factors) => factors.iter().find(|factor| matches!(factor, Expr::Exp(_))).cloned(),
        _ => None,
    };
    let Some(shared) = exponential(&terms[0]) else { return Vec::new() };
    if !terms.iter().all(|term| exponential(term).as_ref() == Some(&shared)) {
        return Vec::new();
    }
    let rest = sum(terms.iter().map(|term| divided(term.clone(), shared.clone())));
    step(&sum([ln(rest), ln(shared)]), ln(right.clone()), depth)
}

fn find(x: &Expr, look: &mut dyn FnMut(&Expr)) {
    look(x);
    x.parts().into_iter().for_each(|part| find(part, look));
}

/// Σ c·ln q: divided by the first coefficient and exponentiated.
fn by_exponentiating(left: &Expr, right: &Expr, depth: usize) -> Vec<Expr> {
    let Expr::Sum(terms) = left else { return Vec::new() };
    let mut factors = Vec::new();
    let mut first = None;
    for term in terms {
        let (c, Expr::Ln(q)) = coefficient(term.clone()) else { return Vec::new() };
        let first = *first.get_or_insert(c);
        factors.push(power(*q, c.times(first.inverse())));
    }
    let Some(first) = first else { return Vec::new() };
    step(&product(factors), exp(scaled(right.clone(), first.inverse())), depth)
}

/// Π qᵉ with fractions e: raised to their common denominator.
fn by_raising(left: &Expr, right: &Expr, depth: usize) -> Vec<Expr> {
    let Expr::Product(factors) = left else { return Vec::new() };
    let mut common = 1i64;
    for factor in factors {
        if let Expr::Power(_, e) = factor {
            let Some(d) = e.denominator() else { return Vec::new() };
            common = common / gcd(common as u64, d as u64) as i64 * d;
            if common > 12 {
                return Vec::new();
            }
        }
    }
    if common == 1 {
        return Vec::new();
    }
    let e = Number::whole(common);
    // Bases keep their sign here; the caller's test tells whether that was right.
    let raised = product(factors.iter().map(|factor| match factor {
        Expr::Power(base, inner) => power((**base).clone(), inner.times(e)),
        other => power(other.clone(), e),
    }));
    step(&raised, power(right.clone(), e), depth)
}

/// Π q·eˣ: its logarithm.
fn by_logarithm(left: &Expr, right: &Expr, depth: usize) -> Vec<Expr> {
    let Expr::Product(factors) = left else { return Vec::new() };
    if !factors.iter().any(|factor| matches!(factor, Expr::Exp(_))) {
        return Vec::new();
    }
    let logarithms = sum(factors.iter().map(|factor| match factor {
        Expr::Power(base, e) => scaled(ln((**base).clone()), *e),
        other => ln(other.clone()),
    }));
    step(&logarithms, ln(right.clone()), depth)
}

/// a·ln q + b·uᵖ = r.
fn by_lambert(left: &Expr, right: &Expr, _: usize) -> Vec<Expr> {
    let Expr::Sum(terms) = left else { return Vec::new() };
    let [first, second] = &terms[..] else { return Vec::new() };
    let (first, second) = (coefficient(first.clone()), coefficient(second.clone()));
    let ((a, q), (b, s)) = match (first, second) {
        ((a, Expr::Ln(q)), (b, s)) | ((b, s), (a, Expr::Ln(q))) => ((a, *q), (b, s)),
        _ => return Vec::new(),
    };
    let p = match s {
        Expr::Ratio => Number::ONE,
        Expr::Power(base, p) if *base == Expr::Ratio => p,
        _ => return Vec::new(),
    };
    if q == Expr::Ratio {
        // With y = (pb/a)·uᵖ: ln y + y = (p/a)·r + ln(pb/a).
        let ratio = p.times(b).times(a.inverse());
        if !ratio.positive() {
            return Vec::new();
        }
        let x = sum([scaled(right.clone(), p.times(a.inverse())), number(ratio.value().ln())]);
        // u = (y/ratio)^(1/p)
        let log_y = minus(log_lambert(x), number(ratio.value().ln()));
        return vec![exp(scaled(log_y, p.inverse()))];
    }
    if !p.is_one() {
        return Vec::new();
    }
    let Some((beta, alpha)) = affine(&q) else { return Vec::new() };
    // q = αu + β: a·ln q + (b/α)·q = r + bβ/α
    let c = b.times(alpha.inverse());
    let ratio = c.times(a.inverse());
    if !ratio.positive() {
        return Vec::new();
    }
    let right = sum([right.clone(), Expr::Number(c.times(beta))]);
    let x = sum([scaled(right, a.inverse()), number(ratio.value().ln())]);
    let q = exp(minus(log_lambert(x), number(ratio.value().ln())));
    vec![scaled(minus(q, Expr::Number(beta)), alpha.inverse())]
}

/// (β, α) of αu + β.
pub(crate) fn affine(x: &Expr) -> Option<(Number, Number)> {
    let terms = match x {
        Expr::Sum(terms) => terms.clone(),
        other => vec![other.clone()],
    };
    let (mut beta, mut alpha) = (Number::ZERO, Number::ZERO);
    for term in terms {
        match coefficient(term) {
            (c, Expr::Ratio) => alpha = alpha.plus(c),
            (c, Expr::Number(n)) => beta = beta.plus(c.times(n)),
            _ => return None,
        }
    }
    Some((beta, alpha))
}

/// A quotient of polynomials in u^(1/n).
fn by_polynomial(left: &Expr, right: &Expr, _: usize) -> Vec<Expr> {
    let mut exponents = Vec::new();
    if !algebraic(left, &mut exponents) {
        return Vec::new();
    }
    let mut common = 1i64;
    for e in &exponents {
        let Some(d) = e.denominator() else { return Vec::new() };
        common = common / gcd(common as u64, d as u64) as i64 * d;
        if common > 12 {
            return Vec::new();
        }
    }
    // u = sⁿ; then perhaps all exponents have a factor in common.
    let mut step =
        exponents.iter().filter_map(|e| e.times(Number::whole(common)).integer()).fold(0, |g, e| gcd(g, e.unsigned_abs()));
    if step == 0 {
        step = 1;
    }
    let to_s = Number::fraction(common, step as i64);
    let in_s = left.at(&power(Expr::Ratio, to_s));
    let quotient = together(&expanded(&in_s));
    let (above, below) = over(&quotient);
    let difference = minus(above.clone(), product([right.clone(), below.clone()]));
    let Some(c) = coefficients(&expanded(&difference)) else { return Vec::new() };
    let s = match &c[..] {
        [_, zero] if *zero == Expr::Number(Number::ZERO) => return Vec::new(),
        [c0, c1] => vec![negated(divided(c0.clone(), c1.clone()))],
        [c0, c1, c2] if *c1 == Expr::Number(Number::ZERO) => {
            let root = power(simplified(&negated(divided(c0.clone(), c2.clone())), &[]), Number::fraction(1, 2));
            vec![root.clone(), negated(root)]
        }
        [c0, c1, c2] => {
            let four = product([Expr::Number(Number::whole(4)), c0.clone(), c2.clone()]);
            let discriminant = expanded(&minus(power(c1.clone(), Number::whole(2)), four));
            let root = power(discriminant, Number::fraction(1, 2));
            let twice = scaled(c2.clone(), Number::whole(2));
            // Both ways of writing a root: each loses digits where the other does not.
            let mut roots = Vec::new();
            for root in [root.clone(), negated(root)] {
                let numerator = minus(root, c1.clone());
                roots.push(divided(numerator.clone(), twice.clone()));
                roots.push(divided(scaled(c0.clone(), Number::whole(2)), numerator));
            }
            roots
        }
        _ => return Vec::new(),
    };
    s.into_iter().map(|s| power(s, to_s)).collect()
}

/// Whether u occurs in sums, products and constant powers only; collects the exponents of u.
fn algebraic(x: &Expr, exponents: &mut Vec<Number>) -> bool {
    match x {
        Expr::Number(_) => true,
        Expr::Ratio => {
            exponents.push(Number::ONE);
            true
        }
        Expr::Power(base, e) if **base == Expr::Ratio => {
            exponents.push(*e);
            true
        }
        Expr::Power(base, e) => e.integer().is_some() && algebraic(base, exponents),
        Expr::Sum(parts) | Expr::Product(parts) => parts.iter().all(|part| algebraic(part, exponents)),
        _ => false,
    }
}

/// Numerator and denominator.
fn over(x: &Expr) -> (Expr, Expr) {
    let factors = match x {
        Expr::Product(factors) => factors.clone(),
        other => vec![other.clone()],
    };
    let (below, above): (Vec<Expr>, Vec<Expr>) =
        factors.into_iter().partition(|factor| matches!(factor, Expr::Power(_, e) if e.negative()));
    (product(above), product(below.into_iter().map(|factor| power(factor, Number::MINUS_ONE))))
}

/// Coefficients of a polynomial in u of degree 1 or 2, lowest first, a power of u taken out.
fn coefficients(x: &Expr) -> Option<Vec<Expr>> {
    let terms = match x {
        Expr::Sum(terms) => terms.clone(),
        other => vec![other.clone()],
    };
    let mut parts: Vec<(i64, Expr)> = Vec::new();
    for term in terms {
        let factors = match term {
            Expr::Product(factors) => factors,
            other => vec![other],
        };
        let (mut degree, mut rest) = (0, Vec::new());
        for factor in factors {
            match factor {
                Expr::Ratio => degree += 1,
                Expr::Power(base, e) if *base == Expr::Ratio => degree += e.integer()?,
                other if other.has_ratio() => return None,
                other => rest.push(other),
            }
        }
        parts.push((degree, product(rest)));
    }
    let least = parts.iter().map(|(degree, _)| *degree).min()?;
    let most = parts.iter().map(|(degree, _)| *degree).max()?;
    if !(1..=2).contains(&(most - least)) {
        return None;
    }
    Some(
        (least..=most)
            .map(|degree| sum(parts.iter().filter(|(known, _)| *known == degree).map(|(_, part)| part.clone())))
            .collect(),
    )
}
