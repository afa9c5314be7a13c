//! Programs on devices, with the values of the interpreter.
#![allow(dead_code)] // every test target takes its part

use saddlepoint_compiler::ir::interpret::{Data, Outcome, Value};
use saddlepoint_compiler::ir::{DType, Target, Type};
use saddlepoint_compiler::testing::Program;
use saddlepoint_runtime::device::HostSlice;
use saddlepoint_runtime::device::cpu::{CpuDevice, StateStore};
#[cfg(feature = "gpu")]
use saddlepoint_runtime::device::gpu::GpuDevice;

/// Integers and truth values as the device takes them.
fn integers(data: &Data<f32>) -> Option<Vec<i32>> {
    match data {
        Data::F(_) => None,
        Data::I(v) => Some(v.clone()),
        Data::B(v) => Some(v.iter().map(|b| i32::from(*b)).collect()),
    }
}

/// Numbers as a value of this type.
pub fn value(like: &Type, numbers: Vec<f32>) -> Value<f32> {
    let data = match like.dtype {
        DType::F32 => Data::F(numbers),
        DType::I32 => Data::I(numbers.iter().map(|v| *v as i32).collect()),
        DType::Bool => Data::B(numbers.iter().map(|v| *v != 0.0).collect()),
    };
    Value { ty: like.clone(), data }
}

/// Runs a program once on a device; all devices have the same methods.
macro_rules! run_once {
    ($device:expr, $program:expr, $states:expr, |$executable:ident, $name:ident| $result:expr) => {{
        let (device, program) = ($device, $program);
        let graph = &program.graph;
        let mut $executable = device.compile(graph).map_err(|e| e.to_string())?;
        let mut states = $states;
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
        $executable.run(&mut states, &inputs).map_err(|e| e.to_string())?;
        let mut outcome = Outcome { outputs: vec![], writes: vec![] };
        for output in &graph.outputs {
            let ty = graph.ty(output.value);
            match &output.target {
                Target::Host(name) => {
                    let $name = name;
                    let numbers = $result.map_err(|e| e.to_string())?.ok_or_else(|| format!("no output {name}"))?;
                    outcome.outputs.push((name.clone(), value(ty, numbers)));
                }
                Target::State(s) => {
                    let name = &graph.states[*s as usize].name;
                    let numbers = match ty.dtype {
                        DType::F32 => states.read_f32(name),
                        _ => states.read_i32(name).map(|v| v.iter().map(|v| *v as f32).collect()),
                    };
                    outcome.writes.push((*s, value(ty, numbers.map_err(|e| e.to_string())?)));
                }
            }
        }
        Ok(outcome)
    }};
}

/// Runs a program once as machine code.
pub fn run(device: &CpuDevice, program: &Program) -> Result<Outcome<f32>, String> {
    run_once!(device, program, StateStore::new(), |executable, name| Ok::<_, String>(executable.result(name)))
}

/// Runs a program once as compute shaders.
#[cfg(feature = "gpu")]
pub fn run_on_gpu(device: &GpuDevice, program: &Program) -> Result<Outcome<f32>, String> {
    run_once!(device, program, device.states(), |executable, name| executable.result(name))
}
