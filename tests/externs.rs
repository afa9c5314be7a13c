//! Extern nets: a net of a trained model stands in another one, with its own constants, helpers, statistics and averages.

use saddlepoint::prelude::*;
use saddlepoint::{Error, Tensor};

fn swish(x: Expr) -> Expr {
    &x * x.sigmoid()
}

mod teacher {
    use saddlepoint::prelude::*;

    pub const WIDTH: usize = 6;

    gan! {
        /// A generator that uses everything a net may use: constants, a hyper, a helper, another net, a Rust function.
        pub model Teacher {
            const DEPTH: usize;
            const BENT: bool = true;
            data  x: [2];
            noise z: normal([3]);
            hyper gain: f32 = 1.5;
            fn bend(h, by) { if BENT { leaky_relu(h, by) } else { h } }
            net Trunk(z: [3]) -> [WIDTH] { z.dense(WIDTH).batch_norm() }
            #[ema(0.5)]
            net G(z: [3]) -> [2] {
                let mut h = Trunk(z);
                for DEPTH in [DEPTH, 2] { h = bend(h - 0.1, 0.1 * DEPTH); }
                gain * crate::swish(h).repeat([4], |gain, n| gain.dense(n)).dense(2)
            }
            #[spectral_norm]
            net D(x: [2]) -> [1] { x.dense(5).tanh().dense(1) }
            player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
            player G updates (G, Trunk) minimizes { E[softplus(-D(G(z)))] }
            train { D, G: adam(0.01); }
            output render(z) = G(z);
            output score(x) = D(x);
        }
    }
}
use teacher::{Teacher, TeacherBatch, TeacherConsts, TeacherNet};

gan! {
    /// The teacher's generator under another name, and its critic.
    pub model Student {
        data  x: [2];
        extern net Imitated(code: [3]) -> [2] = crate::teacher::Teacher::G;
        extern net D(x: [2]) -> [1] = teacher::Teacher::D;
        net Enc(x: [2]) -> [3] { x.dense(3) }
        player Enc minimizes { E[square(Imitated(Enc(x)) - x).sum()] - 0.01 * E[D(Imitated(Enc(x)))] }
        train { Enc: adam(0.01); }
        output render(z: [3]) = Imitated(z);
        output score(x) = D(x);
    }
}

gan! {
    /// The critic taken up again and trained on.
    pub model Tuned {
        data  x: [2];
        extern net D(x: [2]) -> [1] = crate::teacher::Teacher::D;
        player D minimizes { E[square(D(x))] }
        train { D: sgd(0.1); }
        output score(x) = D(x);
    }
}

gan! {
    /// Declares another signature than the net has.
    pub model Narrow {
        data  x: [2];
        extern net D(x: [2]) -> [2] = crate::Plain::D;
        player D minimizes { E[square(D(x)).sum()] }
        train { D: sgd(0.1); }
    }
}

gan! {
    /// A critic without open constants.
    pub model Plain {
        data  x: [2];
        net D(x: [2]) -> [1] { x.dense(4).relu().dense(1) }
        player D minimizes { E[square(D(x) - 1.0)] }
        train { D: sgd(0.1); }
        output score(x) = D(x);
    }
}

gan! {
    /// Trained from scratch: the body is known without a trained model.
    pub model Fresh {
        data  x: [2];
        extern net D(x: [2]) -> [1] = crate::Plain::D;
        player D minimizes { E[square(D(x))] }
        train { D: sgd(0.1); }
        output score(x) = D(x);
    }
}

const DEPTH: TeacherConsts = TeacherConsts { DEPTH: 3 };

fn points(n: usize) -> Tensor {
    let values = (0..n).map(|i| i as f32).flat_map(|i| [(i * 0.7).sin(), (i * 1.3).cos()]).collect();
    Tensor::new([n, 2], values).expect("points")
}

