//! The vector mathematics of machine code against f64: sampled in the normal suite, and over every finite float in the ignored
//! tests (`cargo test --release --test vector_math -- --ignored`, some minutes), which print the worst error and its place.

#![cfg(feature = "cpu")]

use saddlepoint_compiler::ir::{Builder, Expr, Type};
use saddlepoint_runtime::device::cpu::{CpuDevice, Executable, HostSlice, StateStore};

/// A function of machine code, what it should be, and how far from it it may be.
struct Check {
    function: fn(&Expr) -> Expr,
    truth: fn(f64) -> f64,
    /// Whether f(−x) = −f(x), bit for bit.
    odd: bool,
    /// Whether the truth nowhere falls.
    rising: bool,
    /// Up to each of these magnitudes, the least first, the error may be this large.
    allowed: &'static [(f32, Allowed)],
}

#[derive(Clone, Copy)]
enum Allowed {
    /// Units of the last place of the true result; below the normal floats, of the least normal one.
    Ulp(f64),
    /// Absolute.
    Absolute(f64),
    /// Finite and of magnitude at most 1.
    Bounded,
}
use Allowed::{Absolute, Bounded, Ulp};

const EXP: Check =
    Check { function: Expr::exp, truth: f64::exp, odd: false, rising: true, allowed: &[(f32::MAX, Ulp(2.0))] };
const LN: Check = Check { function: Expr::ln, truth: f64::ln, odd: false, rising: true, allowed: &[(f32::MAX, Ulp(2.0))] };
const TANH: Check =
    Check { function: Expr::tanh, truth: f64::tanh, odd: true, rising: true, allowed: &[(f32::MAX, Ulp(2.0))] };
const SOFTPLUS: Check =
    Check { function: Expr::softplus, truth: softplus, odd: false, rising: true, allowed: &[(f32::MAX, Ulp(2.0))] };
const SIN: Check = Check {
    function: Expr::sin,
    truth: f64::sin,
    odd: true,
    rising: false,
    // Beyond 2²⁸ the bound is what a machine without fused multiply-add keeps.
    allowed: &[(268_435_456.0, Ulp(2.0)), (1_099_511_627_776.0, Absolute(1e-3)), (f32::MAX, Bounded)],
};

fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// A function compiled for so many floats at once.
struct Compiled {
    executable: Executable,
    states: StateStore,
}

impl Compiled {
    fn new(function: fn(&Expr) -> Expr, count: usize) -> Compiled {
        let b = Builder::new();
        let x = b.input("x", Type::f32([count]));
        b.output("y", &function(&x));
        let executable = CpuDevice::new(1).unwrap().compile(&b.finish().unwrap()).unwrap();
        Compiled { executable, states: StateStore::new() }
    }

    fn apply(&mut self, inputs: &[f32]) -> Vec<f32> {
        self.executable.run(&mut self.states, &[HostSlice::F32(inputs)]).unwrap();
        self.executable.result("y").unwrap()
    }
}

/// The unit of the last place of what rounds to a float: of its exponent, but not less than of the least normal one.
fn unit(truth: f64) -> f64 {
    // The power of two at or below, by the exponent's bits.
    let power = f32::from_bits((truth as f32).to_bits() & 0x7f80_0000).max(f32::MIN_POSITIVE);
    f64::from(power) * f64::from(f32::EPSILON)
}

/// The error of `y` in units of the last place of the truth. Infinite where one of them is NaN or, as a float, infinite and the
/// other is not the same.
fn ulp(y: f32, truth: f64) -> f64 {
    let rounded = truth as f32;
    if !rounded.is_finite() || !y.is_finite() {
        return if y == rounded || (y.is_nan() && rounded.is_nan()) { 0.0 } else { f64::INFINITY };
    }
    (f64::from(y) - truth).abs() / unit(truth)
}

/// The worst error so far in each part of a check's range, and where.
struct Worst<'c> {
    check: &'c Check,
    found: Vec<(f64, f32)>,
}

