//! A convolution as rows of windows times weights.
//!
//! The features are the vector side of the product, the windows its broadcast side: so a row of the result is stored as whole
//! vectors of a channels-last image, and windows are read just as they were unfolded. Each worker packs the weights of its features
//! once a run and then goes through its pixels in pieces that stay in cache.

use saddlepoint_compiler::plan::{BatchAxis, ConvSpec};

use super::super::axes::{Axis, Index, Places};
use super::super::dot::LINE;
use super::super::kernel::{Kernel, Left, Offsets, Right, Target};
use super::super::pack::pack;
use super::super::workers::share;
use super::PIECE;
use super::phase::Phase;
use super::unfold::{Unfold, WindowAxis};

/// The longest part of a window that is summed in one pass over the result.
const LONGEST_STEP: usize = 640;

#[derive(Clone, Debug)]
pub(super) struct Forward {
    unfold: Unfold,
    groups: BatchAxis,
    features: usize,
    /// Strides of the features in the weights and in the result.
    feature_w: isize,
    feature_out: isize,
    /// Where each pixel lies in the result.
    pixel_out: Places,
    /// Parts of the window, each summed in one pass.
    blocks: Vec<Block>,
    /// Workers along the pixels and along the features.
    grid: [usize; 2],
    /// The pixels of each worker, where the plan says.
    parts: Vec<std::ops::Range<usize>>,
    /// Pixels of a piece, and the distance between their rows.
    piece: usize,
    width: usize,
    /// Numbers of the packed weights.
    packed: usize,
}

#[derive(Clone, Debug)]
struct Block {
    taps: std::ops::Range<usize>,
    steps: usize,
    /// Where the weight of each step lies.
    weights: Places,
}

impl Forward {
    pub fn new(kernel: &Kernel, spec: &ConvSpec, phase: &Phase, workers: usize) -> Self {
        let axes = phase.axes.map(|axis| WindowAxis {
            input: axis.input,
            stride: axis.x,
            pixels: axis.output,
            pixel_step: axis.window_stride,
            taps: axis.kernel,
            tap_step: axis.kernel_dilation,
            pad: axis.pad_lo,
        });
        let (samples, channels) = (&spec.samples, &spec.channels);
        let unfold = Unfold::new(axes, (samples.extent, samples.a), (channels.extent, channels.a));
        let taps = unfold.taps();
        let passes = (taps * channels.extent).div_ceil(LONGEST_STEP).min(taps);
        let taps_of_block = taps.div_ceil(passes);
        let blocks: Vec<Block> = (0..taps)
            .step_by(taps_of_block)
            .map(|start| {
                let taps = start..(start + taps_of_block).min(taps);
                let place = |(tap, channel): ([usize; 3], usize)| {
                    let tap: isize = tap.iter().zip(&phase.axes).map(|(&tap, axis)| tap as isize * axis.w).sum();
                    tap + channel as isize * channels.b
                };
                let weights: Vec<isize> = unfold.row(taps.clone()).into_iter().map(place).collect();
                Block { taps, steps: weights.len(), weights: Places::from_table(weights) }
            })
            .collect();
        let outer = [Axis { extent: samples.extent, strides: [samples.c] }];
        let pixel_out =
            Index::in_order(outer.into_iter().chain(phase.axes.map(|x| Axis { extent: x.output, strides: [x.out] })));
        let features = spec.features.extent;
        let grid = match spec.parts.is_empty() {
            true => grid(kernel, unfold.pixels(), features, taps * channels.extent, workers),
            false => [workers, 1],
        };
        // All pixels of a sample lie together.
        let of_sample = unfold.pixels() / samples.extent.max(1);
        let parts = spec.parts.iter().map(|(begin, end)| begin * of_sample..end * of_sample).collect();
        let steps = blocks.iter().map(|block| block.steps).max().unwrap_or(0);
        let width = row_width(steps);
        let piece = (PIECE / width).clamp(1, unfold.pixels().div_ceil(grid[0]).max(1)).next_multiple_of(kernel.columns);
        let share = features.div_ceil(kernel.lanes).div_ceil(grid[1]) * kernel.lanes;
        let panel = kernel.panel_rows(share);
        let packed = (share.div_ceil(panel) * panel * taps * channels.extent).next_multiple_of(LINE);
        Self {
            unfold,
            groups: spec.groups,
            features,
            feature_w: spec.features.b,
            feature_out: spec.features.c,
            pixel_out: pixel_out.offsets(0),
            blocks,
            grid,
            parts,
            piece,
            width,
            packed,
        }
    }

