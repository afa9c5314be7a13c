//! Back ends against each other: random programs through the reference interpreter and through machine code.
//!
//! A program that fails is made as small as possible and written to `tests/programs/`; those files are run first ever after.

#![cfg(feature = "cpu")]

#[path = "support/machine.rs"]
mod machine;

use machine::{run, value};
use saddlepoint_compiler::ir::{Builder, Expr, Graph, Type};
use saddlepoint_compiler::testing::{Options, Program, compare, random_program, shrink};
use saddlepoint_runtime::device::cpu::{CpuDevice, HostSlice, StateStore};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// What is wrong with machine code for this program, if anything.
fn wrong(devices: &[CpuDevice], program: &Program) -> Option<String> {
    for device in devices {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(device, program)));
        let checked = match outcome {
            Err(_) => Err("panicked".to_string()),
            Ok(Err(message)) => Err(message),
            Ok(Ok(machine)) => compare(program, &machine),
        };
        if let Err(message) = checked {
            return Some(format!("{} workers: {message}", device.workers()));
        }
    }
    None
}

fn devices() -> Vec<CpuDevice> {
    // The one as it is used, the others sharing out every kernel, however small.
    let plain = CpuDevice::new(1).unwrap();
    let shared = [2, 3].map(|workers| CpuDevice::new(workers).unwrap().sharing_from(0));
    std::iter::once(plain).chain(shared).collect()
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// Deterministic values for the inputs and states of a stored program, and reading it back.
fn stored(text: &str, seed: u64) -> Result<Program, String> {
    let graph: Graph = text.parse().map_err(|e: saddlepoint_compiler::Error| e.to_string())?;
    Ok(with_values(graph, seed))
}

fn with_values(graph: Graph, seed: u64) -> Program {
    let mut random = saddlepoint_compiler::testing::SplitMix64::new(seed);
    let mut fill = |ty: &saddlepoint_compiler::ir::Type| {
        value(ty, (0..ty.elements()).map(|_| random.uniform(-2.0, 2.0).trunc_if(ty.dtype)).collect())
    };
    let inputs = graph.inputs.iter().map(|s| fill(&s.ty)).collect();
    let states = graph.states.iter().map(|s| fill(&s.ty)).collect();
    Program { graph, inputs, states }
}

trait TruncIf {
    fn trunc_if(self, dtype: saddlepoint_compiler::ir::DType) -> f32;
}

impl TruncIf for f64 {
    fn trunc_if(self, dtype: saddlepoint_compiler::ir::DType) -> f32 {
        match dtype {
            saddlepoint_compiler::ir::DType::F32 => self as f32,
            _ => self.round().abs() as f32,
        }
    }
}

#[test]
fn stored_programs_agree() {
    let devices = devices();
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus()).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "ir")) {
        let text = std::fs::read_to_string(file).unwrap();
        // Values that make the program undecided are skipped; a few seeds give it a fair chance.
        for seed in 0..8 {
            let program = stored(&text, seed).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            if !program.is_decisive().unwrap_or(false) {
                continue;
            }
            if let Some(message) = wrong(&devices, &program) {
                panic!("{}: {message}\n{}", file.display(), program.describe());
            }
        }
    }
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    let devices = devices();
    let count: u64 = std::env::var("SADDLEPOINT_PROGRAMS").ok().and_then(|v| v.parse().ok()).unwrap_or(1000);
    let first: u64 = std::env::var("SADDLEPOINT_FIRST").ok().and_then(|v| v.parse().ok()).unwrap_or(0);
    for seed in first..first + count {
        let program = random_program(seed, &Options::default());
        if wrong(&devices, &program).is_none() {
            continue;
        }
        let small = shrink(&program, |p| p.is_decisive().unwrap_or(false) && wrong(&devices, p).is_some());
        let message = wrong(&devices, &small).unwrap_or_default();
        std::fs::write(corpus().join(format!("seed{seed}.ir")), small.graph.to_string()).unwrap();
        panic!("seed {seed}: {message}\n{}", small.describe());
    }
}

#[test]
fn the_same_run_gives_the_same_bits() {
    for device in devices() {
        for seed in 5000..5040 {
            let program = random_program(seed, &Options::default());
            let (first, second) = (run(&device, &program).unwrap(), run(&device, &program).unwrap());
            assert_eq!(format!("{first:?}"), format!("{second:?}"), "seed {seed}");
        }
    }
}

