//! A convolution with few output channels: every pixel of the image times the weights of all taps, added up where they belong.
//!
//! Features alone would fill a fraction of a vector; taps × features fill whole ones. So the product has these as its vector side and
//! the image, read in place, as its broadcast side; what comes out of it for one pixel is added to the places of the result that
//! its taps reach, as contiguous runs where the layout has them. This suits windows that step by one (with a dilated input or not):
//! then every pixel serves every tap. Workers share samples.

use std::ops::Range;

use saddlepoint_compiler::plan::{BatchAxis, ConvSpec, SpatialAxis};

use super::super::axes::{Axis, Index, Places};
use super::super::dot::LINE;
use super::super::kernel::{Kernel, Left, Offsets, Right, Target};
use super::super::pack::pack;
use super::super::workers::share;
use super::PIECE;
use super::phase::three;

/// Fewer channels than this leave the product too little to do.
const FEWEST_CHANNELS: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Fold {
    samples: usize,
    /// The samples of each worker, where the plan says.
    parts: Vec<(usize, usize)>,
    sample_x: isize,
    sample_out: isize,
    groups: BatchAxis,
    channels: usize,
    channel_x: isize,
    channel_w: isize,
    features: usize,
    feature_out: isize,
    axes: [SpatialAxis; 3],
    /// Where each pixel of a sample lies in the image.
    pixel_x: Places,
    /// Where the weight of each product lies: taps (along the last axis from the last to the first, which is the order that they
    /// reach the result in) and features.
    weights: Places,
    /// Distance in the products from a tap of the last axis to the next, and from a feature to the next.
    tap_step: usize,
    feature_step: usize,
    /// Runs of products whose places in the result are neighbours: how many such runs a line of taps has, and whether there are any.
    runs: Runs,
    /// For each pixel of a line, which products of a line of taps reach the result.
    inside: Vec<(usize, usize)>,
    /// Pixels of a line all of whose products do.
    whole: Range<usize>,
    /// Pixels of a piece: whole lines of the last axis.
    piece: usize,
}

/// How a line of taps (along the last axis) reaches the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    /// Taps and features together lie side by side.
    All,
    /// The taps of one feature lie side by side.
    Taps,
    /// Nothing does.
    None,
}

impl Fold {
    /// Whether this is the form for a convolution.
    pub fn suits(kernel: &Kernel, spec: &ConvSpec) -> bool {
        let taps: usize = spec.spatial.iter().map(|axis| axis.kernel).product();
        let products = taps * spec.features.extent;
        spec.spatial.iter().all(|axis| axis.window_stride == 1 && axis.input > 0)
            && spec.features.extent > 0
            && 8 * spec.features.extent <= 3 * kernel.lanes
            && (kernel.lanes / 2..=16 * kernel.rows).contains(&products)
            && spec.channels.extent >= FEWEST_CHANNELS
    }

