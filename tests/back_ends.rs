//! Back ends against each other: random programs through the reference interpreter and through machine code.
//!
//! A program that fails is made as small as possible and written to `tests/programs/`; those files are run first ever after.

#![cfg(feature = "cpu")]

use saddlepoint_compiler::ir::interpret::{Data, Outcome, Value};
use saddlepoint_compiler::ir::{Graph, Target};
use saddlepoint_compiler::testing::{Options, Program, compare, random_program, shrink};
use saddlepoint_runtime::device::cpu::{CpuDevice, HostSlice, StateStore};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Integers and truth values as the device takes them.
fn integers(data: &Data<f32>) -> Option<Vec<i32>> {
    match data {
        Data::F(_) => None,
        Data::I(v) => Some(v.clone()),
        Data::B(v) => Some(v.iter().map(|b| i32::from(*b)).collect()),
    }
}

fn value(like: &saddlepoint_compiler::ir::Type, numbers: Vec<f32>) -> Value<f32> {
    use saddlepoint_compiler::ir::DType;
    let data = match like.dtype {
        DType::F32 => Data::F(numbers),
        DType::I32 => Data::I(numbers.iter().map(|v| *v as i32).collect()),
        DType::Bool => Data::B(numbers.iter().map(|v| *v != 0.0).collect()),
    };
    Value { ty: like.clone(), data }
}

/// Runs a program once as machine code.
fn run(device: &CpuDevice, program: &Program) -> Result<Outcome<f32>, String> {
    let graph = &program.graph;
    let mut executable = device.compile(graph).map_err(|e| e.to_string())?;
    let mut states = StateStore::new();
    for (slot, value) in graph.states.iter().zip(&program.states) {
        states.declare(&slot.name, &slot.ty).map_err(|e| e.to_string())?;
        let written = match (&value.data, integers(&value.data)) {
            (Data::F(v), _) => states.write_f32(&slot.name, v),
            (_, v) => states.write_i32(&slot.name, &v.unwrap_or_default()),
        };
        written.map_err(|e| e.to_string())?;
    }
    let numbers: Vec<Option<Vec<i32>>> = program.inputs.iter().map(|v| integers(&v.data)).collect();
    let inputs: Vec<HostSlice<'_>> = program
        .inputs
        .iter()
        .zip(&numbers)
        .map(|(v, n)| match (&v.data, n) {
            (Data::F(v), _) => HostSlice::F32(v),
            (_, Some(n)) => HostSlice::I32(n),
            _ => HostSlice::I32(&[]),
        })
        .collect();
    executable.run(&mut states, &inputs).map_err(|e| e.to_string())?;
    let mut outcome = Outcome { outputs: vec![], writes: vec![] };
    for output in &graph.outputs {
        let ty = graph.ty(output.value);
        match &output.target {
            Target::Host(name) => {
                let numbers = executable.result(name).ok_or_else(|| format!("no output {name}"))?;
                outcome.outputs.push((name.clone(), value(ty, numbers)));
            }
            Target::State(s) => {
                let name = &graph.states[*s as usize].name;
                let numbers = match ty.dtype {
                    saddlepoint_compiler::ir::DType::F32 => states.read_f32(name),
                    _ => states.read_i32(name).map(|v| v.iter().map(|v| *v as f32).collect()),
                };
                outcome.writes.push((*s, value(ty, numbers.map_err(|e| e.to_string())?)));
            }
        }
    }
    Ok(outcome)
}

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
    let mut random = saddlepoint_compiler::testing::SplitMix64::new(seed);
    let mut fill = |ty: &saddlepoint_compiler::ir::Type| {
        value(ty, (0..ty.elements()).map(|_| random.uniform(-2.0, 2.0).trunc_if(ty.dtype)).collect())
    };
    let inputs = graph.inputs.iter().map(|s| fill(&s.ty)).collect();
    let states = graph.states.iter().map(|s| fill(&s.ty)).collect();
    Ok(Program { graph, inputs, states })
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
