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
use saddlepoint_compiler::ir::{Builder, DType, DotDims, Expr, Graph, Op, Type, philox};
use saddlepoint_compiler::testing::{Options, Program, compare, random_program, shrink};
use saddlepoint_runtime::device::HostSlice;
use saddlepoint_runtime::device::gpu::{GpuDevice, GpuExecutable};
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
        ..wgsl::Options::default()
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

/// Two products with epilogues and one that is cut, in odd sizes.
fn products() -> Graph {
    let b = Builder::new();
    let matrix = |name: &str, rows: usize, columns: usize| b.input(name, Type::f32([rows, columns]));
    let dims = || DotDims { lhs_contract: vec![1], rhs_contract: vec![0], ..DotDims::default() };
    let x = matrix("x", 130, 70);
    let hidden = x.dot(&matrix("w", 70, 200), dims()).tanh();
    b.output("hidden", &hidden);
    b.output("y", &hidden.dot(&matrix("v", 200, 68), dims()).square());
    b.output("z", &matrix("long", 40, 3_000).dot(&matrix("u", 3_000, 36), dims()));
    b.finish().unwrap()
}

/// The results of [`products`] on some numbers.
fn results_of(executable: &mut GpuExecutable, graph: &Graph, device: &GpuDevice) -> Vec<Vec<f32>> {
    let numbers: Vec<f32> = (0..130_000).map(|i| (i as f32 * 0.7).sin()).collect();
    let inputs: Vec<HostSlice<'_>> =
        graph.inputs.iter().map(|slot| HostSlice::F32(&numbers[..slot.ty.elements()])).collect();
    executable.run(&mut device.states(), &inputs).unwrap();
    ["hidden", "y", "z"].map(|name| executable.result(name).unwrap().unwrap()).to_vec()
}

/// Which tile is fastest is measured once and kept, and changes no bit.
#[test]
fn tiles_are_measured_once_and_change_no_bit() {
    let Some(plain) = devices::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tiles.json");
    let tuned = || GpuDevice::new(None).unwrap().tuning(file.clone());
    let graph = products();
    let mut executable = plain.compile(&graph).unwrap();
    let suggested = executable.choices().to_vec();
    let wanted = results_of(&mut executable, &graph, plain);
    assert!(suggested.len() == 3 && suggested.iter().all(|choice| choice.tiles.len() > 1), "{suggested:?}");

    let device = tuned();
    let before = device.traffic().runs;
    let mut executable = device.compile(&graph).unwrap();
    assert!(device.traffic().runs > before, "something was measured");
    assert_eq!(results_of(&mut executable, &graph, &device), wanted);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(suggested.iter().all(|choice| kept.contains(&choice.product)), "{kept}");

    // Another process: what the file says is taken, even where it is not what would be measured, and nothing is measured.
    let mut kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    for last in [false, true] {
        for choice in &suggested {
            let tile = if last { choice.tiles.last() } else { choice.tiles.first() };
            kept[device.adapter().to_string()][&choice.product] = tile.unwrap().to_string().into();
        }
        std::fs::write(&file, kept.to_string()).unwrap();
        let device = tuned();
        let mut executable = device.compile(&graph).unwrap();
        assert_eq!(device.traffic().runs, 0);
        for (taken, choice) in executable.choices().iter().zip(&suggested) {
            assert_eq!(Some(&taken.tile), if last { choice.tiles.last() } else { choice.tiles.first() });
        }
        assert_eq!(results_of(&mut executable, &graph, &device), wanted);
    }
}

#[test]
fn explanations_say_how_long_turns_take_on_the_device() {
    let Some(_) = devices::gpu() else { return };
    let mut model = small(Device::Gpu);
    assert!(!model.explain().contains("on the device"), "nothing has run");
    (0..20).for_each(|number| step(&mut model, number));
    let text = model.explain();
    for (turn, runs) in [("D", 40), ("G", 20)] {
        let line = text.lines().find(|line| line.contains("on the device") && line.contains(&format!("{turn}:")));
        assert!(line.is_some_and(|line| line.contains(&format!("latest {runs};"))), "{turn}: {text}");
    }
    assert!(model.explain_html().contains("on the device"));
}

#[test]
fn profiles_have_a_time_for_every_part() {
    let Some(_) = devices::gpu() else { return };
    let mut model = small(Device::Gpu);
    let x = picture(0);
    let turns = model.engine_mut().profile(&[vec![vec![Column::Tensor(&x)]]]).unwrap();
    assert_eq!(turns.len(), 2);
    for turn in turns {
        assert!(turn.parts.iter().any(|part| part.what.contains(", tile ")));
        assert!(turn.parts.len() > 10 && turn.parts.iter().any(|part| part.seconds > 0.0), "{:?}", turn.players);
    }
}

