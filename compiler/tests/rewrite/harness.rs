//! Both sides of a rule, on random values and on extremes, in f64 and f32.

use saddlepoint_compiler::ir::interpret::{Data, Float, Outcome, Value, interpret};
use saddlepoint_compiler::ir::{Builder, DType, Graph, Slot};

/// SplitMix64: enough for test values.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What a rule promises about values.
#[derive(Clone, Copy, PartialEq)]
pub enum Promise {
    /// Equal up to rounding, infinities and NaN included.
    Everywhere,
    /// Equal up to rounding where the left side is finite.
    WhereFinite,
}

/// Finite extremes, to which infinities are added by the caller where the left side is defined there.
pub const EXTREMES: &[f64] = &[88.0, -88.0, 0.0, 1e-30, -1e-30, 1.0, -1.0];

/// Values for the slots of a graph.
pub fn values<T: Float>(slots: &[Slot], random: &mut Random, extremes: &[f64]) -> Vec<Value<T>> {
    let mut out = Vec::new();
    for slot in slots {
        let n = slot.ty.elements();
        let mut float = || match extremes {
            [] => random.uniform(-2.0, 2.0),
            _ => extremes[random.between(0, extremes.len() - 1)],
        };
        let data = match slot.ty.dtype {
            // Rounded to f32 first, so that both precisions see the same values.
            DType::F32 => Data::F((0..n).map(|_| T::from_f64(float() as f32 as f64)).collect()),
            DType::I32 => Data::I((0..n).map(|_| random.between(0, 5) as i32).collect()),
            DType::Bool => Data::B((0..n).map(|_| random.between(0, 1) == 1).collect()),
        };
        out.push(Value::new(&slot.ty.shape, data).unwrap());
    }
    out
}

fn compare<T: Float>(
    left: &Outcome<T>,
    right: &Outcome<T>,
    tolerance: f64,
    floor: f64,
    promise: Promise,
) -> Result<(), String> {
    assert_eq!(left.outputs.len(), right.outputs.len());
    for ((name, a), (other, b)) in left.outputs.iter().zip(&right.outputs) {
        assert_eq!(name, other);
        if a.ty != b.ty {
            return Err(format!("{name}: {} became {}", a.ty, b.ty));
        }
        let (a, b) = (a.to_f64s(), b.to_f64s());
        let scale = a.iter().filter(|v| v.is_finite()).fold(0.0, |m: f64, v| m.max(v.abs()));
        for (i, (x, y)) in a.iter().zip(&b).enumerate() {
            let same =
                x == y || (x.is_nan() && y.is_nan()) || (x.is_finite() && (x - y).abs() <= tolerance * (scale + floor));
            if !same && (x.is_finite() || promise == Promise::Everywhere) {
                return Err(format!("{name}[{i}]: {x:e} became {y:e}"));
            }
        }
    }
    Ok(())
}

/// Whether two graphs with the same slots compute the same, on random values and on `extremes`.
pub fn agree(left: &Graph, right: &Graph, extremes: &[f64], promise: Promise) -> Result<(), String> {
    agree_within(left, right, extremes, promise, [1e-6, 1e-5], 1e-30)
}

/// [`agree`] with tolerances in f64 and f32, relative to the largest value of each output plus `floor`.
pub fn agree_within(
    left: &Graph,
    right: &Graph,
    extremes: &[f64],
    promise: Promise,
    [double, single]: [f64; 2],
    floor: f64,
) -> Result<(), String> {
    if left.inputs != right.inputs || left.states != right.states {
        return Err("slots changed".into());
    }
    for round in 0..6 {
        let (mut random, extremes) = (Random(round), if round < 3 { &[][..] } else { extremes });
        let (inputs, states) =
            (values::<f64>(&left.inputs, &mut random, extremes), values(&left.states, &mut random, extremes));
        let run = |g: &Graph| interpret::<f64>(g, &inputs, &states).map_err(|e| e.to_string());
        compare(&run(left)?, &run(right)?, double, floor, promise).map_err(|e| format!("f64, round {round}: {e}"))?;
        let narrow = |v: &[Value<f64>]| v.iter().map(|v| v.convert::<f32>()).collect::<Vec<_>>();
        let run = |g: &Graph| interpret::<f32>(g, &narrow(&inputs), &narrow(&states)).map_err(|e| e.to_string());
        compare(&run(left)?, &run(right)?, single, floor, promise).map_err(|e| format!("f32, round {round}: {e}"))?;
    }
    Ok(())
}

/// A graph from a function that adds outputs.
pub fn graph(build: impl FnOnce(&Builder)) -> Graph {
    let builder = Builder::new();
    build(&builder);
    builder.finish().unwrap()
}
