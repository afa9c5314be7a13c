//! 20. f-GAN (Nowozin, Cseke and Tomioka 2016): every divergence of the table, from f alone.
//!
//! V ends in the activation g that keeps its values where f* is finite; single-step training moves both players from one
//! evaluation; alternating training may give G the value E g(V(G(z))) instead.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

const PI: f64 = 0.3;

/// A row of the table.
struct Row {
    f: fn(f64) -> f64,
    conjugate: fn(f64) -> f64,
    activation: fn(f64) -> f64,
    threshold: f64,
}

/// A divergence trained both ways.
macro_rules! family {
    ($name:ident: $($f:tt)+) => {
        #[allow(unused_variables)] // not every f has a PI
        mod $name {
            use saddlepoint::prelude::*;
            gan! {
                /// One evaluation, both gradients, then both updates.
                pub model SingleStep {
                    const PI: f32 = 0.3;
                    data x: [2];
                    noise z: normal([2]);
                    divergence d(u) = $($f)+;
                    net G(z: [2]) -> [2] { z.dense(4).tanh().dense(2) }
                    net V(x: [2]) -> [1] { x.dense(4).tanh().dense(1) }
                    min G, max V { d.bound(V(x), V(G(z))) }
                    train simultaneous { V, G: adam(2e-4, beta1 = 0.5); }
                    metric taken_for_real = E[d.activation(V(G(z))) > d.threshold()];
                }
            }
            gan! {
                /// V's turn, then G's, which ascends what V gives its samples.
                pub model Alternating {
                    const PI: f32 = 0.3;
                    data x: [2];
                    noise z: normal([2]);
                    divergence d(u) = $($f)+;
                    net G(z: [2]) -> [2] { z.dense(4).tanh().dense(2) }
                    net V(x: [2]) -> [1] { x.dense(4).tanh().dense(1) }
                    player V maximizes { d.bound(V(x), V(G(z))) }
                    player G maximizes { E[d.activation(V(G(z)))] }
                    train { V, G: adam(2e-4, beta1 = 0.5); }
                }
            }
        }
    };
}

family!(kullback_leibler: u * ln(u));
family!(reverse_kullback_leibler: -ln(u));
family!(pearson: square(u - 1));
family!(neyman: square(1 - u) / u);
family!(hellinger: square(sqrt(u) - 1));
family!(jeffrey: (u - 1) * ln(u));
family!(jensen_shannon: -(u + 1) * ln((1 + u) / 2) + u * ln(u));
family!(weighted_jensen_shannon: PI * u * ln(u) - (1 - PI + PI * u) * ln(1 - PI + PI * u));
family!(gan: u * ln(u) - (u + 1) * ln(u + 1));
family!(total_variation: 0.5 * abs(u - 1));

fn real(t: &Point<'_>) -> Array {
    score(t, &t.data("x"))
}

fn fake(t: &Point<'_>) -> Array {
    score(t, &t.dense("G.dense_1", &t.dense("G.dense_0", &t.normal(&[t.batch(), 2])).tanh()))
}

fn score(t: &Point<'_>, x: &Array) -> Array {
    t.dense("V.dense_1", &t.dense("V.dense_0", x).tanh())
}

impl Row {
    /// f*(g(v)) in the mean, by the table; the table by the definition, the largest ut − f(u).
    fn conjugates(&self, scores: &Array) -> f64 {
        let slopes = scores.map(self.activation);
        for t in slopes.values() {
            let (table, largest) = ((self.conjugate)(*t), self.largest(*t));
            assert!((table - largest).abs() < 1e-6 * (1.0 + table.abs()), "f*({t}): {table} in the table, {largest} found");
        }
        slopes.map(self.conjugate).mean()
    }

    /// The largest ut − f(u), concave in u, by halving an interval of ln u in the golden ratio.
    fn largest(&self, t: f64) -> f64 {
        let value = |s: f64| s.exp() * t - (self.f)(s.exp());
        let (mut low, mut high) = (-20.0, 20.0);
        for _ in 0..100 {
            let step = (high - low) * 0.618_033_988_749_895;
            match value(high - step) > value(low + step) {
                true => high = low + step,
                false => low = high - step,
            }
        }
        value(low)
    }

