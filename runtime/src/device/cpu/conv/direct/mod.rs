//! A convolution read where it lies: no window is copied, and no tap that reaches over the edge is multiplied.
//!
//! A tile of the result is one place of the picture, some vectors of its features (the vector side) and the same place of several
//! samples (the broadcast side): all of them meet the same taps, so the contraction is a list of [`Segment`]s that leaves out
//! taps in the padding. Where there are few samples, as in the weight gradient of a layer on pictures of one colour, the places along
//! the last axis are the broadcast side; taps that not all of them meet are added apart.
//!
//! In a convolution a segment runs through channels and the taps beside each other; in a weight gradient, whose samples are the
//! image's channels and whose channels are the batch, through a line of the picture, once for each sample of the batch.
//!
//! The contraction is cut into [`Block`]s whose operands stay in a core's second-level cache. How it is cut depends on the
//! convolution alone; so bits do not depend on the number of workers.

mod blocks;
mod places;

use std::ops::Range;

use saddlepoint_compiler::plan::{BatchAxis, ConvSpec, LeftAxis};

use super::super::dot::LINE;
use super::super::kernel::Offsets;
use super::super::pack::pack;
use super::super::tile::{Operand, Tile, Tiles};
use super::super::workers::share;
use super::phase::Phase;
use blocks::{BLOCK_NUMBERS, Block, merges, numbers_of_line, ranges};
use places::{AxisPlaces, Place, along_last, shared_taps};

/// Fewer samples than this leave tiles too narrow.
const FEWEST_COLUMNS: usize = 4;
/// Shorter segments than this are not worth their jumps.
const SHORTEST_SEGMENT: usize = 4;
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
    /// The columns that meet each range of taps of the last axis, where the broadcast side runs along this; otherwise, and as the first
    /// range, all columns.
    spread: Vec<Range<usize>>,
    blocks: Vec<Block>,
    /// From a step of a segment to the next in the image and in the weights.
    step: [isize; 2],
    /// From a repetition to the next in the image.
    repeat: isize,
    /// From a row to the next in the result: where they are no neighbours, sums are kept in scratch and go to the result at the end.
    row_out: isize,
    /// Rows of a panel: whole vectors.
    width: usize,
    /// Numbers of a packed panel of the longest block; 0 where weights are read in place.
    packed: usize,
    /// The most columns of a tile.
    columns: usize,
    shares: Shares,
}