    pub fn new(kernel: &Kernel, spec: &ConvSpec) -> Self {
        let axes = three(spec);
        let (features, last) = (spec.features.extent, &axes[2]);
        let taps_are_neighbours = last.out * last.kernel_dilation as isize;
        let taps: usize = axes.iter().map(|axis| axis.kernel).product();
        let features_inner = features == 1 || spec.features.c.unsigned_abs() <= last.out.unsigned_abs();
        let (tap_step, feature_step) = if features_inner { (features, 1) } else { (1, taps) };
        let runs = if features_inner && (features == 1 || spec.features.c == 1) && taps_are_neighbours == features as isize {
            Runs::All
        } else if tap_step == 1 && taps_are_neighbours == 1 {
            Runs::Taps
        } else {
            Runs::None
        };
        let reversed = Axis { extent: last.kernel, strides: [-last.w] };
        let mut order = vec![
            Axis { extent: axes[0].kernel, strides: [axes[0].w] },
            Axis { extent: axes[1].kernel, strides: [axes[1].w] },
            reversed,
        ];
        order.insert(if features_inner { 3 } else { 0 }, Axis { extent: features, strides: [spec.features.b] });
        let inside: Vec<_> = (0..last.input).map(|pixel| products_inside(last, pixel)).collect();
        let all = |products: &(usize, usize)| *products == (0, last.kernel);
        let start = inside.iter().position(all).unwrap_or(0);
        let whole = start..start + inside[start..].iter().take_while(|products| all(products)).count();
        let pixels = Index::in_order(axes.map(|axis| Axis { extent: axis.input, strides: [axis.x] }));
        let line = last.input;
        let products = kernel.padded(taps * features);
        let lines = (PIECE / 2 / (line * products).max(1)).clamp(1, axes[0].input * axes[1].input);
        Self {
            samples: spec.samples.extent,
            parts: spec.parts.clone(),
            sample_x: spec.samples.a,
            sample_out: spec.samples.c,
            groups: spec.groups,
            channels: spec.channels.extent,
            channel_x: spec.channels.a,
            channel_w: spec.channels.b,
            features,
            feature_out: spec.features.c,
            axes,
            pixel_x: pixels.offsets(0),
            weights: Index::in_order(order).offsets(0),
            tap_step,
            feature_step,
            runs,
            inside,
            whole,
            piece: lines * line,
        }
    }

    /// Products of one pixel.
    fn products(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product::<usize>() * self.features
    }

    /// Numbers of the packed weights, the products of a piece, and a packed piece of the image.
    fn layout(&self, kernel: &Kernel) -> [usize; 3] {
        let padded = kernel.padded(self.products());
        let panel = kernel.panel_rows(self.products());
        let image = match self.pixel_x {
            Places::Stride(_) => 0,
            Places::Table(_) => self.piece.next_multiple_of(kernel.columns) * self.channels,
        };
        [self.products().div_ceil(panel) * panel * self.channels, self.piece * padded, image]
            .map(|n| n.next_multiple_of(LINE))
    }

    /// Scratch of one worker.
    pub fn scratch(&self) -> usize {
        self.layout(&Kernel::of_this_machine()).iter().sum()
    }

    /// # Safety
    /// As [`super::ConvPlan::run`], with this worker's part of the scratch.
    #[allow(clippy::too_many_arguments)]
    pub unsafe fn run(
        &self,
        kernel: &Kernel,
        x: *const f32,
        w: *const f32,
        out: *mut f32,
        scratch: *mut f32,
        worker: usize,
        count: usize,
    ) {
        let samples = match self.parts.get(worker) {
            Some((begin, end)) => *begin..*end,
            None => share(self.samples, 1, worker, count),
        };
        if samples.is_empty() {
            return;
        }
        let products = self.products();
        let padded = kernel.padded(products);
        let panel = kernel.panel_rows(products);
        let [weights, sums, _] = self.layout(kernel);
        let pixels: usize = self.axes.iter().map(|axis| axis.input).product();
        // SAFETY: all indices are those of the views; the scratch is laid out as `layout` says.
        unsafe {
            let (weights, sums, image) = (scratch, scratch.add(weights), scratch.add(weights + sums));
            for group in 0..self.groups.extent as isize {
                let last = &self.axes[2];
                // The first product is that of the last tap of the last axis.
                let w = w.wrapping_offset(group * self.groups.b + (last.kernel as isize - 1) * last.w);
                pack(w, self.weights.get(), Offsets::Stride(self.channel_w), products, self.channels, panel, weights);
                let left =
                    Left { rows: panel, start: weights, panel: (panel * self.channels) as isize, step: panel as isize };
                for sample in samples.clone() {
                    let x = x.wrapping_offset(group * self.groups.a + sample as isize * self.sample_x);
                    let out = out.wrapping_offset(group * self.groups.c + sample as isize * self.sample_out);
                    self.clear(out);
                    let mut pixel = 0;
                    while pixel < pixels {
                        let count = self.piece.min(pixels - pixel);
                        let right = self.image(kernel, x, pixel, count, image);
                        let columns = Offsets::Stride(padded as isize);
                        let target = Target { start: sums, rows: Offsets::Stride(1), columns };
                        kernel.multiply([padded, count, self.channels], left, right, target, false);
                        self.add(sums, padded, pixel, count, out);
                        pixel += count;
                    }
                }
            }
        }
    }

