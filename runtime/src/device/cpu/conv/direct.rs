//! A convolution read where it lies: no window is copied, and no tap that reaches over the edge is multiplied.
//!
//! A tile of the result is one place of the picture, some vectors of its features (the vector side) and the same place of several
//! samples (the broadcast side): all of them meet the same taps, so the contraction is a list of [`Segment`]s that leaves out
//! taps in the padding. Where there are few samples, as in the weight gradient of a layer on pictures of one colour, the places along
//! the last axis are the broadcast side; taps that not all of them meet are added apart. In a convolution a segment runs through channels and the taps beside each other; in a weight gradient,
//! whose samples are the image's channels and whose channels are the batch, through a line of the picture, once for each sample of
//! the batch.
//!
//! The contraction is cut into [`Block`]s whose operands stay in a core's second-level cache. How it is cut depends on the
//! convolution alone; so bits do not depend on the number of workers.

use std::ops::Range;

use saddlepoint_compiler::plan::{BatchAxis, ConvSpec, LeftAxis, SpatialAxis};

use super::super::axes::Places;
use super::super::dot::LINE;
use super::super::kernel::Offsets;
use super::super::pack::pack;
use super::super::tile::{Operand, Segment, Tile, Tiles};
use super::super::workers::share;
use super::phase::Phase;

/// Fewer samples than this leave tiles too narrow.
const FEWEST_COLUMNS: usize = 4;
/// Shorter segments than this are not worth their jumps.
const SHORTEST_SEGMENT: usize = 4;
/// The longest contraction whose weights stay in cache beside what they meet.
const LONGEST_BLOCK: usize = 640;
/// Numbers of both operands of a block of a weight gradient.
const BLOCK_NUMBERS: usize = 96 * 1024;
/// Places in memory that are a multiple of this apart compete for the same few lines of a first-level cache.
const ALIASED: usize = 1024;
/// Columns that find room there all the same.
const FEW_COLUMNS: usize = 6;

#[derive(Clone, Debug)]
pub(super) struct Direct {
    tiles: Tiles,
    groups: BatchAxis,
    /// Whether samples are the vector side and features the broadcast side.
    swapped: bool,
    /// The vector side: its extent, and its stride in its operand.
    rows: usize,
    row: isize,
    /// The broadcast side: strides in its operand and in the result.
    across: LeftAxis,
    places: [AxisPlaces; 3],
    /// Where the broadcast side runs along the last axis: the columns that meet each of its ranges of taps; the first is all of them.
    spread: Vec<Range<usize>>,
    blocks: Vec<Block>,
    /// From a step of a segment to the next in the image and in the weights.
    step: [isize; 2],
    /// From a repetition to the next in the image.
    repeat: isize,
    /// Rows of a panel: whole vectors.
    width: usize,
    /// Numbers of a packed panel of the longest block; 0 where weights are read in place.
    packed: usize,
    /// The most columns of a tile.
    columns: usize,
    shares: Shares,
}

/// The places of the result along one axis.
#[derive(Clone, Debug)]
struct AxisPlaces {
    /// For every place which of the axis' ranges of taps it meets.
    class: Vec<usize>,
    /// The distinct ranges of taps inside of the picture.
    taps: Vec<Range<usize>>,
    /// From a place to the next in the image and in the result.
    x: isize,
    out: isize,
}

/// A part of the contraction.
#[derive(Clone, Debug)]
struct Block {
    /// For each combination of the axes' classes the segments, relative to the block's start.
    segments: Vec<Vec<Segment>>,
    /// How often they are gone through, and how far the weights move on from one time to the next.
    repeats: usize,
    w_repeat: isize,
    /// Where it starts in the image and in the weights.
    x_at: isize,
    w_at: isize,
    /// Where its weights lie, in the order that they are packed in; empty where they are read in place.
    weights: Option<Places>,
    /// Its length.
    steps: usize,
}

/// How workers share the result.
#[derive(Clone, Debug)]
enum Shares {
    /// Each has samples: these, or even parts.
    Samples(Vec<(usize, usize)>),
    /// Each has tiles, counted by panels of features, then places, then columns.
    Tiles(Vec<Range<usize>>),
}

