//! Numbers of the algebra: exact fractions as long as they stay small, floating point beyond.
//!
//! Exactness is what lets terms cancel and exponents match; no result depends on it otherwise. **Invariant: a fraction is in
//! lowest terms with a positive denominator; a float is never one that a small fraction equals.**

use std::cmp::Ordering;

/// A number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// Numerator and denominator.
    Fraction(i64, i64),
    /// Anything else.
    Float(f64),
}

/// Fractions beyond this become floats, so that products of two never overflow.
const LARGEST: i64 = 1 << 30;

/// The largest denominator that a literal is taken for.
const DENOMINATOR: f64 = 1e6;

impl Number {
    pub(crate) const ZERO: Number = Number::Fraction(0, 1);
    pub(crate) const ONE: Number = Number::Fraction(1, 1);
    pub(crate) const MINUS_ONE: Number = Number::Fraction(-1, 1);

    pub(crate) fn whole(n: i64) -> Number {
        Number::fraction(n, 1)
    }

    pub(crate) fn fraction(n: i64, d: i64) -> Number {
        if d == 0 {
            return Number::Float(f64::NAN);
        }
        let divisor = gcd(n.unsigned_abs(), d.unsigned_abs()).max(1) as i64;
        let (n, d) = (n / divisor, d / divisor);
        let (n, d) = if d < 0 { (-n, -d) } else { (n, d) };
        if n.abs() > LARGEST || d > LARGEST { Number::Float(n as f64 / d as f64) } else { Number::Fraction(n, d) }
    }

    /// The decimal that a float was written as, if it is a short one.
    pub(crate) fn of(value: f64) -> Number {
        let mut scale = 1.0;
        while scale <= DENOMINATOR && value.abs() * scale <= LARGEST as f64 {
            let scaled = value * scale;
            if (scaled - scaled.round()).abs() <= scaled.abs() * 2.0 * f64::EPSILON {
                return Number::fraction(scaled.round() as i64, scale as i64);
            }
            scale *= 10.0;
        }
        Number::Float(value)
    }

    /// The fraction with a small denominator that is this near to the value.
    pub(crate) fn near(value: f64, tolerance: f64) -> Option<Number> {
        (1..=24i64).find_map(|d| {
            let n = (value * d as f64).round();
            ((n / d as f64 - value).abs() <= tolerance && n.abs() < 1e6).then(|| Number::fraction(n as i64, d))
        })
    }

    pub(crate) fn value(self) -> f64 {
        match self {
            Number::Fraction(n, d) => n as f64 / d as f64,
            Number::Float(value) => value,
        }
    }

    pub(crate) fn plus(self, other: Number) -> Number {
        match (self, other) {
            (Number::Fraction(a, b), Number::Fraction(c, d)) => Number::fraction(a * d + c * b, b * d),
            (a, b) => {
                // What is left of two equal numbers is their rounding.
                let total = a.value() + b.value();
                let rounding = 4.0 * f64::EPSILON * a.value().abs().max(b.value().abs());
                if total.abs() <= rounding { Number::ZERO } else { Number::of(total) }
            }
        }
    }

    pub(crate) fn times(self, other: Number) -> Number {
        match (self, other) {
            (Number::Fraction(a, b), Number::Fraction(c, d)) => Number::fraction(a * c, b * d),
            (a, b) if a.is_zero() || b.is_zero() => Number::ZERO,
            (a, b) => Number::of(a.value() * b.value()),
        }
    }

    pub(crate) fn negated(self) -> Number {
        self.times(Number::MINUS_ONE)
    }

    /// 1/x; not a number for 0.
    pub(crate) fn inverse(self) -> Number {
        match self {
            Number::Fraction(n, d) => Number::fraction(d, n),
            Number::Float(value) => Number::of(1.0 / value),
        }
    }

    /// xᵉ for x > 0 or whole e; exact where that is small.
    pub(crate) fn power(self, exponent: Number) -> Number {
        if let (Number::Fraction(n, d), Some(e)) = (self, exponent.integer())
            && e.unsigned_abs() <= 16
        {
            let (n, d) = if e < 0 { (d, n) } else { (n, d) };
            let e = e.unsigned_abs() as u32;
            if let (Some(n), Some(d)) = (n.checked_pow(e), d.checked_pow(e)) {
                return Number::fraction(n, d);
            }
        }
        Number::of(self.value().powf(exponent.value()))
    }

    pub(crate) fn integer(self) -> Option<i64> {
        match self {
            Number::Fraction(n, 1) => Some(n),
            _ => None,
        }
    }

    pub(crate) fn denominator(self) -> Option<i64> {
        match self {
            Number::Fraction(_, d) => Some(d),
            Number::Float(_) => None,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.value() == 0.0
    }

    pub(crate) fn is_one(self) -> bool {
        self.value() == 1.0
    }

    pub(crate) fn positive(self) -> bool {
        self.value() > 0.0
    }

    pub(crate) fn negative(self) -> bool {
        self.value() < 0.0
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        self.value().total_cmp(&other.value())
    }
}

pub(crate) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
