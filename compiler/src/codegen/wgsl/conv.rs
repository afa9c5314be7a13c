//! Convolutions as implicit products: rows are samples and places of the result, columns are features, and what is summed over are
//! channels and places of the kernel. The left matrix is read from the image as it is needed.
//!
//! An image dilated by d (a transposed convolution) is d products an axis, one for each remainder of the result's places: every
//! one meets only those places of the kernel that meet no zeros.

use super::product::{Along, Kind, NOWHERE, Operand, Product};
use super::text::{digits, sum};
use crate::plan::{ConvSpec, SpatialAxis};

/// Whether an axis is split by remainders.
fn phased(axis: &SpatialAxis) -> bool {
    axis.input_dilation > 1 && axis.window_stride == 1 && axis.kernel_dilation == 1
}

/// Statements that make the place `o{i}` of the result, or the place `w{i}` of the kernel, out of its part of a linear index.
struct Axes<'a> {
    spec: &'a ConvSpec,
    /// Whether samples (of rows) and channels (of terms) change fastest.
    samples_last: bool,
    channels_last: bool,
}

impl Axes<'_> {
    fn spatial(&self) -> impl Iterator<Item = (usize, &SpatialAxis)> {
        self.spec.spatial.iter().enumerate()
    }

    fn places(axis: &SpatialAxis) -> usize {
        if phased(axis) { axis.output.div_ceil(axis.input_dilation) } else { axis.output }
    }

    fn taps(axis: &SpatialAxis) -> usize {
        if phased(axis) { axis.kernel.div_ceil(axis.input_dilation) } else { axis.kernel }
    }

    fn phases(&self) -> usize {
        self.spec.spatial.iter().filter(|axis| phased(axis)).map(|axis| axis.input_dilation).product()
    }

    /// From `batch`: the group `g`, and the remainder `r{i}` of each split axis.
    fn batch(&self) -> String {
        let mut axes = vec![("g".to_string(), self.spec.groups.extent)];
        axes.extend(self.spatial().filter(|(_, axis)| phased(axis)).map(|(i, axis)| (format!("r{i}"), axis.input_dilation)));
        digits("batch", &axes)
    }

    /// From a row: the sample `s` and the place of the result, `o{i}`; `outside` returns for one that there is not.
    fn row(&self, row: &str, outside: &str) -> String {
        let mut axes: Vec<(String, usize)> = self.spatial().map(|(i, axis)| (format!("t{i}"), Axes::places(axis))).collect();
        let samples = ("s".to_string(), self.spec.samples.extent);
        axes.insert(if self.samples_last { axes.len() } else { 0 }, samples);
        let mut text = digits(row, &axes);
        for (i, axis) in self.spatial() {
            if !phased(axis) {
                text += &format!("let o{i} = t{i};\n");
                continue;
            }
            text += &format!("let o{i} = t{i} * {} + r{i};\n", axis.input_dilation);
            if axis.output % axis.input_dilation != 0 {
                text += &format!("if (o{i} >= {}) {{ return {outside}; }}\n", axis.output);
            }
        }
        text
    }

    /// From a term: the channel `c` and the place of the kernel, `w{i}`.
    fn term(&self) -> String {
        let mut axes: Vec<(String, usize)> = self.spatial().map(|(i, axis)| (format!("j{i}"), Axes::taps(axis))).collect();
        let channels = ("c".to_string(), self.spec.channels.extent);
        axes.insert(if self.channels_last { axes.len() } else { 0 }, channels);
        let mut text = digits("term", &axes);
        for (i, axis) in self.spatial() {
            if !phased(axis) {
                text += &format!("let w{i} = j{i};\n");
                continue;
            }
            // The places of the kernel that meet no zero: those of the remainder pad − r.
            let d = axis.input_dilation as isize;
            let pad = axis.pad_lo.rem_euclid(d) + d;
            text += &format!("let w{i} = j{i} * {d} + ({pad} - r{i}) % {d};\n");
            if axis.kernel % axis.input_dilation != 0 {
                text += &format!("if (w{i} >= {}) {{ return none; }}\n", axis.kernel);
            }
        }
        text
    }

    fn image(&self, aligned: bool) -> Operand {
        let spec = self.spec;
        let mut text = self.batch() + &self.row("free", "none") + &self.term();
        let mut terms = vec![
            ("s".to_string(), spec.samples.a as i64),
            ("g".to_string(), spec.groups.a as i64),
            ("c".to_string(), spec.channels.a as i64),
        ];
        for (i, axis) in self.spatial() {
            let place = [(format!("o{i}"), axis.window_stride as i64), (format!("w{i}"), axis.kernel_dilation as i64)];
            text += &format!("let e{i} = {};\n", sum(-(axis.pad_lo as i64), place.into_iter()));
            let d = axis.input_dilation;
            let mut outside = format!("e{i} < 0 || e{i} >= {}", ((axis.input.max(1) - 1) * d + 1));
            if d > 1 && !phased(axis) {
                outside += &format!(" || e{i} % {d} != 0");
            }
            text += &format!("if ({outside}) {{ return none; }}\n");
            terms.push((if d > 1 { format!("(e{i} / {d})") } else { format!("e{i}") }, axis.x as i64));
        }
        text += &format!("let at = {};\n", sum(0, terms.into_iter().filter(|(_, stride)| *stride != 0)));
        let spatial = spec.spatial.iter().all(|axis| axis.x % 4 == 0);
        let even = aligned && spatial && spec.groups.a % 4 == 0;
        let (samples, channels) = (&spec.samples, &spec.channels);
        let along = match () {
            _ if even && self.samples_last && samples.a == 1 && samples.extent % 4 == 0 && channels.a % 4 == 0 => {
                Along::Free
            }
            _ if even && self.channels_last && channels.a == 1 && channels.extent % 4 == 0 && samples.a % 4 == 0 => {
                Along::Summed
            }
            _ => Along::Neither,
        };
        Operand { param: 0, address: text, along }
    }

    fn kernel(&self, aligned: bool) -> Operand {
        let spec = self.spec;
        let mut text = self.batch() + &self.term();
        let terms = [
            ("i32(free)".to_string(), spec.features.b as i64),
            ("g".to_string(), spec.groups.b as i64),
            ("c".to_string(), spec.channels.b as i64),
        ];
        let spatial = self.spatial().map(|(i, axis)| (format!("w{i}"), axis.w as i64));
        let terms = terms.into_iter().chain(spatial).filter(|(_, stride)| *stride != 0);
        text += &format!("let at = {};\n", sum(0, terms));
        let spatial = spec.spatial.iter().all(|axis| axis.w % 4 == 0);
        let even = aligned && spatial && spec.groups.b % 4 == 0;
        let (features, channels) = (&spec.features, &spec.channels);
        let along = match () {
            _ if even && features.b == 1 && features.extent % 4 == 0 && channels.b % 4 == 0 => Along::Free,
            _ if even && self.channels_last && channels.b == 1 && channels.extent % 4 == 0 && features.b % 4 == 0 => {
                Along::Summed
            }
            _ => Along::Neither,
        };
        Operand { param: 1, address: text, along }
    }
}