/// Channels and taps of a block along each axis.
type Ranges = (Range<usize>, [Range<usize>; 3]);

impl Direct {
    /// An undilated convolution in this form, if it suits.
    pub fn new(spec: &ConvSpec, phase: &Phase, workers: usize) -> Option<Self> {
        let tiles = Tiles::of_this_machine();
        let summed = spec.sums_over_windows();
        let last = &phase.axes[2];
        // The stride of one channel is nobody's; as long as a line of taps it is no obstacle.
        let mut spec = spec.clone();
        if spec.channels.extent == 1 {
            spec.channels.a = last.kernel_dilation as isize * last.x;
            spec.channels.b = last.w;
        }
        let (samples, features) = (spec.samples, spec.features);
        let swapped = features.c != 1;
        let (row, across) = match swapped {
            false => ((features.extent, features.b, features.c), samples),
            true => {
                ((samples.extent, samples.a, samples.c), LeftAxis { extent: features.extent, a: features.b, c: features.c })
            }
        };
        let (rows, row, row_out) = row;
        let mut places = [0, 1, 2].map(|axis| AxisPlaces::new(&phase.axes[axis]));
        let (mut across, mut spread) = (across, Vec::new());
        if summed
            && !swapped
            && spec.parts.is_empty()
            && samples.extent < FEWEST_COLUMNS
            && let Some((axis, columns)) = along_last(&samples, last)
            && let Some(ranges) = shared_taps(last, samples.extent)
        {
            let (taps, columns_of_taps) = ranges.into_iter().unzip();
            places[2] = AxisPlaces { class: vec![0], taps, x: 0, out: 0 };
            (across, spread) = (LeftAxis { extent: columns, ..axis }, columns_of_taps);
        }
        // What is read in whole vectors where it lies: with the sides exchanged, the image.
        let possible = row_out == 1 && (!swapped || summed && row == 1 && spec.parts.is_empty());
        // A line of a weight gradient, or the channels of a window, make segments; short ones are not worth their jumps.
        let segment = match summed {
            true => last.kernel,
            false if merges(&spec, last) => last.kernel * spec.channels.extent,
            false => spec.channels.extent,
        };
        let fits = !summed || numbers_of_line(&spec, phase) <= BLOCK_NUMBERS;
        let wide = 2 * rows >= tiles.lanes && across.extent >= FEWEST_COLUMNS;
        if !(possible && fits && wide && segment >= SHORTEST_SEGMENT) {
            return None;
        }
        let vectors = rows.div_ceil(tiles.lanes);
        let vectors = vectors.div_ceil(vectors.div_ceil(tiles.most_vectors()));
        let width = vectors * tiles.lanes;
        // Weights whose features are neighbours, in whole vectors or not, need no packing if segments run evenly through them.
        let even = summed || !merges(&spec, last) || last.w == spec.channels.extent as isize * spec.channels.b;
        let in_place = swapped || features.b == 1 && even && (summed || rows.is_multiple_of(tiles.lanes));
        let packed_width = (!in_place).then_some(width);
        let blocks: Vec<Block> = ranges(&spec, phase, summed)
            .into_iter()
            .map(|ranges| Block::new(&spec, phase, &places, &ranges, (summed, swapped), packed_width))
            .collect();
        let longest = blocks.iter().map(|block| block.steps).max().unwrap_or(0);
        let step = if summed { last.kernel_dilation as isize * last.x } else { spec.channels.a };
        let w_step = match in_place {
            false => width as isize,
            true if summed => last.w,
            true => spec.channels.b,
        };
        let aliased = |stride: isize| stride != 0 && stride.unsigned_abs().is_multiple_of(ALIASED);
        let few = aliased(across.a) || aliased(across.c);
        let most = tiles.most_columns(vectors);
        let mut direct = Self {
            tiles,
            groups: spec.groups,
            swapped,
            rows,
            row,
            across,
            places,
            spread,
            blocks,
            step: [step, w_step],
            repeat: spec.channels.a,
            width,
            packed: if in_place { 0 } else { (longest * width).next_multiple_of(LINE) },
            columns: if few { most.min(FEW_COLUMNS) } else { most },
            shares: Shares::Samples(spec.parts.clone()),
        };
        if summed && spec.parts.is_empty() {
            direct.shares = Shares::Tiles(direct.shares_of_tiles(workers));
        }
        Some(direct)
    }

