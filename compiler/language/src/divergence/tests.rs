//! The table of the f-GAN paper's divergences, and what cannot be derived.

use crate::divergence::activation::finite;
use crate::divergence::expr::{Expr, divided, exp, ln, minus, number, power, product, scaled, sign, sum, whole};
use crate::divergence::number::Number;
use crate::divergence::{Derived, derive};

fn u() -> Expr {
    Expr::Ratio
}

fn sqrt(x: Expr) -> Expr {
    power(x, Number::fraction(1, 2))
}

fn square(x: Expr) -> Expr {
    power(x, Number::whole(2))
}

fn abs(x: Expr) -> Expr {
    product([x.clone(), sign(x)])
}

fn plus(a: Expr, b: Expr) -> Expr {
    sum([a, b])
}

fn times(a: Expr, b: Expr) -> Expr {
    product([a, b])
}

fn one() -> Expr {
    whole(1)
}

const PI: f64 = 0.3;

/// W(z) by Newton's method on w·eʷ = z, independent of the library's.
fn lambert_w(z: f64) -> f64 {
    let mut w = if z < 1.0 { z } else { z.ln() };
    for _ in 0..100 {
        w -= (w * w.exp() - z) / (w.exp() * (w + 1.0));
    }
    w
}

struct Row {
    name: &'static str,
    f: Expr,
    f_value: fn(f64) -> f64,
    conjugate: fn(f64) -> f64,
    threshold: f64,
    /// Slopes of f.
    slopes: (f64, f64),
}

fn table() -> Vec<Row> {
    let inf = f64::INFINITY;
    let ln2 = std::f64::consts::LN_2;
    let row = |name, f, f_value, conjugate, threshold, slopes| Row { name, f, f_value, conjugate, threshold, slopes };
    vec![
        row("kl", times(u(), ln(u())), |u| u * u.ln(), |t| (t - 1.0).exp(), 1.0, (-inf, inf)),
        row("reverse kl", minus(whole(0), ln(u())), |u| -u.ln(), |t| -1.0 - (-t).ln(), -1.0, (-inf, 0.0)),
        row(
            "pearson",
            square(minus(u(), one())),
            |u| (u - 1.0).powi(2),
            |t| if t >= -2.0 { t * t / 4.0 + t } else { -1.0 },
            0.0,
            (-2.0, inf),
        ),
        row(
            "neyman",
            divided(square(minus(one(), u())), u()),
            |u| (1.0 - u).powi(2) / u,
            |t| 2.0 - 2.0 * (1.0 - t).sqrt(),
            0.0,
            (-inf, 1.0),
        ),
        row("hellinger", square(minus(sqrt(u()), one())), |u| (u.sqrt() - 1.0).powi(2), |t| t / (1.0 - t), 0.0, (-inf, 1.0)),
        row(
            "jeffrey",
            times(minus(u(), one()), ln(u())),
            |u| (u - 1.0) * u.ln(),
            |t| {
                let w = lambert_w((1.0 - t).exp());
                w + 1.0 / w + t - 2.0
            },
            0.0,
            (-inf, inf),
        ),
        row(
            "js",
            plus(
                scaled(times(plus(u(), one()), ln(divided(plus(one(), u()), whole(2)))), Number::MINUS_ONE),
                times(u(), ln(u())),
            ),
            |u| -(u + 1.0) * ((1.0 + u) / 2.0).ln() + u * u.ln(),
            |t| -(2.0 - t.exp()).ln(),
            0.0,
            (-inf, ln2),
        ),
        row(
            "js weighted",
            {
                let mixed = || plus(number(1.0 - PI), scaled(u(), Number::of(PI)));
                minus(scaled(times(u(), ln(u())), Number::of(PI)), times(mixed(), ln(mixed())))
            },
            |u| PI * u * u.ln() - (1.0 - PI + PI * u) * (1.0 - PI + PI * u).ln(),
            |t| (1.0 - PI) * ((1.0 - PI) / (1.0 - PI * (t / PI).exp())).ln(),
            0.0,
            (-inf, -PI * PI.ln()),
        ),
        row(
            "gan",
            minus(times(u(), ln(u())), times(plus(u(), one()), ln(plus(u(), one())))),
            |u| u * u.ln() - (u + 1.0) * (u + 1.0).ln(),
            |t| -(1.0 - t.exp()).ln(),
            -ln2,
            (-inf, 0.0),
        ),
        row(
            "total variation",
            scaled(abs(minus(u(), one())), Number::fraction(1, 2)),
            |u| 0.5 * (u - 1.0).abs(),
            |t| t.max(-0.5),
            0.0,
            (-0.5, 0.5),
        ),
    ]
}