impl<'c> Worst<'c> {
    fn new(check: &'c Check) -> Worst<'c> {
        Worst { check, found: vec![(0.0, 0.0); check.allowed.len()] }
    }

    /// Takes notice of f(x) = y. `known` is the truth if the caller has it.
    fn see(&mut self, x: f32, y: f32, known: Option<f64>) {
        let truth = || known.unwrap_or_else(|| (self.check.truth)(f64::from(x)));
        let part = self.check.allowed.iter().position(|(to, _)| x.abs() <= *to).unwrap();
        let error = match self.check.allowed[part].1 {
            Ulp(_) => ulp(y, truth()),
            Absolute(_) => (f64::from(y) - truth()).abs(),
            Bounded => f64::from(y.abs()),
        };
        // In the total order NaN is the worst.
        if error.total_cmp(&self.found[part].0).is_gt() {
            self.found[part] = (error, x);
        }
    }

    fn describe(&self) -> String {
        let part = |((to, allowed), (error, at)): (&(f32, Allowed), &(f64, f32))| match allowed {
            Ulp(_) => format!("|x| ≤ {to:e}: {error:.3} ulp at {at:e}"),
            Absolute(_) => format!("|x| ≤ {to:e}: error {error:.2e} at {at:e}"),
            Bounded => format!("|x| ≤ {to:e}: magnitude {error:.6} at {at:e}"),
        };
        self.check.allowed.iter().zip(&self.found).map(part).collect::<Vec<_>>().join("; ")
    }

    fn assert(&self) {
        for ((_, allowed), (error, _)) in self.check.allowed.iter().zip(&self.found) {
            let (Ulp(most) | Absolute(most)) = *allowed else {
                assert!(*error <= 1.0, "{}", self.describe());
                continue;
            };
            assert!(*error <= most, "{}", self.describe());
        }
    }
}

/// Floats of all exponents and both signs, and an even grid over those where the functions bend.
fn sampled(check: &Check) {
    let mut inputs: Vec<f32> = (0..1 << 16).map(|i: u32| f32::from_bits(i.wrapping_mul(65_537))).collect();
    inputs.retain(|x| x.is_finite());
    inputs.extend((0..1 << 16).map(|i| (i - (1 << 15)) as f32 * (100.0 / 32_768.0)));
    inputs.extend((0..1 << 16).map(|i| (i - (1 << 15)) as f32 * (2.0 / 32_768.0)));
    let results = Compiled::new(check.function, inputs.len()).apply(&inputs);
    let mut worst = Worst::new(check);
    for (x, y) in inputs.iter().zip(&results) {
        worst.see(*x, *y, None);
    }
    worst.assert();
}

/// The truth for all floats between two, where it hardly moves from one to the other: most floats are so small or so large that
/// exp, say, is 1 or 0 there, and need not be asked one by one.
fn level(check: &Check, from: f32, to: f32) -> Option<f64> {
    if !check.rising {
        return None;
    }
    let (first, last) = ((check.truth)(f64::from(from)), (check.truth)(f64::from(to)));
    // An infinite truth, as of ln at 0, is no measure for what lies beside it.
    let close = first == last || (last - first).abs() <= 1e-3 * unit(first);
    (close && first.is_finite()).then_some(first)
}

/// Every finite float. The truth of an odd function is asked for one sign only; the other must be its mirror image.
fn exhaustive(name: &str, check: &Check) {
    const CHUNK: u32 = 1 << 16;
    let mut compiled = Compiled::new(check.function, CHUNK as usize);
    let mut worst = Worst::new(check);
    for first in (0..f32::INFINITY.to_bits()).step_by(CHUNK as usize) {
        let inputs: Vec<f32> = (first..first + CHUNK).map(f32::from_bits).collect();
        let mirrored: Vec<f32> = inputs.iter().map(|x| -x).collect();
        let (results, others) = (compiled.apply(&inputs), compiled.apply(&mirrored));
        let (least, most) = (inputs[0], inputs[inputs.len() - 1]);
        let known = level(check, least, most);
        for (x, y) in inputs.iter().zip(&results) {
            worst.see(*x, *y, known);
        }
        if check.odd {
            let mirror = results.iter().zip(&others).all(|(y, other)| (-y).to_bits() == other.to_bits());
            assert!(mirror, "{name} from {least:e} to {most:e} and of their negatives");
        } else {
            let known = level(check, -least, -most);
            for (x, y) in mirrored.iter().zip(&others) {
                worst.see(*x, *y, known);
            }
        }
    }
    println!("{name}: {}", worst.describe());
    worst.assert();
}

/// A sampled and an exhaustive test of each.
macro_rules! checks {
    ($($sampled:ident, $exhaustive:ident: $check:ident;)*) => {$(
        #[test]
        fn $sampled() {
            sampled(&$check);
        }

        #[test]
        #[ignore = "every finite float: some minutes, in release builds"]
        fn $exhaustive() {
            exhaustive(stringify!($check), &$check);
        }
    )*};
}

checks! {
    exp_is_accurate, exp_is_accurate_everywhere: EXP;
    ln_is_accurate, ln_is_accurate_everywhere: LN;
    tanh_is_accurate, tanh_is_accurate_everywhere: TANH;
    softplus_is_accurate, softplus_is_accurate_everywhere: SOFTPLUS;
    sin_is_accurate, sin_is_accurate_everywhere: SIN;
}

#[test]
fn limits_are_right() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    // One whole register and a rest, so that both ways through a kernel are seen.
    let same = |function: fn(&Expr) -> Expr, inputs: &[f32], expected: &[f32]| {
        let results = Compiled::new(function, inputs.len()).apply(inputs);
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