    /// Scratch of one worker.
    pub fn scratch(&self) -> usize {
        self.packed
    }

    fn panels(&self) -> usize {
        self.rows.div_ceil(self.width)
    }

    /// Places of the result's picture.
    fn pixels(&self) -> usize {
        self.places.iter().map(|axis| axis.class.len()).product()
    }

    /// Parts of the tiles that take about equally long.
    fn shares_of_tiles(&self, workers: usize) -> Vec<Range<usize>> {
        let columns = self.across.extent.div_ceil(self.columns);
        let costs: Vec<usize> = (0..self.pixels())
            .map(|pixel| {
                let class = self.place(pixel).class;
                let steps = |block: &Block| block.segments[class].iter().map(|s| s.steps + 1).sum::<usize>() * block.repeats;
                self.blocks.iter().map(steps).sum()
            })
            .collect();
        let total: usize = costs.iter().sum::<usize>() * columns * self.panels();
        let (mut shares, mut tile, mut done) = (Vec::new(), 0, 0);
        let tiles = self.panels() * self.pixels() * columns;
        for worker in 1..=workers {
            let start = tile;
            while tile < tiles && (worker == workers || done * workers < worker * total) {
                done += costs[tile / columns % self.pixels()];
                tile += 1;
            }
            shares.push(start..tile);
        }
        shares
    }

    /// A place of the result's picture by its number.
    fn place(&self, pixel: usize) -> Place {
        let [_, b, c] = &self.places;
        let line = pixel / c.class.len();
        let along = [line / b.class.len(), line % b.class.len(), pixel % c.class.len()];
        self.places.iter().zip(along).fold(Place::default(), |place, (axis, at)| place.along(axis, at))
    }

    /// # Safety
    /// As [`super::ConvPlan::run`], with this worker's part of the scratch.
    pub unsafe fn run(
        &self,
        x: *const f32,
        w: *const f32,
        out: *mut f32,
        scratch: *mut f32,
        (worker, count): (usize, usize),
    ) {
        for group in 0..self.groups.extent as isize {
            let x = x.wrapping_offset(group * self.groups.a);
            let w = w.wrapping_offset(group * self.groups.b);
            let out = out.wrapping_offset(group * self.groups.c);
            let (vectors, broadcast) = if self.swapped { (x, w) } else { (w, x) };
            // SAFETY: groups are those of the views.
            unsafe {
                match &self.shares {
                    Shares::Samples(parts) => {
                        let samples = match parts.get(worker) {
                            Some((begin, end)) => *begin..*end,
                            None => share(self.across.extent, 1, worker, count),
                        };
                        self.run_samples(vectors, broadcast, out, scratch, samples);
                    }
                    Shares::Tiles(shares) => self.run_tiles(vectors, broadcast, out, scratch, shares[worker].clone()),
                }
            }
        }
    }