fn derived(row: &Row) -> Derived {
    derive(&row.f, "u").unwrap_or_else(|e| panic!("{}: {e}", row.name))
}

/// sup over u ≥ 0 of ut − f(u), by golden section on ln u after a coarse search.
fn supremum(f: impl Fn(f64) -> f64, t: f64) -> f64 {
    let value = |x: f64| {
        let u = x.exp();
        let value = u * t - f(u);
        if value.is_nan() { f64::NEG_INFINITY } else { value }
    };
    let best = (-600..=600).map(|i| f64::from(i) * 0.1).max_by(|a, b| value(*a).total_cmp(&value(*b))).unwrap_or(0.0);
    let (mut low, mut high) = (best - 0.1, best + 0.1);
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    for _ in 0..80 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if value(a) > value(b) { high = b } else { low = a }
    }
    value(0.5 * (low + high))
}

/// Slopes dense inside the domain of a row, near its ends too.
fn inside(row: &Row) -> Vec<f64> {
    let (low, high) = row.slopes;
    let steps = (1..400).map(|i| f64::from(i) / 400.0);
    match (low.is_finite(), high.is_finite()) {
        (true, true) => steps.map(|s| low + s * (high - low)).collect(),
        (false, true) => steps.map(|s| high - (1.0 - s) / s * 0.5 - 1e-9).chain([high - 1e-3, high - 1e-6]).collect(),
        _ => (-400..=400).map(|i| f64::from(i) * 0.05).collect(),
    }
}

#[test]
fn conjugates_and_thresholds_are_those_of_the_table() {
    for row in table() {
        let found = derived(&row);
        assert!((found.threshold - row.threshold).abs() < 1e-12, "{}: f′(1) = {}", row.name, found.threshold);
        for (found, wanted) in [(found.slopes.0, row.slopes.0), (found.slopes.1, row.slopes.1)] {
            assert!(found == wanted || (found - wanted).abs() < 1e-12, "{}: slopes end at {found}", row.name);
        }
        let conjugate = found.conjugate.expect("every row of the table is solved");
        for t in inside(&row) {
            let (found, wanted) = (conjugate.value(t), (row.conjugate)(t));
            let tolerance = 1e-9 * (1.0 + wanted.abs());
            assert!((found - wanted).abs() <= tolerance, "{}: f*({t}) = {found} instead of {wanted}", row.name);
        }
    }
}

#[test]
fn conjugates_are_suprema() {
    for row in table() {
        let conjugate = derived(&row).conjugate.expect("every row of the table is solved");
        for t in inside(&row) {
            let wanted = supremum(row.f_value, t);
            // Where the supremum lies beyond u = e⁶⁰ or is only approached, the search ends before it.
            if wanted.abs() > 1e12 {
                continue;
            }
            let found = conjugate.value(t);
            assert!((found - wanted).abs() <= 1e-6 * (1.0 + wanted.abs()), "{}: f*({t}) = {found}, not {wanted}", row.name);
        }
    }
}

#[test]
fn activations_increase_onto_the_slopes() {
    for row in table() {
        let found = derived(&row);
        let g = found.activation.expect("every row has one");
        let composed = found.composed.expect("every row has one");
        let conjugate = found.conjugate.expect("every row of the table is solved");
        let values: Vec<f64> = (-300..=300).map(|i| g.value(f64::from(i) * 0.1)).collect();
        for pair in values.windows(2) {
            // Rounding alone may make neighbours near an end of the domain equal.
            assert!(pair[0] <= pair[1], "{}: g falls from {} to {}", row.name, pair[0], pair[1]);
        }
        assert!(values[200..400].windows(2).all(|pair| pair[0] < pair[1]), "{}: g does not increase", row.name);
        let (first, last) = (g.value(-1e3), g.value(1e3));
        let reaches = |value: f64, end: f64| if end.is_finite() { (value - end).abs() < 1e-12 } else { value.abs() > 200.0 };
        assert!(reaches(last, row.slopes.1), "{}: g ends at {last}", row.name);
        // Pearson's conjugate goes on below the least slope, and so does g.
        let low = if row.name == "pearson" { f64::NEG_INFINITY } else { row.slopes.0 };
        assert!(reaches(first, low), "{}: g begins at {first}", row.name);
        assert!(finite(&g) && finite(&composed), "{}: single precision does not suffice", row.name);
        for v in (-60..=60).map(|i| f64::from(i) * 0.1) {
            let (found, wanted) = (composed.value(v), conjugate.value(g.value(v)));
            assert!(
                (found - wanted).abs() <= 1e-7 * (1.0 + wanted.abs()),
                "{}: f*(g({v})) = {found}, not {wanted}",
                row.name
            );
        }
    }
}