    fn single_step(&self, system: System) {
        system.gain("V", |t| real(t).map(self.activation).mean() - self.conjugates(&fake(t)));
        // The term that G cannot move is left out of its value.
        system.loss("G", |t| -self.conjugates(&fake(t)));
        system.metric("taken_for_real", |t| fake(t).map(|v| f64::from((self.activation)(v) > self.threshold)).mean());
        system.audit();
    }

    fn alternating(&self, system: System) {
        system.gain("V", |t| real(t).map(self.activation).mean() - self.conjugates(&fake(t)));
        system.gain("G", |t| fake(t).map(self.activation).mean());
        system.audit();
    }
}

macro_rules! check {
    ($name:ident, $row:expr) => {
        #[test]
        fn $name() {
            let row = $row;
            row.single_step(System::of(&$name::SingleStep::build(Config::new().batch(4)).expect("it builds")));
            row.alternating(System::of(&$name::Alternating::build(Config::new().batch(4)).expect("it builds")));
        }
    };
}

check!(kullback_leibler, Row { f: |u| u * u.ln(), conjugate: |t| (t - 1.0).exp(), activation: |v| v, threshold: 1.0 });
check!(
    reverse_kullback_leibler,
    Row { f: |u| -u.ln(), conjugate: |t| -1.0 - (-t).ln(), activation: |v| -(-v).exp(), threshold: -1.0 }
);
check!(
    pearson,
    Row {
        f: |u| (u - 1.0).powi(2),
        conjugate: |t| if t >= -2.0 { t * t / 4.0 + t } else { -1.0 },
        activation: |v| v,
        threshold: 0.0,
    }
);
check!(
    neyman,
    Row {
        f: |u| (1.0 - u).powi(2) / u,
        conjugate: |t| 2.0 - 2.0 * (1.0 - t).sqrt(),
        activation: |v| 1.0 - (-v).exp(),
        threshold: 0.0,
    }
);
check!(
    hellinger,
    Row { f: |u| (u.sqrt() - 1.0).powi(2), conjugate: |t| t / (1.0 - t), activation: |v| 1.0 - (-v).exp(), threshold: 0.0 }
);
check!(
    jeffrey,
    Row {
        f: |u| (u - 1.0) * u.ln(),
        conjugate: |t| {
            let w = lambert_w((1.0 - t).exp());
            w + 1.0 / w + t - 2.0
        },
        activation: |v| v,
        threshold: 0.0,
    }
);
check!(
    jensen_shannon,
    Row {
        f: |u| -(u + 1.0) * ((1.0 + u) / 2.0).ln() + u * u.ln(),
        conjugate: |t| -(2.0 - t.exp()).ln(),
        activation: |v| std::f64::consts::LN_2 - softplus(-v),
        threshold: 0.0,
    }
);
check!(
    weighted_jensen_shannon,
    Row {
        f: |u| PI * u * u.ln() - (1.0 - PI + PI * u) * (1.0 - PI + PI * u).ln(),
        conjugate: |t| (1.0 - PI) * ((1.0 - PI) / (1.0 - PI * (t / PI).exp())).ln(),
        activation: |v| -PI * (PI + (1.0 - PI) * (-v).exp()).ln(),
        threshold: 0.0,
    }
);
check!(
    gan,
    Row {
        f: |u| u * u.ln() - (u + 1.0) * (u + 1.0).ln(),
        conjugate: |t| -(1.0 - t.exp()).ln(),
        activation: |v| -softplus(-v),
        threshold: -std::f64::consts::LN_2,
    }
);
check!(
    total_variation,
    Row {
        f: |u| 0.5 * (u - 1.0).abs(),
        conjugate: |t| if t >= -0.5 { t } else { -0.5 },
        activation: |v| 0.5 * v.tanh(),
        threshold: 0.0,
    }
);

/// w with w·eʷ = z, by Newton's method.
fn lambert_w(z: f64) -> f64 {
    let mut w = if z < 1.0 { z } else { z.ln() };
    for _ in 0..100 {
        w -= (w * w.exp() - z) / (w.exp() * (w + 1.0));
    }
    w
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
