//! Compute shaders against the reference interpreter, on whatever GPU there is; a software one will do.
//!
//! Without any the tests are skipped with a word, unless `SADDLEPOINT_GPU=required` says that there must be one.

#![cfg(all(feature = "cpu", feature = "gpu"))]

#[path = "support/machine.rs"]
mod machine;

use machine::run_on_gpu;
use saddlepoint_compiler::testing::{Options, Program, compare, random_program, shrink};
use saddlepoint_runtime::device::gpu::GpuDevice;
use std::path::PathBuf;

fn device() -> Option<GpuDevice> {
    match GpuDevice::new(None) {
        Ok(device) => Some(device),
        Err(error) if std::env::var("SADDLEPOINT_GPU").is_ok_and(|v| v == "required") => panic!("{error}"),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// What is wrong with the shaders of this program, if anything.
fn wrong(device: &GpuDevice, program: &Program) -> Option<String> {
    run_on_gpu(device, program).and_then(|outcome| compare(program, &outcome)).err()
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    let Some(device) = device() else { return };
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let (count, first) = (number("SADDLEPOINT_GPU_PROGRAMS", 100), number("SADDLEPOINT_FIRST", 0));
    for seed in first..first + count {
        let program = random_program(seed, &Options::default());
        if wrong(&device, &program).is_none() {
            continue;
        }
        let small = shrink(&program, |p| p.is_decisive().unwrap_or(false) && wrong(&device, p).is_some());
        let message = wrong(&device, &small).unwrap_or_default();
        std::fs::write(corpus().join(format!("gpu{seed}.ir")), small.graph.to_string()).unwrap();
        panic!("seed {seed}: {message}\n{}", small.describe());
    }
}