    /// The image as the broadcast side.
    ///
    /// # Safety
    /// As [`Fold::run`]; `packed` holds a piece of the image where its pixels are uneven.
    unsafe fn image(&self, kernel: &Kernel, x: *const f32, pixel: usize, count: usize, packed: *mut f32) -> Right {
        let (at, free) = self.pixel_x.get().from(pixel);
        let start = x.wrapping_offset(at);
        let columns = kernel.columns;
        if let Offsets::Stride(column) = free {
            return Right { start, group: columns as isize * column, step: self.channel_x, column };
        }
        // SAFETY: by the caller's contract.
        unsafe { pack(start, free, Offsets::Stride(self.channel_x), count, self.channels, columns, packed) };
        Right { start: packed, group: (columns * self.channels) as isize, step: columns as isize, column: 1 }
    }

    /// Zeros a sample's result.
    ///
    /// # Safety
    /// As [`Fold::run`].
    unsafe fn clear(&self, out: *mut f32) {
        let [a, b, c] = &self.axes;
        for i in 0..a.output as isize {
            for j in 0..b.output as isize {
                let line = out.wrapping_offset(i * a.out + j * b.out);
                // SAFETY: places of the result.
                unsafe {
                    if self.feature_out == 1 && c.out == self.features as isize || self.features == 1 && c.out == 1 {
                        std::slice::from_raw_parts_mut(line, c.output * self.features).fill(0.0);
                    } else {
                        for k in 0..c.output as isize {
                            for feature in 0..self.features as isize {
                                *line.wrapping_offset(k * c.out + feature * self.feature_out) = 0.0;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Adds the products of whole lines of pixels to the result.
    ///
    /// # Safety
    /// As [`Fold::run`]; `sums` holds `padded` products for each of `count` pixels from `pixel` on.
    unsafe fn add(&self, sums: *const f32, padded: usize, pixel: usize, count: usize, out: *mut f32) {
        let [a, b, c] = &self.axes;
        for line in pixel / c.input..(pixel + count) / c.input {
            // SAFETY: the line's products begin after those of the lines before it.
            let sums = unsafe { sums.add((line * c.input - pixel) * padded) };
            for tap_a in 0..a.kernel {
                let Some(at_a) = reached(a, line / b.input, tap_a) else { continue };
                for tap_b in 0..b.kernel {
                    let Some(at_b) = reached(b, line % b.input, tap_b) else { continue };
                    let out = out.wrapping_offset(at_a + at_b);
                    // SAFETY: `add_line` stays inside the line.
                    unsafe {
                        let sums = sums.add((tap_a * b.kernel + tap_b) * c.kernel * self.tap_step);
                        self.add_line(sums, padded, out);
                    }
                }
            }
        }
    }

    /// Adds the products of one line of pixels and one line of taps.
    ///
    /// # Safety
    /// As [`Fold::add`]; `sums` is at the line's first product of the first pixel, `out` at the first place of the result's line.
    #[inline(always)]
    unsafe fn add_line(&self, sums: *const f32, padded: usize, out: *mut f32) {
        let c = &self.axes[2];
        let dilation = c.kernel_dilation as isize;
        // Neighbouring pixels reach overlapping places. Adding those of every `apart`-th pixel first leaves time for a sum to be stored
        // before it is loaded again.
        let apart = ((c.kernel - 1) * c.kernel_dilation / c.input_dilation + 1).min(c.input);
        let whole = match self.runs {
            Runs::All if c.kernel * self.features == 4 => self.whole.clone(),
            _ => 0..0,
        };
        let step = c.input_dilation as isize * c.out;
        let origin = (c.pad_lo - (c.kernel as isize - 1) * dilation) * c.out;
        for start in 0..apart {
            let mut pixel = whole.start + start;
            while pixel < whole.end {
                // SAFETY: all products of these pixels reach the line.
                unsafe { add_four(sums.add(pixel * padded), out.wrapping_offset(origin + pixel as isize * step)) };
                pixel += apart;
            }
        }
        for start in 0..apart {
            for pixel in (start..c.input).step_by(apart) {
                if whole.contains(&pixel) {
                    continue;
                }
                let (from, to) = self.inside[pixel];
                let first = (pixel * c.input_dilation) as isize + c.pad_lo - (c.kernel as isize - 1) * dilation;
                // SAFETY: products from..to reach places 0..output of the line.
                unsafe {
                    let sums = sums.add(pixel * padded + from * self.tap_step);
                    let out = out.wrapping_offset((first + from as isize * dilation) * c.out);
                    match self.runs {
                        Runs::All => add_run(sums, out, (to - from) * self.features),
                        Runs::Taps => {
                            for feature in 0..self.features {
                                let out = out.wrapping_offset(feature as isize * self.feature_out);
                                add_run(sums.add(feature * self.feature_step), out, to - from);
                            }
                        }
                        Runs::None => {
                            for tap in 0..to - from {
                                for feature in 0..self.features {
                                    let at = tap as isize * dilation * c.out + feature as isize * self.feature_out;
                                    *out.wrapping_offset(at) += *sums.add(tap * self.tap_step + feature * self.feature_step);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The products of a pixel, counted from the last tap of the last axis on, that reach places inside the result: product 0 goes to
/// `first`, product i goes i·dilation further.
fn products_inside(axis: &SpatialAxis, pixel: usize) -> (usize, usize) {
    let reach = (axis.kernel as isize - 1) * axis.kernel_dilation as isize;
    let first = (pixel * axis.input_dilation) as isize + axis.pad_lo - reach;
    let before = |place: isize| -> usize {
        if place <= first { 0 } else { ((place - first) as usize).div_ceil(axis.kernel_dilation).min(axis.kernel) }
    };
    let (from, to) = (before(0), before(axis.output as isize));
    (from, to.max(from))
}

/// Where a pixel and a tap of an axis reach in the result, if inside.
#[inline(always)]
fn reached(axis: &SpatialAxis, pixel: usize, tap: usize) -> Option<isize> {
    let place = (pixel * axis.input_dilation) as isize + axis.pad_lo - (tap * axis.kernel_dilation) as isize;
    (0..axis.output as isize).contains(&place).then(|| place * axis.out)
}

/// Adds neighbouring numbers to neighbouring places.
///
/// # Safety
/// `from` readable, `to` readable and writable for `count`; they do not overlap.
#[inline(always)]
unsafe fn add_run(from: *const f32, to: *mut f32, count: usize) {
    // SAFETY: whole blocks of 4 and then single numbers, all below count.
    unsafe {
        let mut done = 0;
        while done + 4 <= count {
            add_four(from.add(done), to.add(done));
            done += 4;
        }
        while done < count {
            *to.add(done) += *from.add(done);
            done += 1;
        }
    }
}

/// [`add_run`] of four.
///
/// # Safety
/// As [`add_run`].
#[inline(always)]
unsafe fn add_four(from: *const f32, to: *mut f32) {
    // SAFETY: by the caller's contract.
    unsafe {
        let numbers = from.cast::<[f32; 4]>().read_unaligned();
        let place = to.cast::<[f32; 4]>();
        let mut sums = place.read_unaligned();
        sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        place.write_unaligned(sums);
    }
}
