//! 31. Triple-GAN (Li et al. 2017): classifier and generator both make pairs of picture and label.
//!
//! A label is discrete, so the classifier's adversarial part is summed over all labels, weighted with its probabilities
//! p_C(y|x); generated pairs teach it only from a later step on, by the schedule of alpha.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// The players take their turns as D, C, G.
    pub model Triple {
        data labelled { x: [4], y: class(3) }
        data free { x: [4] }
        noise z: normal([2]);
        noise yg: categorical(3);
        hyper alpha: f32 = 0.1 * (progress > 0.3);
        net G(y: class(3), z: [2]) -> [4] { concat(z, y.one_hot()).dense(5).tanh().dense(4).tanh() }
        net D(x: [4], y: class(3)) -> [1] { concat(x, y.one_hot()).dense(6).leaky_relu(0.2).dense(5).leaky_relu(0.2).dense(1) }
        net C(x: [4]) -> [3] { x.dense(6).batch_norm().relu().dropout(0.5).dense(5).relu().dense(3) }
        let made = G(yg, z);
        let guess = C(free.x);
        player D minimizes {
            E[softplus(-D(labelled.x, labelled.y))] + 0.5 * E[softplus(D(free.x, sample(guess)))] + 0.5 * E[softplus(D(made, yg))]
        }
        player C minimizes {
            let fooled = vmap(classes(3), |y| -softplus(D(free.x, y))).reshape([3]);
            0.5 * E[(guess.softmax() * fooled).sum()] + E[cross_entropy(C(labelled.x), labelled.y)]
                + alpha * E[cross_entropy(C(made), yg)]
        }
        player G minimizes { 0.5 * E[softplus(-D(made, yg))] }
        train { D, C, G: adam(2e-4, beta1 = 0.5); }
        output classify(x: [4]) = argmax(C(x));
        output sample(yg) = G(yg, z);
    }
}

fn generator(t: &Point<'_>, y: &Array, z: &Array) -> Array {
    t.dense("G.dense_1", &t.dense("G.dense_0", &Array::concat(&[z, &y.one_hot(3)], 1)).tanh()).tanh()
}

/// Labels and pictures for them.
fn made(t: &Point<'_>) -> (Array, Array) {
    let y = t.categorical(3, &[t.batch()]);
    let x = generator(t, &y, &t.normal(&[t.batch(), 2]));
    (y, x)
}

/// D(x, y).
fn judged(t: &Point<'_>, x: &Array, y: &Array) -> Array {
    let h = t.dense("D.dense_0", &Array::concat(&[x, &y.one_hot(3)], 1)).leaky_relu(0.2);
    t.dense("D.dense_2", &t.dense("D.dense_1", &h).leaky_relu(0.2)).reshape(&[x.shape()[0]])
}

fn classifier(t: &Point<'_>, x: &Array) -> Array {
    let h = t.batch_norm("C.batch_norm_0", &t.dense("C.dense_0", x)).relu();
    t.dense("C.dense_2", &t.dense("C.dense_1", &t.dropout(&h, 0.5)).relu())
}

#[test]
fn a_discrete_label_is_weighted_with_its_probability() {
    let system = System::of(&Triple::build(Config::new().batch(4)).expect("it builds"));
    system.loss("D", |t| {
        let labelled = (-judged(t, &t.data("labelled.x"), &t.data("labelled.y"))).softplus().mean();
        let x = t.data("free.x");
        let guessed = judged(t, &x, &t.sample(&classifier(t, &x))).softplus().mean();
        let (y, x) = made(t);
        labelled + 0.5 * guessed + 0.5 * judged(t, &x, &y).softplus().mean()
    });
    system.loss("C", |t| {
        let x = t.data("free.x");
        let p = classifier(t, &x).softmax();
        // Each label for each sample by itself: p_C(y|x)·ln(1 − σ(D(x, y))).
        let mut fooled = 0.0;
        for i in 0..t.batch() {
            for y in 0..3 {
                let verdict = judged(t, &x.rows(&[i]), &Array::new(&[1], vec![y as f64])).value();
                fooled += p.values()[3 * i + y] * (1.0 - 1.0 / (1.0 + (-verdict).exp())).ln();
            }
        }
        let labelled = classifier(t, &t.data("labelled.x")).cross_entropy(&t.data("labelled.y")).mean();
        let (y, x) = made(t);
        let generated = classifier(t, &x).cross_entropy(&y).mean();
        0.5 * fooled / t.batch() as f64 + labelled + t.hyper("alpha") * generated
    });
    system.loss("G", |t| {
        let (y, x) = made(t);
        0.5 * (-judged(t, &x, &y)).softplus().mean()
    });
    system.output("classify", 0, |t| {
        let h = t.batch_norm_inference("C.batch_norm_0", &t.dense("C.dense_0", &t.argument("x"))).relu();
        t.dense("C.dense_2", &t.dense("C.dense_1", &h).relu()).argmax()
    });
    system.output("sample", 0, |t| {
        let y = t.argument("yg");
        generator(t, &y, &t.normal(&[t.batch(), 2]))
    });
    system.audit();
}

fn batch() -> TripleBatch {
    let x = |by: f32| Tensor::new([4, 4], (0..16).map(|i| (by * i as f32).sin()).collect()).expect("points");
    let y = Classes::new([4], 3, vec![0, 1, 2, 1]).expect("labels");
    TripleBatch { labelled: TripleLabelled { x: x(0.7), y }, free: TripleFree { x: x(1.3) } }
}

/// The weight of generated pairs after some of ten steps, and what the classifier's next turn makes of it, with the generator as
/// it is or another.
fn after(steps: usize, other: bool) -> (f32, Tensor) {
    let mut model = Triple::build(Config::new().batch(4).seed(4).horizon(10)).expect("it builds");
    for _ in 0..steps {
        model.step(&[batch()]).expect("a step");
    }
    if other {
        let weight = Tensor::new([4, 5], (0..20).map(|i| (i as f32).cos()).collect()).expect("a weight");
        model.set_parameter("G.dense_1.weight", &weight).expect("set");
    }
    model.turn(TriplePlayer::C, &batch()).expect("a turn");
    (model.alpha(), model.parameter("C.dense_1.weight").expect("a weight"))
}

#[test]
fn generated_pairs_teach_the_classifier_from_a_later_step_on() {
    let (early, late) = (after(1, false), after(6, false));
    assert_eq!((early.0, late.0), (0.0, 0.1));
    assert_eq!(after(1, true).1, early.1);
    assert_ne!(after(6, true).1, late.1);
}