/// How workers share the result.
#[derive(Clone, Debug)]
enum Shares {
    /// Each has samples: these, or even parts.
    Samples(Vec<(usize, usize)>),
    /// Each has tiles, counted by panels of features, then places, then columns.
    Tiles(Vec<Range<usize>>),
}

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
        let wide_enough = |rows: usize| 2 * rows >= tiles.lanes;
        let swapped = features.c != 1 && samples.c == 1 && samples.a == 1 && wide_enough(samples.extent);
        let (row, across) = match swapped {
            false => ((features.extent, features.b, features.c), samples),
            true => {
                ((samples.extent, samples.a, samples.c), LeftAxis { extent: features.extent, a: features.b, c: features.c })
            }
        };
        let (rows, row, row_out) = row;
        let mut places = [0, 1, 2].map(|axis| AxisPlaces::new(&phase.axes[axis]));
        let (mut across, mut spread) = (across, vec![Range { start: 0, end: across.extent }]);
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
        // Samples in parts have their results written as they are computed; only tiles can wait in scratch.
        let possible = row_out == 1 && !swapped || summed && spec.parts.is_empty();
        // A line of a weight gradient, or the channels of a window, make segments; short ones are not worth their jumps.
        let segment = match summed {
            true => last.kernel,
            false if merges(&spec, last) => last.kernel * spec.channels.extent,
            false => spec.channels.extent,
        };
        let fits = !summed || numbers_of_line(&spec, phase) <= BLOCK_NUMBERS;
        let wide = wide_enough(rows) && across.extent >= FEWEST_COLUMNS;
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
            row_out,
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
        let most = match &self.shares {
            Shares::Tiles(shares) if self.row_out != 1 => shares.iter().map(Range::len).max().unwrap_or(0),
            _ => 0,
        };
        self.packed + most * self.columns * self.width
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
        let columns = self.tiles_across();
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
                                    let target = (self.target(out, panel, place, columns.start), self.across.c, block > 0);
                                    self.tile(broadcast, left, target, (panel, block), place, columns.clone());
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
        let of_panel = self.pixels() * self.tiles_across();
        let sums = scratch.wrapping_add(self.packed);
        for block in 0..self.blocks.len() {
            let mut tile = own.start;
            while tile < own.end {
                let panel = tile / of_panel;
                // SAFETY: panels, samples and places are those of the views; the scratch holds a packed panel and the tiles' sums.
                unsafe {
                    let left = self.left(vectors, panel, block, scratch);
                    while tile < own.end.min((panel + 1) * of_panel) {
                        let (place, columns) = self.tile_of(tile);
                        let (start, column) = match self.row_out {
                            1 => (self.target(out, panel, place, columns.start), self.across.c),
                            _ => (sums.add((tile - own.start) * self.columns * self.width), self.width as isize),
                        };
                        for (range, meet) in self.spread.iter().enumerate() {
                            let part = columns.start.max(meet.start)..columns.end.min(meet.end);
                            let place = Place { class: place.class + range, ..place };
                            if !part.is_empty() {
                                let target = start.wrapping_offset((part.start - columns.start) as isize * column);
                                let accumulate = block > 0 || range > 0;
                                self.tile(broadcast, left, (target, column, accumulate), (panel, block), place, part);
                            }
                        }
                        tile += 1;
                    }
                }
            }
        }
        if self.row_out != 1 {
            // SAFETY: the sums of all own tiles are in scratch.
            unsafe { self.store(sums, out, own) };
        }
    }

    /// Stores sums in their places of the result.
    ///
    /// # Safety
    /// As [`Direct::run`]; `sums` are those of `own`.
    unsafe fn store(&self, sums: *const f32, out: *mut f32, own: Range<usize>) {
        for tile in own.clone() {
            let panel = tile / (self.pixels() * self.tiles_across());
            let (place, columns) = self.tile_of(tile);
            let start = (tile - own.start) * self.columns * self.width;
            for (at, column) in columns.enumerate() {
                let to = self.target(out, panel, place, column);
                for row in 0..self.width.min(self.rows - panel * self.width) {
                    // SAFETY: a sum of the tile, and its place.
                    unsafe { *to.wrapping_offset(row as isize * self.row_out) = *sums.add(start + at * self.width + row) };
                }
            }
        }
    }

    /// Tiles side by side along the broadcast side.
    fn tiles_across(&self) -> usize {
        self.across.extent.div_ceil(self.columns)
    }

    /// The place and the columns of a tile by its number.
    fn tile_of(&self, tile: usize) -> (Place, Range<usize>) {
        let across = self.tiles_across();
        (self.place(tile / across % self.pixels()), share(self.across.extent, 1, tile % across, across))
    }

    /// Where the first row of a panel lies in the result, for a place and a column.
    fn target(&self, out: *mut f32, panel: usize, place: Place, column: usize) -> *mut f32 {
        let row = (panel * self.width) as isize * self.row_out;
        out.wrapping_offset(place.out + column as isize * self.across.c + row)
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
    unsafe fn tile(
        &self,
        broadcast: *const f32,
        left: *const f32,
        (target, target_column, accumulate): (*mut f32, isize, bool),
        (panel, number): (usize, usize),
        place: Place,
        columns: Range<usize>,
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
            target,
            target_column,
            accumulate,
        };
        // SAFETY: segments hold only taps inside of the picture; rows and columns are at most a tile's.
        unsafe { self.tiles.compute(&tile) };
    }
}
