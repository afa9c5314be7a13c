//! System 15. Transfer that keeps an embedding (Taigman, Polyak and Wolf 2017, the f-constancy of domain transfer networks):
//! beside the adversary, φ of the picture and φ of its translation stay near. φ is the trunk of a classifier trained before
//! on X, frozen with its statistics; the gradient passes through it to its input.

use crate::harness::{Array, Point, System, waves};
use saddlepoint::prelude::*;

gan! {
    /// The classifier of domain X whose trunk is φ.
    pub model Classifier {
        data picture { x: [1, 4, 4], y: class(3) }
        net Phi(x: [1, 4, 4]) -> [5] { x.conv(3, kernel = 3, stride = 2, pad = 1).batch_norm().tanh().flatten().dense(5) }
        net Head(h: [5]) -> [3] { h.tanh().dense(3) }
        player C updates (Phi, Head) minimizes { E[cross_entropy(Head(Phi(x)), y)] }
        train { C: adam(0.05); }
        output embed(x) = Phi(x);
    }
}

gan! {
    /// φ comes from the classifier.
    pub model Consistent {
        data x: [1, 4, 4];
        data y: [1, 4, 4];
        hyper lambda: f32 = 3.0;
        extern net Phi(x: [1, 4, 4]) -> [5] = crate::s15_embedding_consistency::Classifier::Phi;
        net G(x: [1, 4, 4]) -> [1, 4, 4] {
            x.conv(4, kernel = 3, pad = 1).leaky_relu(0.2).conv(1, kernel = 3, pad = 1).tanh()
        }
        net D(y: [1, 4, 4]) -> [1] { y.conv(3, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2).flatten().dense(1) }
        let fake = G(x);
        let kept = E[square(Phi(x) - Phi(fake)).sum()];
        player D minimizes { E[softplus(-D(y))] + E[softplus(D(fake))] }
        player G minimizes { E[softplus(-D(fake))] + lambda * kept }
        train { D: adam(2e-4, beta1 = 0.5); G: adam(0.02); }
        metric kept = kept;
        output translate(x) = G(x);
        output embed(x) = Phi(x);
    }
}

fn trained() -> Classifier {
    let mut classifier = Classifier::build(Config::new().batch(6).seed(2)).expect("it builds");
    let y = Classes::new([6], 3, vec![0, 1, 2, 0, 1, 2]).expect("classes");
    for step in 0..10 {
        let picture = ClassifierPicture { x: waves(&[6, 1, 4, 4], 0.1 * step as f32), y: y.clone() };
        classifier.step(&[ClassifierBatch { picture }]).expect("a step");
    }
    classifier
}

fn given(classifier: &Classifier) -> Consistent {
    Consistent::build(Config::new().batch(3).seed(4).give(classifier)).expect("it builds")
}

fn embed(t: &Point<'_>, x: &Array) -> Array {
    let h = t.batch_norm_inference("Phi.batch_norm_0", &t.conv("Phi.conv_0", x, 2, 1));
    t.dense("Phi.dense_0", &h.tanh().flatten())
}

fn generator(t: &Point<'_>, x: &Array) -> Array {
    t.conv("G.conv_1", &t.conv("G.conv_0", x, 1, 1).leaky_relu(0.2), 1, 1).tanh()
}

fn logit(t: &Point<'_>, y: &Array) -> Array {
    t.dense("D.dense_0", &t.conv("D.conv_0", y, 2, 1).leaky_relu(0.2).flatten())
}

fn kept(t: &Point<'_>) -> f64 {
    let x = t.data("x");
    (embed(t, &x) - embed(t, &generator(t, &x))).square().sum_each().mean()
}

#[test]
fn a_frozen_embedding_passes_gradients_to_its_input() {
    let system = System::of(&given(&trained()));
    system.loss("D", |t| {
        (-logit(t, &t.data("y"))).softplus().mean() + logit(t, &generator(t, &t.data("x"))).softplus().mean()
    });
    system.loss("G", |t| (-logit(t, &generator(t, &t.data("x")))).softplus().mean() + 3.0 * kept(t));
    system.metric("kept", kept);
    system.output("translate", 0, |t| generator(t, &t.argument("x")));
    system.audit();
}

#[test]
fn the_embedding_is_the_classifiers_and_stays_it() {
    let mut classifier = trained();
    let mut model = given(&classifier);
    let probe = waves(&[4, 1, 4, 4], 0.9);
    let wanted = classifier.embed(&probe).expect("an embedding");
    let batch = ConsistentBatch { x: waves(&[3, 1, 4, 4], 0.2), y: waves(&[3, 1, 4, 4], 2.0) };
    model.set_lambda(30.0);
    model.step(std::slice::from_ref(&batch)).expect("a step");
    let first = model.metrics().expect("metrics").kept;
    for _ in 0..40 {
        model.step(std::slice::from_ref(&batch)).expect("a step");
    }
    let last = model.metrics().expect("metrics").kept;
    assert!(last < 0.5 * first, "translations come nearer in the embedding: {first} to {last}");
    let found = model.embed(&probe).expect("an embedding");
    let far = found.as_slice().iter().zip(wanted.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-6, "the embedding moved by {far}");
}
