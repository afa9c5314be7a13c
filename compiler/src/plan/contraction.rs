//! Contractions as strided views: what a back end's product and convolution routines are given.
//!
//! Strides are in elements and signed, so that transposes, reversals and channels-last layouts cost nothing: the planner absorbs
//! them here. Base pointers already include the offset of the first element (the last one of a reversed axis).

/// An axis of both operands and of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchAxis {
    /// Number of places.
    pub extent: usize,
    /// Stride in the left operand.
    pub a: isize,
    /// Stride in the right operand.
    pub b: isize,
    /// Stride in the result.
    pub c: isize,
}

/// An axis of the left operand and of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeftAxis {
    /// Number of places.
    pub extent: usize,
    /// Stride in the left operand.
    pub a: isize,
    /// Stride in the result.
    pub c: isize,
}

/// An axis of the right operand and of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RightAxis {
    /// Number of places.
    pub extent: usize,
    /// Stride in the right operand.
    pub b: isize,
    /// Stride in the result.
    pub c: isize,
}

/// An axis that is summed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContractAxis {
    /// Number of places.
    pub extent: usize,
    /// Stride in the left operand.
    pub a: isize,
    /// Stride in the right operand.
    pub b: isize,
}

/// c[batch, m, n] (+)= Σ_k a[batch, m, k] · b[batch, k, n], every index a list of axes (empty: extent 1), outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DotSpec {
    /// Axes of all three.
    pub batch: Vec<BatchAxis>,
    /// Free axes of the left operand.
    pub m: Vec<LeftAxis>,
    /// Free axes of the right operand.
    pub n: Vec<RightAxis>,
    /// Summed axes.
    pub k: Vec<ContractAxis>,
    /// Whether the result is added to what is there.
    pub accumulate: bool,
    /// For the left and the right operand, whether it is a state that other products of the program read in the same way, and no
    /// larger than a cache: then packing it once, before the first step, pays.
    pub reused: [bool; 2],
    /// Begin and end of each worker's part of the single axis of `m`, in order; empty: workers share as suits the routine. With
    /// parts given, a worker reads its rows of the left operand and writes its rows of the result, and no others.
    pub rows: Vec<(usize, usize)>,
}

/// One spatial axis of a convolution: `out[o] = Σ_k x[(o·window_stride + k·kernel_dilation − pad_lo) / input_dilation] · w[k]`,
/// where terms with a remainder in the division or an index outside `0..input` are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpatialAxis {
    /// Extent of the input.
    pub input: usize,
    /// Extent of the kernel.
    pub kernel: usize,
    /// Extent of the result.
    pub output: usize,
    /// Stride of the axis in the input, in elements.
    pub x: isize,
    /// Stride of the axis in the kernel, in elements (negative when reversed).
    pub w: isize,
    /// Stride of the axis in the result, in elements.
    pub out: isize,
    /// Step of the window.
    pub window_stride: usize,
    /// Padding before; negative crops. The padding after is implied by `output`.
    pub pad_lo: isize,
    /// Input dilation.
    pub input_dilation: usize,
    /// Kernel dilation.
    pub kernel_dilation: usize,
}

/// A convolution over strided views: result[n, g·O + o, …] = Σ_{c, k} x[n, g·C + c, …] · w[g·O + o, c, k].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// Samples: stride `a` in x, `c` in the result.
    pub samples: LeftAxis,
    /// Feature groups: strides in x, w and the result.
    pub groups: BatchAxis,
    /// Input channels of one group: stride `a` in x, `b` in w.
    pub channels: ContractAxis,
    /// Output channels of one group: stride `b` in w, `c` in the result.
    pub features: RightAxis,
    /// Spatial axes, outermost first; one or more.
    pub spatial: Vec<SpatialAxis>,
    /// Begin and end of each worker's part of the samples, in order; empty: workers share as suits the routine. With parts given, a
    /// worker reads its samples and writes their results, and no others.
    pub parts: Vec<(usize, usize)>,
}

impl ConvSpec {
    /// Whether windows are what is summed over and samples are no batch: the form of a weight gradient.
    pub fn sums_over_windows(&self) -> bool {
        let (channels, samples) = (&self.channels, &self.samples);
        if channels.extent > 1 && samples.extent > 1 && channels.a.unsigned_abs() != samples.a.unsigned_abs() {
            return samples.a.unsigned_abs() < channels.a.unsigned_abs();
        }
        let places = |of: &dyn Fn(&SpatialAxis) -> usize| self.spatial.iter().map(of).product::<usize>();
        places(&|s| s.kernel) > places(&|s| s.output)
    }
}

impl DotSpec {
    /// Floating-point operations.
    pub fn flops(&self) -> usize {
        let batch: usize = self.batch.iter().map(|x| x.extent).product();
        let m: usize = self.m.iter().map(|x| x.extent).product();
        let n: usize = self.n.iter().map(|x| x.extent).product();
        let k: usize = self.k.iter().map(|x| x.extent).product();
        2 * batch * m * n * k
    }
}

impl ConvSpec {
    /// Floating-point operations: places that meet the zeros between dilated inputs do not count, those in the padding do.
    pub fn flops(&self) -> usize {
        let spatial: usize = self.spatial.iter().map(|s| s.output * s.kernel / s.input_dilation.max(1)).product();
        2 * self.samples.extent * self.groups.extent * self.channels.extent * self.features.extent * spatial
    }
}
