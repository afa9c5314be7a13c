//! How near a machine's results must come to the interpreter's: |machine − f64| ≤ 8·|f32 interpreter − f64| + 4 ulp of the
//! largest intermediate, where the middle term is the largest over the output.
//!
//! The first term grants a machine a few times the rounding that any f32 evaluation of this program makes, in whatever order it
//! sums; the second what is lost where large values cancel and the f32 interpreter was lucky.

use super::program::{Program, magnitude};
use crate::ir::interpret::Outcome;
use crate::ir::{NodeId, Target};
use std::fmt;

/// Where a machine left the bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Name of the output, or of the state written; empty from [`within_bound`].
    pub output: String,
    /// Row-major index of the element.
    pub element: usize,
    /// What the machine said.
    pub machine: f64,
    /// What the f64 interpreter says.
    pub reference: f64,
    /// How far they may be apart.
    pub allowed: f64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { output, element, machine, reference, allowed } = self;
        let error = (machine - reference).abs();
        write!(
            f,
            "output {output}, element {element}: {machine:e}, should be {reference:e} (error {error:.3e}, allowed {allowed:.3e})"
        )
    }
}

/// The distance to the next f32 above `v` in magnitude; that of the smallest normal number for anything smaller.
fn ulp(v: f64) -> f64 {
    let v = v.abs().clamp(f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX));
    v.log2().floor().exp2() * f64::from(f32::EPSILON)
}

/// Checks one output element by element.
///
/// Where f32 cannot hold the true value, or it is not finite, the machine must say the same infinity or NaN.
///
/// # Errors
/// The worst element outside the bound.
pub fn within_bound(machine: &[f32], double: &[f64], single: &[f32], largest_intermediate: f64) -> Result<(), Violation> {
    let rounding = double.iter().zip(single).map(|(d, s)| (d - f64::from(*s)).abs());
    let rounding = rounding.filter(|e| e.is_finite()).fold(0.0, f64::max);
    let allowed = 8.0 * rounding + 4.0 * ulp(largest_intermediate);
    let excess = |m: f64, d: f64| match d.is_finite() && (d as f32).is_finite() {
        true if m.is_finite() => (m - d).abs() - allowed,
        false if m == f64::from(d as f32) || m.is_nan() && d.is_nan() => 0.0,
        _ => f64::INFINITY,
    };
    let of_element = |(e, (m, d)): (usize, (&f32, &f64))| (e, excess(f64::from(*m), *d));
    let worst = machine.iter().zip(double).enumerate().map(of_element).max_by(|a, b| a.1.total_cmp(&b.1));
    let violation = |element: usize| Violation {
        output: String::new(),
        element,
        machine: machine.get(element).copied().map_or(f64::NAN, f64::from),
        reference: double.get(element).copied().unwrap_or(f64::NAN),
        allowed,
    };
    if machine.len() != double.len() {
        return Err(violation(machine.len().min(double.len())));
    }
    match worst {
        Some((element, excess)) if excess > 0.0 => Err(violation(element)),
        _ => Ok(()),
    }
}

/// Checks everything a machine made of a program against the interpreter: floats by [`within_bound`] with the largest
/// intermediate that the output depends on, integers and truth values exactly.
///
/// # Errors
/// What differs, in words.
pub fn compare(program: &Program, machine: &Outcome<f32>) -> Result<(), String> {
    program.sound().map_err(|e| e.to_string())?;
    let traces = program.traces().map_err(|e| e.to_string())?;
    let (mut hosts, mut writes) = (machine.outputs.iter(), machine.writes.iter());
    for output in &program.graph.outputs {
        let (name, value) = match &output.target {
            Target::Host(name) => match hosts.next() {
                Some((n, v)) if n == name => (name.clone(), v),
                _ => return Err(format!("output {name} is missing")),
            },
            Target::State(i) => match writes.next() {
                Some((j, v)) if i == j => (format!("state {i}"), v),
                _ => return Err(format!("the write of state {i} is missing")),
            },
        };
        let (double, single) = (&traces.double[output.value.index()], &traces.single[output.value.index()]);
        if value.ty != double.ty {
            return Err(format!("output {name} has type {}, should be {}", value.ty, double.ty));
        }
        let checked = match (value.as_floats(), double.as_floats(), single.as_floats()) {
            (Some(m), Some(d), Some(s)) => {
                let largest = cone(program, output.value).map(|id| magnitude(&traces.double[id.index()]));
                within_bound(m, d, s, largest.fold(0.0, f64::max))
            }
            _ => exactly(&value.to_f64s(), &double.to_f64s()),
        };
        checked.map_err(|v| Violation { output: name, ..v }.to_string())?;
    }
    Ok(())
}

fn exactly(machine: &[f64], reference: &[f64]) -> Result<(), Violation> {
    match machine.iter().zip(reference).position(|(m, r)| m != r) {
        Some(element) => Err(Violation {
            output: String::new(),
            element,
            machine: machine[element],
            reference: reference[element],
            allowed: 0.0,
        }),
        None => Ok(()),
    }
}

/// All nodes that `id` depends on, itself included.
fn cone(program: &Program, id: NodeId) -> impl Iterator<Item = NodeId> {
    let mut reached = vec![false; id.index() + 1];
    reached[id.index()] = true;
    for i in (0..=id.index()).rev() {
        if reached[i] {
            program.graph.nodes[i].args.iter().for_each(|a| reached[a.index()] = true);
        }
    }
    reached.into_iter().enumerate().filter(|(_, r)| *r).map(|(i, _)| NodeId(i as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulps() {
        assert_eq!(ulp(1.0), f64::from(f32::EPSILON));
        assert_eq!(ulp(-1.9), f64::from(f32::EPSILON));
        assert_eq!(ulp(2.0), 2.0 * f64::from(f32::EPSILON));
        assert_eq!(ulp(0.0), f64::from(f32::MIN_POSITIVE) * f64::from(f32::EPSILON));
    }

    #[test]
    fn the_bound_is_tight() {
        let e = f32::EPSILON;
        // No rounding in the f32 interpreter: four ulp and no more.
        assert!(within_bound(&[1.0 + 4.0 * e], &[1.0], &[1.0], 1.0).is_ok());
        assert!(within_bound(&[1.0 + 5.0 * e], &[1.0], &[1.0], 1.0).is_err());
        assert!(within_bound(&[1.0 + 5.0 * e], &[1.0], &[1.0], 2.0).is_ok());
        // One ulp of rounding anywhere in the output grants eight more everywhere.
        assert!(within_bound(&[1.0 + 12.0 * e, 1.0], &[1.0, 1.0], &[1.0, 1.0 + e], 1.0).is_ok());
        let violation = within_bound(&[1.0, 1.0 + 14.0 * e], &[1.0, 1.0], &[1.0, 1.0 + e], 1.0).unwrap_err();
        assert_eq!(violation.element, 1);
    }

    #[test]
    fn what_is_not_finite_must_agree() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        assert!(within_bound(&[inf, nan], &[f64::INFINITY, f64::NAN], &[inf, nan], 1.0).is_ok());
        assert!(within_bound(&[inf], &[1e300], &[inf], 1.0).is_ok());
        assert!(within_bound(&[-inf], &[f64::INFINITY], &[inf], 1.0).is_err());
        assert!(within_bound(&[nan], &[1.0], &[1.0], 1.0).is_err());
        assert!(within_bound(&[1.0], &[f64::NAN], &[nan], 1.0).is_err());
        assert!(within_bound(&[1.0], &[1.0, 1.0], &[1.0, 1.0], 1.0).is_err());
    }
}
