//! 38. Editing under a constraint (Zhu et al. 2016; Brock et al. 2017): a picture is to have what the user painted.
//!
//! Its code is moved until it has, near the code it came from and where the discriminator finds the picture real. Generator and
//! discriminator are frozen.

use crate::harness::{Array, Point, System};
use crate::s34_inversion::{codes, generator, trained, trunk};
use saddlepoint::prelude::*;

gan! {
    /// One code for each wish, which starts at the picture's.
    pub model Edit {
        data wish { z0: [3], mask: [1, 4, 4], colour: [1, 4, 4] }
        extern net G(z: [3]) -> [1, 4, 4] = crate::s34_inversion::Toy::G;
        extern net D(x: [1, 4, 4]) -> [1] = crate::s34_inversion::Toy::D;
        hyper near: f32 = 0.1;
        hyper real: f32 = 0.01;
        latent z: [3] per wish = z0;
        let image = G(z);
        player z minimizes {
            E[(mask * square(image - colour)).sum() + near * square(z - z0).sum() - real * ln(D(image)).sum()]
        }
        train { z: adam(0.02); }
        output render(z) = G(z);
        output score(z) = D(G(z));
    }
}

/// The given critic's score; its trunk comes along under its name.
fn logit(t: &Point<'_>, x: &Array) -> Array {
    t.dense("D.dense_0", &trunk(t, "D.Trunk", x))
}

#[test]
fn painted_near_and_real() {
    let system = System::of(&Edit::build(Config::new().batch(4).give(&trained())).expect("it builds"));
    system.loss("z", |t| {
        let z = t.parameter("latent.z");
        let image = generator(t, &z);
        let painted = (t.data("wish.mask") * (&image - t.data("wish.colour")).square()).sum_each().mean();
        let moved = (z - t.data("wish.z0")).square().sum_each().mean();
        painted + t.hyper("near") * moved + t.hyper("real") * (-logit(t, &image)).softplus().mean()
    });
    system.output("render", 0, |t| generator(t, &t.argument("z")));
    system.output("score", 0, |t| logit(t, &generator(t, &t.argument("z"))).sigmoid());
    system.audit();
}

/// What an edit of four pictures comes to, in the mean: what is left of the constraint, the way from the start, and D's score.
struct Edited {
    constraint: f32,
    way: f32,
    score: f32,
}

fn edited(steps: u64, near: f32, real: f32) -> Edited {
    let mut toy = trained();
    let z0 = codes(4, 0.4);
    // The left half is to look like another picture's.
    let colour = toy.render(&codes(4, 1.1)).expect("pictures");
    let mask = Tensor::new([4, 1, 4, 4], (0..64).map(|i| if i % 4 < 2 { 1.0 } else { 0.0 }).collect()).expect("masks");
    let mut model = Edit::build(Config::new().batch(4).give(&toy)).expect("it builds");
    model.set_near(near);
    model.set_real(real);
    model.fit(&(z0.clone(), mask.clone(), colour.clone()), Fit::steps(steps).quiet()).expect("a fit");
    let z = model.z().expect("the table");
    let image = model.render(&z).expect("pictures");
    let score = model.score(&z).expect("scores");
    for (ours, theirs) in [(&image, toy.render(&z)), (&score, toy.score(&image))] {
        let theirs = theirs.expect("the toy's own");
        let far = ours.as_slice().iter().zip(theirs.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-6, "a net that was given has moved by {far}");
    }
    let squares = |a: &Tensor, b: &Tensor| -> Vec<f32> {
        a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).powi(2)).collect()
    };
    let painted = squares(&image, &colour).iter().zip(mask.as_slice()).map(|(s, m)| s * m).sum::<f32>();
    Edited {
        constraint: painted / 4.0,
        way: squares(&z, &z0).iter().sum::<f32>() / 4.0,
        score: score.as_slice().iter().sum::<f32>() / 4.0,
    }
}

#[test]
fn the_constraint_is_met_within_bounds() {
    let (start, plain) = (edited(1, 0.1, 0.01), edited(200, 0.1, 0.01));
    assert!(start.way < 0.01, "the way begins at z0");
    assert!(plain.constraint < 0.3 * start.constraint, "{} of {} is left", plain.constraint, start.constraint);
    let tied = edited(200, 100.0, 0.01);
    assert!(tied.way < 0.01 && plain.way > 0.1, "{} tied to the start, {} not", tied.way, plain.way);
    let realer = edited(200, 0.1, 1.0);
    assert!(realer.score > plain.score, "{} with weight on D, {} without", realer.score, plain.score);
}
