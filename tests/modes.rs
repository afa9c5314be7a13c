//! Training mode and inference mode, initial values, which data a fit wants, and what a build refuses.

use saddlepoint::prelude::*;

gan! {
    /// One net that drops in training only, one that always drops; a hyper that counts steps.
    pub model Modes {
        data  x: [64];
        hyper count: f32 = step;
        net F(x: [64]) -> [64] { x.prelu().dropout(0.5) }
        net A(x: [64]) -> [64] { x.prelu().dropout(0.5, always = true) }
        #[frozen]
        net Z(x: [64]) -> [64] { x.prelu().dropout(0.5) }
        player P updates (F, A) minimizes { E[F(x)] + E[A(x)] }
        train { P: sgd(0.0); }
        metric dropped = E[F(x) == 0.0];
        metric frozen = E[Z(x) == 0.0];
        output plain(x) = F(x);
        output always(x) = A(x);
        output counted(x) = x * count;
    }
}

fn zeros(values: &Tensor) -> usize {
    values.as_slice().iter().filter(|v| **v == 0.0).count()
}

#[test]
fn only_training_drops() {
    let mut model = Modes::build(Config::new().batch(8).seed(3)).expect("the model builds");
    let x = Tensor::new([8, 64], vec![1.0; 512]).expect("a batch");
    assert_eq!(model.plain(&x).expect("an output"), x);
    let always = model.always(&x).expect("an output");
    assert!((150..362).contains(&zeros(&always)), "{} of 512 dropped", zeros(&always));
    model.step(&[ModesBatch { x }]).expect("a step");
    let metrics = model.metrics().expect("metrics");
    assert!((0.3..0.7).contains(&metrics.dropped), "{}", metrics.dropped);
    assert_eq!(metrics.frozen, 0.0, "a frozen net is used, not trained");
}

#[test]
fn hypers_of_outputs_are_those_of_the_step_however_often_outputs_are_called() {
    let mut model = Modes::build(Config::new().batch(8).seed(3)).expect("the model builds");
    let x = Tensor::new([8, 64], vec![1.0; 512]).expect("a batch");
    for step in 0..3 {
        for _ in 0..2 {
            let counted = model.counted(&x).expect("an output");
            assert_eq!(counted.as_slice()[0], step as f32);
        }
        model.step(&[ModesBatch { x: x.clone() }]).expect("a step");
    }
}

gan! {
    /// A field for a metric, one for a later phase; a normalisation beside layers with initial values of their own.
    pub model Fields {
        data pair { x: [2, 3], y: [1], later: [1] }
        #[init(zeros())]
        net D(x: [2, 3]) -> [1] { x.layer_norm().flatten().dense(1) }
        player D minimizes { E[D(x)] }
        player Late updates D minimizes { E[D(x) * later] }
        train { D, Late: sgd(0.0); }
        phase first: D;
        phase second: Late;
        metric mean = E[y];
    }
}

#[test]
fn initial_values_leave_normalisations_alone() {
    let model = Fields::build(Config::new().batch(2)).expect("the model builds");
    assert_eq!(model.parameter("D.layer_norm_0.weight").expect("it is there").as_slice(), [1.0; 6]);
    assert_eq!(model.parameter("D.dense_0.weight").expect("it is there").as_slice(), [0.0; 6]);
}

#[test]
fn a_fit_wants_what_the_phase_and_the_metrics_use() {
    let mut model = Fields::build(Config::new().batch(2)).expect("the model builds");
    let column = |shape: Vec<usize>| saddlepoint::InMemory::from(Tensor::zeros(shape));
    let two =
        saddlepoint::Columns::new("two", vec![("x", column(vec![4, 2, 3])), ("y", column(vec![4, 1]))]).expect("columns");
    let one = saddlepoint::Columns::new("one", vec![("x", column(vec![4, 2, 3]))]).expect("columns");
    model.fit(&two, Fit::steps(1).quiet()).expect("`later` is not used in this phase");
    let error = model.fit(&one, Fit::steps(1).quiet()).expect_err("the metric needs y").to_string();
    assert!(error.contains("`y`"), "{error}");
    model.enter(FieldsPhase::second);
    let error = model.fit(&two, Fit::steps(1).quiet()).expect_err("this phase needs later").to_string();
    assert!(error.contains("`later`"), "{error}");
}