    /// Scratch of one worker.
    pub fn scratch(&self) -> usize {
        self.packed + (self.piece * self.width).next_multiple_of(LINE)
    }

    /// # Safety
    /// As [`super::ConvPlan::run`], with this worker's part of the scratch.
    pub unsafe fn run(
        &self,
        kernel: &Kernel,
        x: *const f32,
        w: *const f32,
        out: *mut f32,
        scratch: *mut f32,
        worker: usize,
    ) {
        let [along_pixels, along_features] = self.grid;
        if worker >= along_pixels * along_features {
            return;
        }
        let pixels = match self.parts.get(worker) {
            Some(part) => part.clone(),
            None => share(self.unfold.pixels(), 1, worker % along_pixels, along_pixels),
        };
        let features = share(self.features, kernel.lanes, worker / along_pixels, along_features);
        if pixels.is_empty() || features.is_empty() {
            return;
        }
        let pieces = pixels.len().div_ceil(self.piece);
        let piece = pixels.len().div_ceil(pieces).next_multiple_of(kernel.columns);
        let panel = kernel.panel_rows(features.len());
        let packed_rows = features.len().div_ceil(panel) * panel;
        // SAFETY: groups, features, pixels and taps are those of the views; the scratch holds the packed weights of a share and
        // a piece of windows.
        unsafe {
            let windows = scratch.add(self.packed);
            for group in 0..self.groups.extent as isize {
                let x = x.wrapping_offset(group * self.groups.a);
                let w = w.wrapping_offset(group * self.groups.b + features.start as isize * self.feature_w);
                let out = out.wrapping_offset(group * self.groups.c + features.start as isize * self.feature_out);
                let mut packed = scratch;
                for block in &self.blocks {
                    let free = Offsets::Stride(self.feature_w);
                    pack(w, free, block.weights.get(), features.len(), block.steps, panel, packed);
                    packed = packed.add(packed_rows * block.steps);
                }
                let mut pixel = pixels.start;
                while pixel < pixels.end {
                    let count = piece.min(pixels.end - pixel);
                    let mut packed = scratch.cast_const();
                    for (pass, block) in self.blocks.iter().enumerate() {
                        self.unfold.fill(x, pixel..pixel + count, block.taps.clone(), windows, self.width);
                        let left =
                            Left { rows: panel, start: packed, panel: (panel * block.steps) as isize, step: panel as isize };
                        let group = (kernel.columns * self.width) as isize;
                        let right = Right { start: windows, group, step: 1, column: self.width as isize };
                        let (at, columns) = self.pixel_out.get().from(pixel);
                        let target =
                            Target { start: out.wrapping_offset(at), rows: Offsets::Stride(self.feature_out), columns };
                        kernel.multiply([features.len(), count, block.steps], left, right, target, pass > 0);
                        packed = packed.add(packed_rows * block.steps);
                    }
                    pixel += count;
                }
            }
        }
    }
}

/// A distance between rows that keeps neighbouring rows out of each other's cache sets.
pub(super) fn row_width(length: usize) -> usize {
    let width = length.next_multiple_of(LINE).max(LINE);
    if width.is_multiple_of(256) { width + LINE } else { width }
}

/// Shares along pixels and features by an estimate of the cycles that the busiest worker needs.
fn grid(kernel: &Kernel, pixels: usize, features: usize, steps: usize, workers: usize) -> [usize; 2] {
    let cost = |along_pixels: usize| {
        let along_features = workers / along_pixels;
        let pixels = pixels.div_ceil(along_pixels) as f64;
        let rows = features.div_ceil(kernel.lanes).div_ceil(along_features) as f64;
        // Packing weights, unfolding windows, and a fused multiply-add for each vector.
        steps as f64 * (rows * kernel.lanes as f64 * 0.5 + pixels * 0.25 + pixels * rows)
    };
    let along_pixels = (1..=workers).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(1);
    [along_pixels, workers / along_pixels]
}