    /// The results of some samples.
    ///
    /// # Safety
    /// As [`Direct::run`].
    unsafe fn run_samples(
        &self,
        vectors: *const f32,
        broadcast: *const f32,
        out: *mut f32,
        scratch: *mut f32,
        samples: Range<usize>,
    ) {
        let tiles = samples.len().div_ceil(self.columns);
        for panel in 0..if samples.is_empty() { 0 } else { self.panels() } {
            for block in 0..self.blocks.len() {
                // SAFETY: panels, samples and places are those of the views; the scratch holds a packed panel.
                unsafe {
                    let left = self.left(vectors, panel, block, scratch);
                    for tile in 0..tiles {
                        let columns = share(samples.len(), 1, tile, tiles);
                        let columns = samples.start + columns.start..samples.start + columns.end;
                        let [a, b, c] = &self.places;
                        for i in 0..a.class.len() {
                            let place = Place::default().along(a, i);
                            for j in 0..b.class.len() {
                                let place = place.along(b, j);
                                for k in 0..c.class.len() {
                                    let place = place.along(c, k);
                                    self.tile(broadcast, left, out, (panel, block), place, columns.clone(), block > 0);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The results of some tiles.
    ///
    /// # Safety
    /// As [`Direct::run`].
    unsafe fn run_tiles(
        &self,
        vectors: *const f32,
        broadcast: *const f32,
        out: *mut f32,
        scratch: *mut f32,
        own: Range<usize>,
    ) {
        let columns = self.across.extent.div_ceil(self.columns);
        let of_panel = self.pixels() * columns;
        for block in 0..self.blocks.len() {
            let mut tile = own.start;
            while tile < own.end {
                let panel = tile / of_panel;
                // SAFETY: panels, samples and places are those of the views; the scratch holds a packed panel.
                unsafe {
                    let left = self.left(vectors, panel, block, scratch);
                    while tile < own.end.min((panel + 1) * of_panel) {
                        let place = self.place(tile / columns % self.pixels());
                        let columns = share(self.across.extent, 1, tile % columns, columns);
                        if self.spread.is_empty() {
                            self.tile(broadcast, left, out, (panel, block), place, columns, block > 0);
                        } else {
                            for (range, meet) in self.spread.iter().enumerate() {
                                let columns = columns.start.max(meet.start)..columns.end.min(meet.end);
                                let place = Place { class: place.class + range, ..place };
                                if !columns.is_empty() {
                                    let accumulate = block > 0 || range > 0;
                                    self.tile(broadcast, left, out, (panel, block), place, columns, accumulate);
                                }
                            }
                        }
                        tile += 1;
                    }
                }
            }
        }
    }

    /// The vector side of a panel in a block: packed weights, or an operand where it lies.
    ///
    /// # Safety
    /// As [`Direct::run`].
    unsafe fn left(&self, vectors: *const f32, panel: usize, block: usize, scratch: *mut f32) -> *const f32 {
        let block = &self.blocks[block];
        let at = if self.swapped { block.x_at } else { block.w_at };
        let start = vectors.wrapping_offset(at + (panel * self.width) as isize * self.row);
        let Some(weights) = &block.weights else { return start };
        let rows = self.width.min(self.rows - panel * self.width);
        // SAFETY: features and steps are those of the view; the scratch holds `width` numbers a step.
        unsafe { pack(start, Offsets::Stride(self.row), weights.get(), rows, block.steps, self.width, scratch) };
        scratch
    }

    /// One tile in one block.
    ///
    /// # Safety
    /// As [`Direct::run`]; `left` is what [`Direct::left`] gave for this panel and block.
    #[inline]
    #[allow(clippy::too_many_arguments)]
    unsafe fn tile(
        &self,
        broadcast: *const f32,
        left: *const f32,
        out: *mut f32,
        (panel, number): (usize, usize),
        place: Place,
        columns: Range<usize>,
        accumulate: bool,
    ) {
        let block = &self.blocks[number];
        let segments = &block.segments[place.class];
        // What comes first stores, if only zeros; what has nothing to add is left out.
        if accumulate && segments.is_empty() {
            return;
        }
        let [step, w_step] = self.step;
        let first = columns.start as isize;
        let image = Operand { start: left, step, repeat: self.repeat };
        let weights = Operand { step: w_step, repeat: block.w_repeat, ..image };
        let (mut left, mut right, at) =
            if self.swapped { (image, weights, block.w_at) } else { (weights, image, block.x_at) };
        right.start = broadcast.wrapping_offset(at + first * self.across.a);
        // The place of the result decides where the image is read, whichever side it is.
        let image = if self.swapped { &mut left } else { &mut right };
        image.start = image.start.wrapping_offset(place.x);
        let tile = Tile {
            rows: self.width.min(self.rows - panel * self.width),
            columns: columns.len(),
            segments,
            repeats: block.repeats,
            left,
            padded: block.weights.is_some(),
            right,
            right_column: self.across.a,
            target: out.wrapping_offset(place.out + first * self.across.c + (panel * self.width) as isize),
            target_column: self.across.c,
            accumulate,
        };
        // SAFETY: segments hold only taps inside of the picture; rows and columns are at most a tile's.
        unsafe { self.tiles.compute(&tile) };
    }
}

/// The places along the last axis and the few samples of each as one axis, and its extent, if they lie evenly.
fn along_last(samples: &LeftAxis, last: &SpatialAxis) -> Option<(LeftAxis, usize)> {
    let (x, extent) = (last.window_stride as isize * last.x, samples.extent as isize);
    let columns = last.output * samples.extent;
    let along = LeftAxis { extent: columns, a: x, c: last.out };
    let whole = extent == 1 || x == extent * samples.a && last.out == extent * samples.c;
    whole.then_some((if extent == 1 { along } else { *samples }, columns))
}

/// The taps along the last axis by the places that meet them: first those that all places meet, then the others one by one, each
/// with the columns of these places, `samples` for each. `None` if there is no tap that all places meet.
fn shared_taps(last: &SpatialAxis, samples: usize) -> Option<Vec<(Range<usize>, Range<usize>)>> {
    let met: Vec<Range<usize>> = {
        let places = AxisPlaces::new(last);
        places.class.iter().map(|class| places.taps[*class].clone()).collect()
    };
    let start = met.iter().map(|taps| taps.start).max()?;
    let end = met.iter().map(|taps| taps.end).min()?;
    if start >= end {
        return None;
    }
    let mut ranges = vec![(start..end, 0..last.output * samples)];
    for tap in (0..start).chain(end..last.kernel) {
        let meets = |place: &usize| met[*place].contains(&tap);
        let (Some(first), Some(behind)) = ((0..last.output).find(meets), (0..last.output).rev().find(meets)) else {
            continue;
        };
        ranges.push((tap..tap + 1, first * samples..(behind + 1) * samples));
    }
    Some(ranges)
}

/// Whether channels and the taps along the last axis lie as evenly in the image as one axis.
fn merges(spec: &ConvSpec, last: &SpatialAxis) -> bool {
    last.kernel_dilation as isize * last.x == spec.channels.extent as isize * spec.channels.a
}

/// Numbers of both operands that a line of a weight gradient meets, for one sample of the batch.
fn numbers_of_line(spec: &ConvSpec, phase: &Phase) -> usize {
    phase.axes[2].input * spec.samples.extent + phase.axes[2].kernel * spec.features.extent
}

/// Cuts the contraction into blocks: convolutions so that their weights, weight gradients so that both operands fit the cache.
fn ranges(spec: &ConvSpec, phase: &Phase, summed: bool) -> Vec<Ranges> {
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

/// One place of the result's picture.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Which list of segments it has.
    class: usize,
    /// Where it lies in the image and in the result.
    x: isize,
    out: isize,
}

impl Place {
    #[inline(always)]
    fn along(self, axis: &AxisPlaces, at: usize) -> Self {
        Self {
            class: self.class * axis.taps.len() + axis.class[at],
            x: self.x + at as isize * axis.x,
            out: self.out + at as isize * axis.out,
        }
    }
}

impl AxisPlaces {
    fn new(axis: &SpatialAxis) -> Self {
        let mut taps: Vec<Range<usize>> = Vec::new();
        let mut class = |place: usize| {
            let first = (place * axis.window_stride) as isize - axis.pad_lo;
            // Taps before which windows begin left of the picture, and from which on they have left it.
            let before = |edge: isize| -> usize {
                if edge <= first { 0 } else { ((edge - first) as usize).div_ceil(axis.kernel_dilation).min(axis.kernel) }
            };
            let range = before(0)..before(axis.input as isize).max(before(0));
            taps.iter().position(|known| *known == range).unwrap_or_else(|| {
                taps.push(range);
                taps.len() - 1
            })
        };
        let class = (0..axis.output).map(&mut class).collect();
        Self { class, taps, x: axis.window_stride as isize * axis.x, out: axis.out }
    }
}

impl Block {
    /// `width` is that of packed panels.
    fn new(
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