/// Largest error of a function of machine code in units of the last place, over floats of all exponents and the given extremes.
fn worst_ulp(function: fn(&Expr) -> Expr, truth: fn(f64) -> f64, from: f32, to: f32) -> (f64, f32) {
    let mut inputs: Vec<f32> = (0..1 << 16).map(|i: u32| f32::from_bits(i.wrapping_mul(65_537))).collect();
    inputs.extend((0..1 << 14).map(|i| from.max(-100.0) + (to.min(100.0) - from.max(-100.0)) * i as f32 / (1 << 14) as f32));
    inputs.retain(|x| *x >= from && *x <= to);
    let results = apply(function, &inputs);
    let error = |(x, y): (&f32, &f32)| {
        let truth = truth(f64::from(*x));
        let rounded = truth as f32;
        if rounded.is_infinite() || y.is_infinite() || y.is_nan() {
            return (if *y == rounded { 0.0 } else { f64::INFINITY }, *x);
        }
        let unit = f64::from(rounded.abs().max(f32::MIN_POSITIVE)).log2().floor().exp2() * f64::from(f32::EPSILON);
        ((f64::from(*y) - truth).abs() / unit, *x)
    };
    inputs.iter().zip(&results).map(error).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

fn apply(function: fn(&Expr) -> Expr, inputs: &[f32]) -> Vec<f32> {
    let b = Builder::new();
    let x = b.input("x", Type::f32([inputs.len()]));
    b.output("y", &function(&x));
    let mut executable = CpuDevice::new(1).unwrap().compile(&b.finish().unwrap()).unwrap();
    executable.run(&mut StateStore::new(), &[HostSlice::F32(inputs)]).unwrap();
    executable.result("y").unwrap()
}

#[test]
fn vector_mathematics_is_accurate_over_the_whole_range() {
    let softplus = |x: f64| if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() };
    let (least, most) = (f32::MIN, f32::MAX);
    /// Name, function, truth, range, and units of the last place allowed.
    type Check = (&'static str, fn(&Expr) -> Expr, fn(f64) -> f64, f32, f32, f64);
    let checks: [Check; 5] = [
        ("exp", Expr::exp, f64::exp, least, most, 2.0),
        ("ln", Expr::ln, f64::ln, 0.0, most, 2.0),
        ("tanh", Expr::tanh, f64::tanh, least, most, 2.0),
        ("softplus", Expr::softplus, softplus, least, most, 3.0),
        ("sin", Expr::sin, f64::sin, -268_435_456.0, 268_435_456.0, 2.0),
    ];
    for (name, function, truth, from, to, allowed) in checks {
        let (worst, at) = worst_ulp(function, truth, from, to);
        assert!(worst <= allowed, "{name}({at:e}) is {worst:.2} ulp off");
    }
}

#[test]
fn vector_mathematics_has_the_right_limits() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    // One whole register and a rest, so that both ways through a kernel are seen.
    let same = |function: fn(&Expr) -> Expr, inputs: &[f32], expected: &[f32]| {
        let results = apply(function, inputs);
        let bits = |v: &[f32]| v.iter().map(|x| if x.is_nan() { None } else { Some(x.to_bits()) }).collect::<Vec<_>>();
        assert_eq!(bits(&results), bits(expected), "of {inputs:?}");
    };
    same(Expr::exp, &[-inf, inf, nan, 0.0, -0.0, 1000.0, -1000.0], &[0.0, inf, nan, 1.0, 1.0, inf, 0.0]);
    same(Expr::ln, &[0.0, -0.0, inf, nan, -1.0, 1.0, -inf], &[-inf, -inf, inf, nan, nan, 0.0, nan]);
    same(Expr::tanh, &[-inf, inf, nan, 0.0, -0.0, 50.0], &[-1.0, 1.0, nan, 0.0, -0.0, 1.0]);
    same(Expr::softplus, &[-inf, inf, nan, 1000.0, -1000.0], &[0.0, inf, nan, 1000.0, 0.0]);
    same(Expr::sin, &[0.0, -0.0, inf, nan, -inf], &[0.0, -0.0, nan, nan, nan]);
    same(Expr::sqrt, &[0.0, inf, -1.0, nan, 4.0], &[0.0, inf, nan, nan, 2.0]);
}

/// Sums and maxima over so many rows that code goes down them in strips: of more columns than fit its registers, with a rest of the
/// columns and a rest of the rows, beside a value that is stored for every place, and one along which several workers have parts.
#[test]
fn long_reductions_agree_with_the_interpreter() {
    let devices = devices();
    for (rows, columns) in [(1, 130), (61, 40), (500, 19), (700, 64), (2100, 37)] {
        let b = Builder::new();
        let x = b.input("x", Type::f32([rows, columns]));
        let y = b.input("y", Type::f32([columns]));
        let product = &x * &y.broadcast(&[rows, columns], &[1]);
        b.output("product", &product);
        b.output("sum", &product.sum(&[0]));
        b.output("squares", &(&product * &x).sum(&[0]));
        b.output("largest", &x.max_over(&[0]));
        let program = with_values(b.finish().unwrap(), rows as u64);
        assert_eq!(wrong(&devices, &program), None, "{rows} rows of {columns}");
    }
}