/// f in closed form beyond the table: what is derived is the supremum.
#[test]
fn other_functions_are_solved() {
    type Case = (&'static str, Expr, fn(f64) -> f64);
    let u2 = || square(u());
    let cases: Vec<Case> = vec![
        ("u³", minus(power(u(), Number::whole(3)), one()), |u| u.powi(3) - 1.0),
        ("α = 3/2", minus(power(u(), Number::fraction(3, 2)), one()), |u| u.powf(1.5) - 1.0),
        ("α = −1/2", minus(power(u(), Number::fraction(-1, 2)), one()), |u| u.powf(-0.5) - 1.0),
        ("√(1+u²)", sqrt(plus(one(), u2())), |u| (1.0 + u * u).sqrt()),
        ("u ln u + u²", plus(times(u(), ln(u())), u2()), |u| u * u.ln() + u * u),
        ("u² − ln u", minus(u2(), ln(u())), |u| u * u - u.ln()),
        ("eᵘ", exp(u()), |u| u.exp()),
        ("u·eᵘ", times(u(), exp(u())), |u| u * u.exp()),
        ("e⁻ᵘ + u²", plus(exp(scaled(u(), Number::MINUS_ONE)), u2()), |u| (-u).exp() + u * u),
        ("ln(1+eᵘ)", ln(plus(one(), exp(u()))), |u| u.exp().ln_1p()),
        ("triangle", divided(square(minus(u(), one())), plus(u(), one())), |u| (u - 1.0).powi(2) / (u + 1.0)),
        ("(1+u)ln(1+u)", times(plus(one(), u()), ln(plus(one(), u()))), |u| (1.0 + u) * (1.0 + u).ln()),
        ("1/(1+u)", power(plus(one(), u()), Number::MINUS_ONE), |u| 1.0 / (1.0 + u)),
        (
            "Huber",
            {
                // ½x² for |x| < ½, else ½|x| − ⅛
                let x = || minus(u(), one());
                let inner = scaled(minus(number(0.5), abs(x())), Number::whole(1));
                let near = scaled(plus(one(), sign(inner)), Number::fraction(1, 2));
                plus(
                    times(near.clone(), scaled(square(x()), Number::fraction(1, 2))),
                    times(minus(one(), near), minus(scaled(abs(x()), Number::fraction(1, 2)), number(0.125))),
                )
            },
            |u| {
                let x = (u - 1.0).abs();
                if x < 0.5 { 0.5 * x * x } else { 0.5 * x - 0.125 }
            },
        ),
        ("|u − 1| + (u − 1)²", plus(abs(minus(u(), one())), square(minus(u(), one()))), |u| {
            (u - 1.0).abs() + (u - 1.0).powi(2)
        }),
        (
            "max(−ln u, 0)",
            {
                let x = scaled(ln(u()), Number::MINUS_ONE);
                scaled(plus(x.clone(), abs(x)), Number::fraction(1, 2))
            },
            |u| (-u.ln()).max(0.0),
        ),
    ];
    for (name, f, value) in cases {
        let found = derive(&f, "u").unwrap_or_else(|e| panic!("{name}: {e}"));
        let Some(conjugate) = found.conjugate else { panic!("{name} is not solved") };
        let (low, high) = found.slopes;
        let (from, to) = (low.max(-6.0) - if low.is_finite() { 0.5 } else { 0.0 }, high.min(6.0));
        for i in 1..200 {
            let t = from + (to - from) * f64::from(i) / 200.0;
            let (found, wanted) = (conjugate.value(t), supremum(value, t));
            assert!(
                (found - wanted).abs() <= 1e-6 * (1.0 + wanted.abs()),
                "{name}: f*({t}) = {found}, not {wanted}\n{conjugate}"
            );
        }
        let (Some(g), Some(composed)) = (&found.activation, &found.composed) else { panic!("{name} has no activation") };
        for v in (-40..=40).map(|i| f64::from(i) * 0.1) {
            let (found, wanted) = (composed.value(v), supremum(value, g.value(v)));
            assert!((found - wanted).abs() <= 1e-5 * (1.0 + wanted.abs()), "{name}: f*(g({v})) = {found}, not {wanted}");
        }
    }
}

#[test]
fn what_is_not_convex_is_refused_with_the_interval() {
    let error = |f: Expr| match derive(&f, "u") {
        Ok(_) => panic!("{f} was accepted"),
        Err(message) => message,
    };
    assert_eq!(error(ln(u())), "f is not convex: f″ < 0 for u in (0, ∞)");
    // (u − 1)²(u − 3)² bends down between its minima: f″ = 12u² − 48u + 44
    let wells = times(square(minus(u(), one())), square(minus(u(), whole(3))));
    assert_eq!(error(wells), "f is not convex: f″ < 0 for u in (1.42, 2.58)");
    // Narrower than the grid: f″ = 12(u − 2.003)² − 10⁻⁶
    let x = || minus(u(), number(2.003));
    let narrow = minus(power(x(), Number::whole(4)), scaled(square(x()), Number::of(5e-7)));
    assert!(
        error(narrow).starts_with("f is not convex: f″ < 0 for u in (2, 2)"),
        "{}",
        error(minus(power(x(), Number::whole(4)), scaled(square(x()), Number::of(5e-7))))
    );
    assert_eq!(
        error(scaled(abs(minus(u(), one())), Number::MINUS_ONE)),
        "f is not convex: its slope falls from 1 to -1 at u = 1"
    );
    assert_eq!(error(minus(u(), one())), "f is a straight line: its divergence is the same for all distributions");
    assert_eq!(error(ln(minus(u(), number(0.5)))), "f has no value at 0.000001; it must have one for every u > 0");
    assert_eq!(error(sign(minus(u(), one()))), "f jumps from -1 to 1 at u = 1");
}

#[test]
fn what_is_not_solved_has_a_bound_without_a_conjugate() {
    // Convex, but f′(u) = t has no closed form.
    let f = sum([times(u(), ln(u())), square(u()), power(u(), Number::whole(3))]);
    let found = derive(&f, "u").expect("it is convex");
    assert!(found.conjugate.is_none());
    let (g, composed) = (found.activation.expect("f′(eᵛ)"), found.composed.expect("k(eᵛ)"));
    for v in (-40..=10).map(|i| f64::from(i) * 0.1) {
        let wanted = supremum(|u| u * u.ln() + u * u + u.powi(3), g.value(v));
        assert!((composed.value(v) - wanted).abs() <= 1e-7 * (1.0 + wanted.abs()));
    }
}

/// Expressions at random: nothing panics, and what is derived is right.
#[test]
fn random_functions_end_with_a_result() {
    fn grow(seed: &mut u64, depth: usize) -> Expr {
        let mut below = |n: u64| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 33) % n
        };
        let choice = if depth == 0 { below(3) } else { below(14) };
        let constant = (below(9) as f64 - 4.0) * 0.5;
        let mut inner = || grow(seed, depth - 1);
        match choice {
            0 | 1 => u(),
            2 => number(constant),
            3 | 4 => plus(inner(), inner()),
            5 => minus(inner(), inner()),
            6 | 7 => times(inner(), inner()),
            8 => divided(inner(), inner()),
            9 => ln(inner()),
            10 => exp(inner()),
            11 => abs(inner()),
            12 => power(inner(), Number::of(constant)),
            _ => square(inner()),
        }
    }
    let mut seed = 7;
    let (mut convex, mut solved) = (0, 0);
    for _ in 0..1500 {
        let f = grow(&mut seed, 4);
        let Ok(found) = derive(&f, "u") else { continue };
        convex += 1;
        let Some(conjugate) = found.conjugate else { continue };
        solved += 1;
        // At the slope of f at u, f* is u·f′(u) − f(u).
        for u in [0.1, 0.3, 0.9, 1.4, 3.1, 8.0] {
            let h = 1e-5 * u;
            let t = (f.value(u + h) - f.value(u - h)) / (2.0 * h);
            let (found, wanted) = (conjugate.rounded(t), u * t - f.value(u));
            if f.value(u + h).abs() > 1e100 || f.value(u - h).abs() > 1e100 {
                continue;
            }
            let near = 1e-5 * (1.0 + wanted.abs() + (u * t).abs()) + found.error;
            assert!((found.value - wanted).abs() <= near, "{f}: f*({t}) = {}, not {wanted}\n{conjugate}", found.value);
        }
    }
    assert!(convex > 50 && solved > 30, "{convex} convex, {solved} solved");
}
