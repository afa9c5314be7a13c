//! Compute shaders against the reference interpreter, on whatever GPU there is; a software one will do.
//!
//! Without any the tests are skipped with a word, unless `SADDLEPOINT_GPU=required` says that there must be one.
//! A program that fails is made as small as possible and written to `tests/programs/`; those files are run first ever after.

#![cfg(all(feature = "cpu", feature = "gpu"))]

#[path = "support/devices.rs"]
mod devices;
#[path = "support/machine.rs"]
mod machine;

use machine::run_on_gpu;
use saddlepoint::prelude::*;
use saddlepoint_compiler::codegen::wgsl;
use saddlepoint_compiler::testing::{Options, Program, compare, random_program, shrink};
use saddlepoint_runtime::device::gpu::GpuDevice;
use saddlepoint_runtime::{Column, Training, Values};
use std::path::PathBuf;

/// What is wrong with the shaders of this program, if anything.
fn wrong(device: &GpuDevice, program: &Program) -> Option<String> {
    run_on_gpu(device, program).and_then(|outcome| compare(program, &outcome)).err()
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    let Some(device) = devices::gpu() else { return };
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let (count, first) = (number("SADDLEPOINT_GPU_PROGRAMS", 100), number("SADDLEPOINT_FIRST", 0));
    for seed in first..first + count {
        let program = random_program(seed, &Options::default());
        if wrong(device, &program).is_none() {
            continue;
        }
        let small = shrink(&program, |p| p.is_decisive().unwrap_or(false) && wrong(device, p).is_some());
        let message = wrong(device, &small).unwrap_or_default();
        std::fs::write(corpus().join(format!("gpu{seed}.ir")), small.graph.to_string()).unwrap();
        panic!("seed {seed}: {message}\n{}", small.describe());
    }
}

/// Programs in shapes that sizes alone would not choose: every sum cut, every product in every tile.
#[test]
fn other_forms_of_shaders_agree_as_well() {
    let Some(_) = devices::gpu() else { return };
    let forms = wgsl::Tile::ALL.into_iter().enumerate().map(|(i, tile)| wgsl::Options {
        unroll: 1 << i,
        tile: Some(tile),
        segments: Some(2 + i),
    });
    for (number, form) in forms.enumerate() {
        let device = GpuDevice::new(None).unwrap().writing(form.clone());
        for seed in (0..8).map(|seed| 1000 * (number as u64 + 1) + seed) {
            let program = random_program(seed, &Options::default());
            assert_eq!(wrong(&device, &program), None, "seed {seed}, {form:?}\n{}", program.describe());
        }
    }
}

