//! Taking input dilation apart.
//!
//! In: a convolution, whose input may be dilated (a transposed convolution, or the input gradient of a strided one). Out: ordinary
//! convolutions without input dilation, whose results interleave to the whole result. What always holds: every place of the result
//! belongs to exactly one of them, and none multiplies an inserted zero.
//!
//! Along one axis, output o and tap k meet input (o·s + k·d − p) / i where that is whole. Outputs fall into i / gcd(s, i) classes by
//! their remainder; the taps that an output of one class meets are every i / gcd(d, i)-th one from a first one on.

use saddlepoint_compiler::plan::{ConvSpec, SpatialAxis};

/// A convolution without input dilation, over exactly three spatial axes.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    /// The axes; their `input_dilation` is 1.
    pub axes: [SpatialAxis; 3],
    /// Where its first tap lies in the kernel.
    pub w_at: isize,
    /// Where its first place lies in the result.
    pub out_at: isize,
}

impl Phase {
    /// Number of taps; with none, the phase's result is zero.
    pub fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }
}

/// The phases of a convolution, those without any place in the result left out.
pub(super) fn phases(spec: &ConvSpec) -> Vec<Phase> {
    let mut phases = vec![Phase { axes: [POINT; 3], w_at: 0, out_at: 0 }];
    for (position, axis) in three(spec).into_iter().enumerate() {
        let classes = classes(&axis);
        phases = phases
            .iter()
            .flat_map(|phase| {
                classes.iter().map(|class| {
                    let mut axes = phase.axes;
                    axes[position] = class.axes[0];
                    Phase { axes, w_at: phase.w_at + class.w_at, out_at: phase.out_at + class.out_at }
                })
            })
            .collect();
    }
    phases
}

/// An axis of one place.
const POINT: SpatialAxis = SpatialAxis {
    input: 1,
    kernel: 1,
    output: 1,
    x: 0,
    w: 0,
    out: 0,
    window_stride: 1,
    pad_lo: 0,
    input_dilation: 1,
    kernel_dilation: 1,
};

/// The spatial axes, filled up to three with outer axes of one place.
pub(super) fn three(spec: &ConvSpec) -> [SpatialAxis; 3] {
    let mut axes = [POINT; 3];
    let given = &spec.spatial;
    assert!(given.len() <= 3, "convolutions have at most three spatial axes");
    axes[3 - given.len()..].copy_from_slice(given);
    axes
}

/// The classes of outputs along one axis, each as a phase with this axis first.
fn classes(axis: &SpatialAxis) -> Vec<Phase> {
    let dilation = axis.input_dilation;
    let (outputs_apart, taps_apart) =
        (dilation / gcd(axis.window_stride, dilation), dilation / gcd(axis.kernel_dilation, dilation));
    let class = |first: usize| {
        let reach = |tap: usize| (first * axis.window_stride + tap * axis.kernel_dilation) as isize - axis.pad_lo;
        let first_tap = (0..taps_apart).find(|&tap| reach(tap).rem_euclid(dilation as isize) == 0);
        let (first_tap, kernel) = match first_tap {
            Some(tap) if tap < axis.kernel => (tap, (axis.kernel - tap).div_ceil(taps_apart)),
            _ => (0, 0),
        };
        let meets = SpatialAxis {
            input: axis.input,
            kernel,
            output: (axis.output - first).div_ceil(outputs_apart),
            x: axis.x,
            w: axis.w * taps_apart as isize,
            out: axis.out * outputs_apart as isize,
            window_stride: outputs_apart * axis.window_stride / dilation,
            pad_lo: if kernel == 0 { 0 } else { -(reach(first_tap) / dilation as isize) },
            input_dilation: 1,
            kernel_dilation: taps_apart * axis.kernel_dilation / dilation,
        };
        let (w_at, out_at) = (axis.w * first_tap as isize, axis.out * first as isize);
        Phase { axes: [meets, POINT, POINT], w_at, out_at }
    };
    (0..outputs_apart.min(axis.output)).map(class).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Along one axis, the phases' pairs of tap and input, collected for each output, are those of the definition.
    #[test]
    fn phases_partition_the_definition() {
        let mut count = 0;
        for (window_stride, kernel_dilation, input_dilation) in (0..64).map(|i| (1 + i % 4, 1 + i / 4 % 4, 1 + i / 16)) {
            for pad_lo in -3..4 {
                for (kernel, output) in [(1, 3), (4, 7), (5, 1), (3, 0), (0, 2)] {
                    let axis = SpatialAxis {
                        input: 6,
                        kernel,
                        output,
                        x: 1,
                        w: 1,
                        out: 1,
                        window_stride,
                        pad_lo,
                        input_dilation,
                        kernel_dilation,
                    };
                    let mut expected = Vec::new();
                    for o in 0..output {
                        for k in 0..kernel {
                            let at = (o * window_stride + k * kernel_dilation) as isize - pad_lo;
                            if at.rem_euclid(input_dilation as isize) == 0 {
                                expected.push((o as isize, k as isize, at / input_dilation as isize));
                            }
                        }
                    }
                    let mut got = Vec::new();
                    let mut outputs = 0;
                    for phase in classes(&axis) {
                        let part = &phase.axes[0];
                        outputs += part.output;
                        for o in 0..part.output {
                            for k in 0..part.kernel {
                                let at = (o * part.window_stride + k * part.kernel_dilation) as isize - part.pad_lo;
                                let (o, k) = (o as isize * part.out, k as isize * part.w);
                                got.push((phase.out_at + o, phase.w_at + k, at));
                            }
                        }
                    }
                    got.sort_unstable();
                    assert_eq!(got, expected, "{axis:?}");
                    assert_eq!(outputs, output);
                    count += got.len();
                }
            }
        }
        assert!(count > 1000);
    }
}
