//! Losses and gradients equal to PyTorch's in f64, for small versions of four workloads (`fixtures/make_parity.py` made the
//! files). Finite differences cannot notice a wrong objective or layout; these do.
//!
//! The workloads that speed is measured on (`benches/workloads/`) are these models but for their sizes, which is tested as well.
//! The sizes are multiples of a `WIDTH` there, so they are here, where it is 1.
//!
//! The models run through everything: macro, lowering, differentiation, rewriting, planning, machine code. Gradients are read
//! from Adam's first moment, which with β₁ = 0 is the gradient itself.

#[path = "support/devices.rs"]
mod devices;

use saddlepoint::prelude::*;
use saddlepoint_language::decode;
use saddlepoint_workloads::models::{W1, W2, W3, W4};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;

gan! {
    /// Two small dense nets without noise of their own: x and z come as data.
    pub model P1 {
        const WIDTH: usize = 1;
        data pair { x: [2], z: [2] }
        net G(z: [2]) -> [2] { z.dense(16 * WIDTH).relu().dense(16 * WIDTH).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(16 * WIDTH).relu().dense(16 * WIDTH).relu().dense(1) }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(1e-3, beta1 = 0.0); }
    }
}

gan! {
    /// Dense nets with tanh and leaky ReLU.
    pub model P2 {
        const WIDTH: usize = 1;
        data pair { x: [48], z: [8] }
        net G(z: [8]) -> [48] { z.dense(16 * WIDTH).relu().dense(32 * WIDTH).relu().dense(48).tanh() }
        net D(x: [48]) -> [1] { x.dense(32 * WIDTH).leaky_relu(0.2).dense(16 * WIDTH).leaky_relu(0.2).dense(1) }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(1e-3, beta1 = 0.0); }
    }
}