gan! {
    /// Convolutions, batch norm, a gradient penalty and draws: what a step can hold, small.
    model Small {
        data x: [1, 12, 12];
        noise z: normal([8]);
        net G(z: [8]) -> [1, 12, 12] {
            z.dense(8 * 3 * 3).reshape([8, 3, 3]).batch_norm().relu()
                .conv_transpose(4, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 12, 12]) -> [1] {
            x.conv(4, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(8, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .flatten().dense(1)
        }
        let fake = G(z);
        let mid = mix(x, fake, uniform([1]));
        player D minimizes { E[D(fake)] - E[D(x)] + 10.0 * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player G minimizes { -E[D(fake)] }
        train { D: adam(1e-3, beta1 = 0.5), steps = 2; G: adam(1e-3, beta1 = 0.5); }
        output sample = G(z);
    }
}

const BATCH: usize = 6;

fn small(device: Device) -> Small {
    Small::build(Config::new().batch(BATCH).seed(3).device(device)).unwrap()
}

fn picture(number: usize) -> Tensor {
    let value = |i: usize| ((i * 7 + number * 13) as f32 * 0.37).sin();
    Tensor::new([BATCH, 1, 12, 12], (0..BATCH * 144).map(value).collect()).unwrap()
}

/// One step; both inner steps of D see the same pictures.
fn step(model: &mut Small, number: usize) {
    model.step(&[SmallBatch { x: picture(number) }]).unwrap();
}

/// How far apart the states of two models are that `of` names, relative to the largest number of all of them.
fn distance(a: &Small, b: &Small, of: &dyn Fn(&str) -> bool) -> f64 {
    let (a, b) = (a.engine().snapshot().unwrap(), b.engine().snapshot().unwrap());
    let (mut apart, mut scale) = (0.0f64, 1e-12f64);
    for (name, stored) in a.arrays.iter().filter(|(name, _)| of(name)) {
        let (Values::F32(x), Values::F32(y)) = (&stored.values, &b.arrays[name].values) else { continue };
        for (x, y) in x.iter().zip(y) {
            apart = apart.max(f64::from((x - y).abs()));
            scale = scale.max(f64::from(x.abs()));
        }
    }
    apart / scale
}

/// From equal states a turn gives equal objectives and equal moments, which are what gradients have become; parameters after Adam
/// are not compared, for it makes much of little gradients.
#[test]
fn turns_match_the_processor_from_equal_states() {
    let Some(_) = devices::gpu() else { return };
    let (mut gpu, mut cpu) = (small(Device::Gpu), small(Device::Cpu));
    for number in 0..8 {
        let snapshot = gpu.engine().snapshot().unwrap();
        cpu.engine_mut().restore(&snapshot).unwrap();
        assert_eq!(distance(&gpu, &cpu, &|_| true), 0.0, "the same states");
        let (player, name) = [(SmallPlayer::D, "optimiser.D"), (SmallPlayer::G, "optimiser.G")][number % 2];
        let batch = SmallBatch { x: picture(number) };
        gpu.turn(player, &batch).unwrap();
        cpu.turn(player, &batch).unwrap();
        let [g, c] = [&mut gpu, &mut cpu].map(|model| model.engine_mut().metrics().unwrap()[number % 2].unwrap());
        assert!((g - c).abs() <= 1e-5 * c.abs().max(1.0), "turn {number}: objective {g} for {c}");
        let apart = distance(&gpu, &cpu, &|state| state.starts_with(name) && state.contains(".m."));
        assert!(apart < 1e-4, "turn {number}: moments are {apart} apart");
        step(&mut gpu, number);
    }
}

#[test]
fn a_step_waits_for_nothing() {
    let Some(_) = devices::gpu() else { return };
    let mut model = small(Device::Gpu);
    let before = model.engine().traffic().unwrap();
    for number in 0..32 {
        step(&mut model, number);
    }
    let after = model.engine().traffic().unwrap();
    assert_eq!(after.runs - before.runs, 32 * 3, "two turns of D and one of G a step");
    assert_eq!(after.reads, before.reads, "nothing is read back");
    assert_eq!(after.submissions - before.submissions, 32 * 3 / 16, "sixteen turns a submission");
    model.engine_mut().metrics().unwrap();
    assert_eq!(model.engine().traffic().unwrap().reads - after.reads, 2, "the objectives, when they are asked for");
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let Some(_) = devices::gpu() else { return };
    let run = || {
        let mut model = small(Device::Gpu);
        (0..5).for_each(|number| step(&mut model, number));
        model
    };
    let (mut first, mut second) = (run(), run());
    assert_eq!(distance(&first, &second, &|_| true), 0.0);
    assert_eq!(first.sample(9).unwrap().as_slice(), second.sample(9).unwrap().as_slice());
}

/// A checkpoint of one device is one of the other.
#[test]
fn training_goes_on_on_another_device() {
    let Some(_) = devices::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut gpu = small(Device::Gpu);
    (0..3).for_each(|number| step(&mut gpu, number));
    gpu.save(&path).unwrap();
    let mut cpu = small(Device::Cpu);
    cpu.load(&path).unwrap();
    assert_eq!(distance(&gpu, &cpu, &|_| true), 0.0);
    // Draws go on where they were: the next noise is the same.
    let (a, b) = (gpu.sample(4).unwrap(), cpu.sample(4).unwrap());
    let apart = a.as_slice().iter().zip(b.as_slice()).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(apart < 1e-4, "{apart}");
    step(&mut cpu, 3);
}

#[test]
fn an_unknown_gpu_is_refused_by_name() {
    let Some(device) = devices::gpu() else { return };
    let error = Small::build(Config::new().batch(2).device(Device::Gpu).adapter("abacus")).err().unwrap().to_string();
    assert!(error.contains("abacus") && error.contains(&device.adapter().name), "{error}");
}

#[test]
fn profiles_have_a_time_for_every_part() {
    let Some(_) = devices::gpu() else { return };
    let mut model = small(Device::Gpu);
    let x = picture(0);
    let turns = model.engine_mut().profile(&[vec![vec![Column::Tensor(&x)]]]).unwrap();
    assert_eq!(turns.len(), 2);
    for turn in turns {
        assert!(turn.parts.len() > 10 && turn.parts.iter().any(|part| part.seconds > 0.0), "{:?}", turn.players);
    }
}