fn codes(n: usize) -> Tensor {
    let values = (0..n).map(|i| i as f32).flat_map(|i| [i.sin(), (i * 2.1).cos(), 0.1 * i]).collect();
    Tensor::new([n, 3], values).expect("codes")
}

fn trained() -> Teacher {
    let mut teacher = Teacher::build(DEPTH, Config::new().batch(8).seed(3)).expect("the teacher builds");
    for _ in 0..20 {
        teacher.step(&[TeacherBatch { x: points(8) }]).expect("a step");
    }
    teacher.set_gain(0.75);
    teacher
}

fn close(what: &str, a: &Tensor, b: &Tensor) {
    let far = a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-6, "{what}: {far}");
}

#[test]
fn a_given_net_computes_what_it_computes_at_home() {
    let mut teacher = trained();
    let mut student = Student::build(Config::new().batch(8).give(&teacher)).expect("the student builds");
    close("G", &student.render(&codes(8)).expect("images"), &teacher.render(&codes(8)).expect("images"));
    close("D", &student.score(&points(8)).expect("scores"), &teacher.score(&points(8)).expect("scores"));
    // Nothing of it moves while another net is trained through it, statistics included.
    for _ in 0..5 {
        student.step(&[StudentBatch { x: points(8) }]).expect("a step");
    }
    close("G", &student.render(&codes(8)).expect("images"), &teacher.render(&codes(8)).expect("images"));
    let loss = student.metrics().expect("metrics").Enc;
    for _ in 0..100 {
        student.step(&[StudentBatch { x: points(8) }]).expect("a step");
    }
    assert!(student.metrics().expect("metrics").Enc < loss, "the encoder learns through the extern net");
}

#[test]
fn a_player_may_go_on_training_a_given_net() {
    let mut teacher = trained();
    let mut tuned = Tuned::build(Config::new().batch(8).give(&teacher)).expect("it builds");
    let before = teacher.score(&points(8)).expect("scores");
    close("D", &tuned.score(&points(8)).expect("scores"), &before);
    tuned.step(&[TunedBatch { x: points(8) }]).expect("a step");
    assert_ne!(tuned.score(&points(8)).expect("scores"), before);
    assert_eq!(teacher.score(&points(8)).expect("scores"), before, "the teacher keeps its own");
}

#[test]
fn what_cannot_be_had_is_said() {
    let missing = Student::build(Config::new().batch(8)).err().expect("nothing was given");
    assert!(matches!(&missing, Error::Missing { net } if net == "Imitated"), "{missing}");
    assert!(missing.to_string().contains("Config::give"), "{missing}");
    let open = Tuned::build(Config::new().batch(8)).err().expect("its model has open constants");
    assert!(matches!(&open, Error::Missing { .. }), "{open}");
    let narrow = Narrow::build(Config::new().batch(8)).err().expect("another signature").to_string();
    assert!(
        narrow.contains("externs.rs:") && narrow.contains("([2]) -> [2]") && narrow.contains("([2]) -> [1]"),
        "{narrow}"
    );
}

#[test]
fn an_untrained_body_can_be_trained_from_scratch_and_copied() {
    let mut fresh = Fresh::build(Config::new().batch(8).seed(5)).expect("it builds");
    fresh.step(&[FreshBatch { x: points(8) }]).expect("a step");
    let mut plain = Plain::build(Config::new().batch(8).seed(9)).expect("it builds");
    plain.copy_net(PlainNet::D, &fresh, FreshNet::D).expect("the same layers");
    assert_eq!(plain.score(&points(8)).expect("scores"), fresh.score(&points(8)).expect("scores"));
    let teacher = trained();
    let refused = plain.copy_net(PlainNet::D, &teacher, TeacherNet::D).expect_err("other layers").to_string();
    assert!(refused.contains("D.dense_0") && refused.contains("[4]") && refused.contains("[5]"), "{refused}");
    assert_eq!(plain.score(&points(8)).expect("scores"), fresh.score(&points(8)).expect("scores"), "nothing changed");
}