/// The product that a convolution is, its parameters being image, kernel and result.
pub fn product(spec: &ConvSpec, aligned: &[bool]) -> Product {
    let axes = Axes { spec, samples_last: spec.samples.a == 1, channels_last: spec.channels.a == 1 };
    let places: usize = spec.spatial.iter().map(Axes::places).product();
    let taps: usize = spec.spatial.iter().map(Axes::taps).product();
    let terms = [
        ("s".to_string(), spec.samples.c as i64),
        ("g".to_string(), spec.groups.c as i64),
        ("i32(column)".to_string(), spec.features.c as i64),
    ];
    let spatial = axes.spatial().map(|(i, axis)| (format!("o{i}"), axis.out as i64));
    let at = sum(0, terms.into_iter().chain(spatial).filter(|(_, stride)| *stride != 0));
    let even =
        [spec.samples.c, spec.groups.c].into_iter().chain(spec.spatial.iter().map(|axis| axis.out)).all(|c| c % 4 == 0);
    Product {
        kind: Kind::Conv,
        batch: spec.groups.extent * axes.phases(),
        size: [spec.samples.extent * places, spec.features.extent, spec.channels.extent * taps],
        left: axes.image(aligned[0]),
        right: axes.kernel(aligned[1]),
        target: axes.batch() + &axes.row("row", NOWHERE) + &format!("let at = {at};\n"),
        param: 2,
        vectors: aligned[2] && even && spec.features.c == 1 && spec.features.extent.is_multiple_of(4),
        accumulate: false,
        finish: None,
    }
}
