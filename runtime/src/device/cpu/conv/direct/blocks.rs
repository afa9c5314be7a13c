//! The contraction, cut into parts whose operands stay in a core's second-level cache.

use std::ops::Range;

use saddlepoint_compiler::plan::{ConvSpec, SpatialAxis};

use super::super::super::axes::Places;
use super::super::super::tile::Segment;
use super::super::phase::Phase;
use super::places::AxisPlaces;

/// The longest contraction whose weights stay in cache beside what they meet.
pub(super) const LONGEST_BLOCK: usize = 640;
/// Numbers of both operands of a block of a weight gradient.
pub(super) const BLOCK_NUMBERS: usize = 96 * 1024;

/// A part of the contraction.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// For each combination of the axes' classes the segments, relative to the block's start.
    pub segments: Vec<Vec<Segment>>,
    /// How often they are gone through, and how far the weights move on from one time to the next.
    pub repeats: usize,
    pub w_repeat: isize,
    /// Where it starts in the image and in the weights.
    pub x_at: isize,
    pub w_at: isize,
    /// Where its weights lie, in the order that they are packed in; empty where they are read in place.
    pub weights: Option<Places>,
    /// Its length.
    pub steps: usize,
}

/// Channels and taps of a block along each axis.
pub(super) type Ranges = (Range<usize>, [Range<usize>; 3]);

/// Whether channels and the taps along the last axis lie as evenly in the image as one axis.
pub(super) fn merges(spec: &ConvSpec, last: &SpatialAxis) -> bool {
    last.kernel_dilation as isize * last.x == spec.channels.extent as isize * spec.channels.a
}

/// Numbers of both operands that a line of a weight gradient meets, for one sample of the batch.
pub(super) fn numbers_of_line(spec: &ConvSpec, phase: &Phase) -> usize {
    phase.axes[2].input * spec.samples.extent + phase.axes[2].kernel * spec.features.extent
}

/// Cuts the contraction into blocks: convolutions so that their weights, weight gradients so that both operands fit the cache.
pub(super) fn ranges(spec: &ConvSpec, phase: &Phase, summed: bool) -> Vec<Ranges> {
    let taps = phase.axes.map(|axis| axis.kernel);
    let channels = spec.channels.extent;
    // Whole lines first, then shorter ones; channels are cut last in a convolution, first in a weight gradient.
    let mut extents = [taps[0], taps[1], taps[2], channels];
    let order: &[usize] = if summed { &[3, 0, 1] } else { &[0, 1, 2, 3] };
    let numbers = |extents: &[usize; 4]| -> usize {
        if !summed {
            return extents.iter().product();
        }
        let inputs: usize = (0..3).map(|d| phase.axes[d].input.div_ceil(taps[d].max(1)) * extents[d]).product();
        let outputs: usize = extents[..3].iter().product();
        extents[3] * (inputs * spec.samples.extent + outputs * spec.features.extent)
    };
    let limit = if summed { BLOCK_NUMBERS } else { LONGEST_BLOCK };
    for &axis in order {
        let pieces = numbers(&extents).div_ceil(limit).clamp(1, extents[axis].max(1));
        extents[axis] = extents[axis].div_ceil(pieces);
    }
    let cut = |extent: usize, piece: usize| -> Vec<Range<usize>> {
        (0..extent).step_by(piece.max(1)).map(|start| start..(start + piece).min(extent)).collect()
    };
    let mut blocks = Vec::new();
    for a in cut(taps[0], extents[0]) {
        for b in cut(taps[1], extents[1]) {
            for c in cut(taps[2], extents[2]) {
                for channels in cut(channels, extents[3]) {
                    blocks.push((channels, [a.clone(), b.clone(), c.clone()]));
                }
            }
        }
    }
    blocks
}

impl Block {
    /// `width` is that of packed panels.
    pub fn new(
        spec: &ConvSpec,
        phase: &Phase,
        places: &[AxisPlaces; 3],
        (channels, taps): &Ranges,
        (summed, swapped): (bool, bool),
        width: Option<usize>,
    ) -> Self {
        let x_strides = phase.axes.map(|axis| axis.kernel_dilation as isize * axis.x);
        let w_strides = phase.axes.map(|axis| axis.w);
        let lengths = [0, 1, 2].map(|d: usize| taps[d].len());
        let steps = channels.len() * lengths.iter().product::<usize>();
        // Strides of channels and taps in the weights as they are read.
        let (channel, tap) = match width {
            None => (spec.channels.b, w_strides),
            Some(width) => {
                let inner = if summed { 1 } else { channels.len() };
                let of = [inner * lengths[1] * lengths[2], inner * lengths[2], inner];
                let channel = if summed { lengths.iter().product() } else { 1 };
                ((channel * width) as isize, of.map(|stride| (stride * width) as isize))
            }
        };
        let mut segments = Vec::new();
        for a in &places[0].taps {
            for b in &places[1].taps {
                for c in &places[2].taps {
                    let inside = [a, b, c].into_iter().zip(taps).map(|(met, block)| {
                        let start = met.start.max(block.start);
                        start..met.end.min(block.end).max(start)
                    });
                    let inside: Vec<Range<usize>> = inside.collect();
                    let mut list = Vec::new();
                    let mut add = |at: [usize; 3], steps: usize| {
                        let left = (0..3).map(|d| (at[d] - taps[d].start) as isize * tap[d]).sum();
                        let right = (0..3).map(|d| (at[d] - taps[d].start) as isize * x_strides[d]).sum();
                        let (left, right) = if swapped { (right, left) } else { (left, right) };
                        list.push(Segment { left, right, steps });
                    };
                    for i in inside[0].clone() {
                        for j in inside[1].clone() {
                            let line = inside[2].clone();
                            if line.is_empty() {
                                continue;
                            }
                            // Whole channels of neighbouring taps follow each other evenly; a part of them does not.
                            let whole = channels.len() == spec.channels.extent;
                            if summed {
                                add([i, j, line.start], line.len());
                            } else if whole && merges(spec, &phase.axes[2]) {
                                add([i, j, line.start], line.len() * channels.len());
                            } else {
                                line.for_each(|k| add([i, j, k], channels.len()));
                            }
                        }
                    }
                    segments.push(list);
                }
            }
        }
        let origin = |strides: [isize; 3], channel: isize| -> isize {
            let taps: isize = (0..3).map(|d| taps[d].start as isize * strides[d]).sum();
            taps + channels.start as isize * channel
        };
        let padding: isize = phase.axes.iter().map(|axis| axis.pad_lo * axis.x).sum();
        let weights = width.map(|_| {
            let mut table = Vec::with_capacity(steps);
            let taps = (0..lengths[0]).flat_map(|i| {
                let line = move |j| (0..lengths[2]).map(move |k| [i, j, k]);
                (0..lengths[1]).flat_map(line)
            });
            let taps: Vec<isize> = taps.map(|at| (0..3).map(|d| at[d] as isize * w_strides[d]).sum()).collect();
            let channels: Vec<isize> = (0..channels.len() as isize).map(|c| c * spec.channels.b).collect();
            let (outer, inner) = if summed { (&channels, &taps) } else { (&taps, &channels) };
            outer.iter().for_each(|outer| table.extend(inner.iter().map(|inner| outer + inner)));
            Places::from_table(table)
        });
        Self {
            segments,
            repeats: if summed { channels.len() } else { 1 },
            w_repeat: channel,
            x_at: origin(x_strides, spec.channels.a) - padding,
            w_at: origin(w_strides, spec.channels.b),
            weights,
            steps,
        }
    }
}