gan! {
    /// Convolutions of both kinds, batch norm in both nets.
    pub model P3 {
        const WIDTH: usize = 1;
        data pair { x: [1, 12, 12], z: [8] }
        net G(z: [8]) -> [1, 12, 12] {
            z.dense(8 * WIDTH * 3 * 3).reshape([8 * WIDTH, 3, 3]).batch_norm().relu()
                .conv_transpose(4 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 12, 12]) -> [1] {
            x.conv(4 * WIDTH, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(8 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .flatten().dense(1)
        }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(1e-3, beta1 = 0.0); }
    }
}

gan! {
    /// WGAN-GP: the compiler differentiates a gradient.
    pub model P4 {
        const WIDTH: usize = 1;
        data pair { x: [1, 12, 12], z: [8], eps: [1] }
        net G(z: [8]) -> [1, 12, 12] {
            z.dense(8 * WIDTH * 3 * 3).reshape([8 * WIDTH, 3, 3]).batch_norm().relu()
                .conv_transpose(4 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 12, 12]) -> [1] {
            x.conv(4 * WIDTH, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(8 * WIDTH, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .flatten().dense(1)
        }
        let fake = G(z);
        let mid = mix(x, fake, eps);
        player D minimizes { E[D(fake)] - E[D(x)] + 10.0 * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player G minimizes { -E[D(fake)] }
        train { D, G: adam(1e-3, beta1 = 0.0); }
    }
}

/// A fixture: every tensor in f64 with its shape.
struct Fixture(BTreeMap<String, (Vec<usize>, Vec<f64>)>);

impl Fixture {
    fn read(name: &str) -> Fixture {
        let path = format!("{}/tests/fixtures/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).expect("the fixture is in the repository");
        let file = SafeTensors::deserialize(&bytes).expect("a whole safetensors file");
        let values = file.tensors().into_iter().map(|(name, view)| {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F64 => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
                _ => data.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
            };
            (name, (view.shape().to_vec(), values))
        });
        Fixture(values.collect())
    }

    fn tensor(&self, name: &str) -> Tensor {
        let (shape, values) = &self.0[name];
        Tensor::new(shape.clone(), values.iter().map(|v| *v as f32).collect()).expect("shape and values agree")
    }

    fn parameters(&self) -> impl Iterator<Item = &String> {
        let own = |name: &&String| !name.starts_with("grad.") && !name.starts_with("loss.") && name.contains('.');
        self.0.keys().filter(own)
    }
}

/// Runs one turn of each player from the fixture's parameters and compares loss and gradients.
fn compare<M: Model>(
    fixture: &str,
    mut build: impl FnMut(Device) -> M,
    mut turn: impl FnMut(&mut M, &str, &Fixture) -> f32,
) {
    let expected = Fixture::read(fixture);
    let devices = devices::all();
    for (device, player) in devices.into_iter().flat_map(|device| [(device, "D"), (device, "G")]) {
        let mut model = build(device);
        for name in expected.parameters() {
            model.set_parameter(name, &expected.tensor(name)).expect("the fixture names this model's parameters");
        }
        let loss = f64::from(turn(&mut model, player, &expected));
        let wanted = expected.0[&format!("loss.{player}")].1[0];
        assert!((loss - wanted).abs() <= 1e-5 * wanted.abs().max(1.0), "{fixture} loss of {player}: {loss} for {wanted}");
        let prefix = format!("grad.{player}.");
        let mut compared = 0;
        for (name, (_, gradient)) in expected.0.iter().filter(|(name, _)| name.starts_with(&prefix)) {
            let parameter = &name["grad.".len()..];
            let found = model.engine().state(&format!("optimiser.{player}.m.{parameter}")).expect("Adam's first moment");
            let largest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
            // A bias before a batch norm has the gradient 0: what both sides compute there is rounding noise, which is
            // measured against the largest gradient of the player.
            let all = expected.0.iter().filter(|(n, _)| n.starts_with(&prefix)).flat_map(|(_, v)| &v.1);
            let noise = 1e-6 * all.fold(0.0f64, |m, g| m.max(g.abs()));
            let allowed = if largest < 1e-12 { noise } else { 1e-5 * largest };
            for (i, (f, g)) in found.as_slice().iter().zip(gradient).enumerate() {
                let error = (f64::from(*f) - g).abs();
                assert!(error <= allowed, "{fixture} {name}[{i}]: {f} for {g}, allowed {allowed:e}");
            }
            compared += 1;
        }
        assert!(compared >= 6, "{fixture}: only {compared} gradients of {player} were compared");
    }
}

macro_rules! parity {
    ($test:ident, $model:ident, $batch_type:ident, $pair:ident, $player:ident, $file:literal, $batch:literal, [$($field:ident),*]) => {
        #[test]
        fn $test() {
            compare(
                $file,
                |device| $model::build(Config::new().batch($batch).seed(1).device(device)).expect("the model builds"),
                |model, player, fixture| {
                    let batch = $batch_type { pair: $pair { $($field: fixture.tensor(stringify!($field))),* } };
                    let player = if player == "D" { $player::D } else { $player::G };
                    model.turn(player, &batch).expect("the batch suits the model");
                    let metrics = model.engine_mut().metrics().expect("objectives are always there");
                    metrics[player as usize].expect("this player has moved")
                },
            );
        }
    };
}

parity!(mlp_on_points, P1, P1Batch, P1Pair, P1Player, "p1", 8, [x, z]);
parity!(mlp_on_pictures, P2, P2Batch, P2Pair, P2Player, "p2", 4, [x, z]);
parity!(dcgan, P3, P3Batch, P3Pair, P3Player, "p3", 4, [x, z]);
parity!(wgan_gp, P4, P4Batch, P4Pair, P4Player, "p4", 4, [x, z, eps]);

/// Nets, bindings and objectives as words, without their places in the source.
fn words<M: Model>() -> Vec<String> {
    let model = decode(M::source().tree).expect("the expansion carries a sound model");
    let text = format!("{:?} {:?} {:?}", model.nets, model.lets, model.players);
    let mut words = Vec::new();
    for part in text.split("Site(") {
        // All but the first part begin with the number of a place.
        let rest = if words.is_empty() { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit()) };
        words.extend(rest.split_whitespace().map(str::to_string));
    }
    words
}

/// Asserts that two models say the same up to these sizes: of the small one, and of the large one.
fn same_but_for_sizes<Small: Model, Large: Model>(sizes: &[(&str, &str)]) {
    let number = |word: &str| word.trim_matches(|c: char| !c.is_ascii_digit()).to_string();
    let (small, large) = (words::<Small>(), words::<Large>());
    assert_eq!(small.len(), large.len(), "{} and {}", Small::source().name, Large::source().name);
    for (i, (s, l)) in small.iter().zip(&large).enumerate() {
        let scaled = sizes.iter().any(|(from, to)| number(s) == *from && number(l) == *to && s.replace(from, to) == *l);
        assert!(
            s == l || scaled,
            "{}: {s} for {l} after {}",
            Large::source().name,
            small[i.saturating_sub(12)..i].join(" ")
        );
    }
    for (from, _) in sizes {
        assert!(small.iter().any(|s| number(s) == *from), "{} has no {from}", Small::source().name);
    }
}

#[test]
fn the_workloads_are_these_models_but_for_their_sizes() {
    same_but_for_sizes::<P1, W1>(&[("16.0", "128.0")]);
    same_but_for_sizes::<P2, W2>(&[("8.0", "64.0"), ("16.0", "256.0"), ("32.0", "512.0"), ("48.0", "784.0")]);
    let images = [("12.0", "28.0"), ("8.0", "64.0"), ("3.0", "7.0"), ("4.0", "32.0")];
    same_but_for_sizes::<P3, W3>(&images);
    same_but_for_sizes::<P4, W4>(&images);
}
