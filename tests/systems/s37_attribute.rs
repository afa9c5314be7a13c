//! 37. Attribute vectors (Radford et al. 2016; Larsen et al. 2016): what an attribute is among codes.
//!
//! It is the mean of the codes that have it less the mean of those that have it not. Codes are an output, the means the host's
//! arithmetic, the edit an output again.

use crate::harness::{Array, Point, System};
use crate::s34_inversion::{Toy, codes, generator, trained};
use crate::support::assert_close;
use saddlepoint::prelude::*;

gan! {
    /// An encoder for a generator that is given, and the edit of a picture by a step among codes.
    pub model Attribute {
        data x: [1, 4, 4];
        extern net G(z: [3]) -> [1, 4, 4] = crate::s34_inversion::Toy::G;
        net Enc(x: [1, 4, 4]) -> [3] { x.flatten().dense(8).tanh().dense(3) }
        player Enc minimizes { E[square(G(Enc(x)) - x).sum()] }
        train { Enc: adam(0.02); }
        output code(x) = Enc(x);
        output edit(x, by: [3]) = G(Enc(x) + by);
    }
}

const PICTURES: usize = 32;

fn encoder(t: &Point<'_>, x: &Array) -> Array {
    t.dense("Enc.dense_1", &t.dense("Enc.dense_0", &x.flatten()).tanh())
}

/// The attribute: more light than dark.
fn bright(x: &Tensor) -> Vec<bool> {
    (0..x.rows()).map(|i| x.row(i).iter().sum::<f32>() > 0.0).collect()
}

/// Pictures that clearly have the attribute or clearly have it not, as examples of one are: the ends of a larger set.
fn examples(toy: &mut Toy) -> Tensor {
    let all = toy.render(&codes(2 * PICTURES, 0.3)).expect("pictures");
    let light = |i: &usize| all.row(*i).iter().sum::<f32>();
    let mut order: Vec<usize> = (0..2 * PICTURES).collect();
    order.sort_by(|a, b| light(a).total_cmp(&light(b)));
    order.drain(PICTURES / 2..PICTURES / 2 + PICTURES);
    let values = order.iter().flat_map(|i| all.row(*i).to_vec()).collect();
    Tensor::new([PICTURES, 1, 4, 4], values).expect("pictures")
}

fn build(toy: &Toy) -> Attribute {
    Attribute::build(Config::new().batch(PICTURES).seed(37).give(toy)).expect("it builds")
}

/// The mean of the codes of bright pictures less that of dark ones.
fn direction(codes: &Tensor, bright: &[bool]) -> Vec<f32> {
    let mean = |wanted: bool, j: usize| {
        let rows = || (0..codes.rows()).filter(|i| bright[*i] == wanted);
        rows().map(|i| codes.row(i)[j]).sum::<f32>() / rows().count() as f32
    };
    (0..3).map(|j| mean(true, j) - mean(false, j)).collect()
}

#[test]
fn an_encoder_and_an_edit() {
    let system = System::of(&Attribute::build(Config::new().batch(4).give(&trained())).expect("it builds"));
    system.loss("Enc", |t| {
        let x = t.data("x");
        (generator(t, &encoder(t, &x)) - x).square().sum_each().mean()
    });
    system.output("code", 0, |t| encoder(t, &t.argument("x")));
    system.output("edit", 0, |t| generator(t, &(encoder(t, &t.argument("x")) + t.argument("by"))));
    system.audit();
}

#[test]
fn the_difference_of_means_turns_the_attribute_over() {
    let mut toy = trained();
    let x = examples(&mut toy);
    let has = bright(&x);
    let mut model = build(&toy);
    model.fit(&x, Fit::steps(200).quiet()).expect("a fit");
    let found = direction(&model.code(&x).expect("codes"), &has);

    // The same from the encoder's parameters, sums of signed codes all at once.
    let parameter = |name: &str| {
        let value = model.parameter(name).expect("a parameter");
        Array::new(value.shape(), value.as_slice().iter().map(|v| f64::from(*v)).collect())
    };
    let dense = |h: &Array, i: usize| {
        let weight = parameter(&format!("Enc.dense_{i}.weight")).transpose(&[1, 0]);
        h.matmul(&weight) + parameter(&format!("Enc.dense_{i}.bias"))
    };
    let pictures = Array::new(&[PICTURES, 16], x.as_slice().iter().map(|v| f64::from(*v)).collect());
    let code = dense(&dense(&pictures, 0).tanh(), 1);
    let n = has.iter().filter(|h| **h).count();
    let signs = has.iter().map(|h| if *h { 1.0 / n as f64 } else { -1.0 / (PICTURES - n) as f64 }).collect();
    let wanted = Array::new(&[1, PICTURES], signs).matmul(&code);
    assert_close("z_bright", &found.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), wanted.values(), 1e-5);

    let by = |sign: f32| {
        let step: Vec<f32> = found.iter().map(|v| sign * v).collect();
        Tensor::new([PICTURES, 3], step.repeat(PICTURES)).expect("steps")
    };
    let share = |model: &mut Attribute, sign: f32, wanted: bool| {
        let edited = bright(&model.edit(&x, &by(sign)).expect("pictures"));
        let others = || has.iter().zip(&edited).filter(|(before, _)| **before != wanted);
        others().filter(|(_, after)| **after == wanted).count() as f32 / others().count() as f32
    };
    let shares = [share(&mut model, 1.0, true), share(&mut model, -1.0, false)];
    assert!(shares.iter().all(|s| *s >= 0.8), "shares turned over: {shares:?}");
}