/// The mathematics of shaders against f64, over floats of every size; sines of numbers up to 2¹²⁷ too.
#[test]
fn functions_are_within_units_of_the_last_place() {
    let Some(device) = devices::gpu() else { return };
    const COUNT: usize = 1 << 16;
    type Function = (&'static str, fn(&Expr) -> Expr, fn(f64) -> f64, f64);
    let functions: [Function; 5] = [
        ("exp", Expr::exp, f64::exp, 3.0),
        ("ln", Expr::ln, f64::ln, 3.0),
        ("tanh", Expr::tanh, f64::tanh, 3.0),
        ("softplus", Expr::softplus, |x| if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }, 3.0),
        ("sin", Expr::sin, f64::sin, 3.0),
    ];
    // Floats in even steps of their bits, of both signs, beside those of ordinary size.
    let spread = (0..COUNT / 2).map(|i| f32::from_bits((i as u32) << 17 | 0x1_2345)).filter(|x| x.is_finite());
    let usual = (0..COUNT / 2).map(|i| (i as f32 / (COUNT / 2) as f32 - 0.5) * 200.0);
    let mut numbers: Vec<f32> = spread.chain(usual).collect();
    numbers.truncate(numbers.len() / 4 * 4);
    for (name, function, truth, allowed) in functions {
        let b = Builder::new();
        let x = b.input("x", Type::f32([numbers.len()]));
        b.output("y", &function(&x));
        let mut executable = device.compile(&b.finish().unwrap()).unwrap();
        executable.run(&mut device.states(), &[HostSlice::F32(&numbers)]).unwrap();
        let found = executable.result("y").unwrap().unwrap();
        let mut worst = (0.0f64, 0.0f32);
        for (x, y) in numbers.iter().zip(&found) {
            let wanted = truth(f64::from(*x));
            let rounded = wanted as f32;
            // Devices may take numbers below the normal ones for 0.
            if x.abs() < f32::MIN_POSITIVE {
                continue;
            }
            let unit = f64::from(f32::from_bits(rounded.to_bits() & 0x7f80_0000).max(f32::MIN_POSITIVE) * f32::EPSILON);
            let error = match rounded.is_finite() && rounded.abs() >= f32::MIN_POSITIVE {
                true => (f64::from(*y) - wanted).abs() / unit,
                false if rounded.is_finite() => f64::from((y - rounded).abs() / f32::MIN_POSITIVE),
                false if *y == rounded || y.is_nan() && rounded.is_nan() => 0.0,
                false => f64::INFINITY,
            };
            if error > worst.0 || error.is_nan() {
                worst = (error, *x);
            }
        }
        println!("{name}: {:.2} units at {:e}", worst.0, worst.1);
        assert!(worst.0 <= allowed, "{name}: {} units of the last place at {:e}", worst.0, worst.1);
    }
}

/// The same numbers to the last bit as everywhere.
#[test]
fn draws_are_those_of_every_device() {
    let Some(device) = devices::gpu() else { return };
    for shape in [vec![64, 16], vec![7, 5], vec![1]] {
        let b = Builder::new();
        let key = b.input("key", Type { dtype: DType::I32, shape: vec![4] });
        let drawn = b.op(Op::Rng { stream: 9, shape: shape.clone() }, &[&key]);
        b.output("u", &drawn);
        b.output("odd", &drawn.reshape(&[shape.iter().product()]).reverse(&[0]));
        let mut executable = device.compile(&b.finish().unwrap()).unwrap();
        let key = [0x1234_5678u32, 0xdead_beef, 77, u32::MAX];
        executable.run(&mut device.states(), &[HostSlice::I32(&key.map(|word| word as i32))]).unwrap();
        let wanted = philox::draw(key, 9, shape.iter().product());
        assert_eq!(executable.result("u").unwrap().unwrap(), wanted);
        let reversed: Vec<f32> = wanted.into_iter().rev().collect();
        assert_eq!(executable.result("odd").unwrap().unwrap(), reversed);
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let Some(device) = devices::gpu() else { return };
    let b = Builder::new();
    let x = b.input("x", Type::f32([1 << 15, 1 << 15]));
    let y = &x.exp() + &x.transpose(&[1, 0]);
    b.output("y", &y.transpose(&[1, 0]).exp().sum(&[0]));
    let outcome = device.compile(&b.finish().unwrap()).map(|_| ());
    let error = outcome.expect_err("no software device has buffers of 4 GB").to_string();
    assert!(error.contains("smaller batch"), "{error}");
}

/// What was saved is there, every further call says what happened, and training goes on elsewhere.
#[test]
fn a_lost_device_is_an_error_and_nothing_is_lost_with_it() {
    let Some(_) = devices::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut gpu = small(Device::Gpu);
    step(&mut gpu, 0);
    gpu.save(&path).unwrap();
    gpu.engine().lose_device();
    // A step is recorded; who waits for it learns that it was not made.
    let _ = gpu.step(&[SmallBatch { x: picture(1) }]);
    assert!(gpu.engine_mut().metrics().is_err());
    for _ in 0..3 {
        let error = gpu.step(&[SmallBatch { x: picture(1) }]).unwrap_err().to_string();
        assert!(error.contains("last checkpoint"), "{error}");
    }
    assert!(gpu.sample(2).is_err() && gpu.save(&path).is_err());
    let mut cpu = small(Device::Cpu);
    cpu.load(&path).unwrap();
    step(&mut cpu, 1);
}
