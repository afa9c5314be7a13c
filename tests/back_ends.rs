//! Back ends against each other: random programs through the reference interpreter and through machine code.
//!
//! A program that fails is made as small as possible and written to `tests/programs/`; those files are run first ever after.

#![cfg(feature = "cpu")]

#[path = "support/machine.rs"]
mod machine;

use machine::{run, value};
use saddlepoint_compiler::ir::{Builder, Graph, Type};
use saddlepoint_compiler::testing::{Options, Program, compare, random_program, shrink};
use saddlepoint_runtime::device::cpu::CpuDevice;
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
