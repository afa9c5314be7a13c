//! A convolution whose windows are summed over: the weight gradient, whose kernel is as large as the forward result.
//!
//! result[tap, image channel; feature] = Σ over windows of image · gradient: both matrices have a row for each window, so neither
//! needs a transpose. Windows are unfolded in pieces that stay in cache, each piece's product is added to sums in scratch, and the
//! sums go to the result at the end. Workers share taps and features, each summing over all windows; lengths of pieces depend on the
//! convolution alone. So bits do not depend on the number of workers.

use saddlepoint_compiler::plan::{BatchAxis, ConvSpec};

use super::super::axes::{Axis, Index, Places};
use super::super::dot::LINE;
use super::super::kernel::{Kernel, Left, Offsets, Right, Target};
use super::super::pack::pack;
use super::super::workers::share;
use super::PIECE;
use super::forward::row_width;
use super::phase::Phase;
use super::unfold::{Unfold, WindowAxis};

/// Windows that are summed in one pass, at least and at most.
const SUMMED_AT_ONCE: [usize; 2] = [64, 384];

#[derive(Clone, Debug)]
pub(super) struct Gradient {
    /// Its pixels are the places of the spec's kernel, its taps those of the result, its channels the samples.
    unfold: Unfold,
    groups: BatchAxis,
    features: usize,
    /// Strides of the features in the kernel and in the result.
    feature_w: isize,
    feature_out: isize,
    /// Where each window's row lies in the kernel.
    windows_w: Places,
    /// Stride of the samples and of the taps along each axis in the result.
    sample_out: isize,
    tap_out: [isize; 3],
    /// Workers along the groups, the taps and the features.
    grid: [usize; 3],
    /// Windows of a piece.
    piece: usize,
    scratch: usize,
}

/// What one worker computes.
struct Share {
    taps: std::ops::Range<usize>,
    features: std::ops::Range<usize>,
    /// Places of a window row: taps × samples.
    places: usize,
    /// Whether the features are the vector side, or the places.
    by_features: bool,
}

impl Share {
    fn new(kernel: &Kernel, taps: std::ops::Range<usize>, samples: usize, features: std::ops::Range<usize>) -> Self {
        let places = taps.len() * samples;
        let by_features = kernel.padded(features.len()) * places <= kernel.padded(places) * features.len();
        Self { taps, features, places, by_features }
    }

    /// Rows and columns of the sums.
    fn sides(&self) -> (usize, usize) {
        if self.by_features { (self.features.len(), self.places) } else { (self.places, self.features.len()) }
    }

    /// Numbers of the unfolded piece, of the packed kernel rows, and of the sums.
    fn scratch(&self, kernel: &Kernel, piece: usize) -> [usize; 3] {
        let (rows, columns) = self.sides();
        let features = self.features.len();
        let packed = (features.next_multiple_of(kernel.rows)).max(features.next_multiple_of(kernel.columns));
        [piece * row_width(self.places), piece * packed, kernel.padded(rows) * columns].map(|n| n.next_multiple_of(LINE))
    }
}

impl Gradient {
    pub fn new(kernel: &Kernel, spec: &ConvSpec, phase: &Phase, workers: usize) -> Self {
        let axes = phase.axes.map(|axis| WindowAxis {
            input: axis.input,
            stride: axis.x,
            pixels: axis.kernel,
            pixel_step: axis.kernel_dilation,
            taps: axis.output,
            tap_step: axis.window_stride,
            pad: axis.pad_lo,
        });
        let (samples, channels) = (&spec.samples, &spec.channels);
        let unfold = Unfold::new(axes, (channels.extent, channels.a), (samples.extent, samples.a));
        let outer = [Axis { extent: channels.extent, strides: [channels.b] }];
        let windows_w =
            Index::in_order(outer.into_iter().chain(phase.axes.map(|x| Axis { extent: x.kernel, strides: [x.w] })));
        let windows = unfold.pixels();
        let longest = (2 * PIECE / (unfold.taps() * samples.extent).max(1)).clamp(SUMMED_AT_ONCE[0], SUMMED_AT_ONCE[1]);
        let piece = windows.div_ceil(windows.div_ceil(longest).max(1)).max(1);
        let mut gradient = Self {
            unfold,
            groups: spec.groups,
            features: spec.features.extent,
            feature_w: spec.features.b,
            feature_out: spec.features.c,
            windows_w: windows_w.offsets(0),
            sample_out: samples.c,
            tap_out: phase.axes.map(|axis| axis.out),
            grid: [1; 3],
            piece,
            scratch: 0,
        };
        gradient.grid = gradient.choose_grid(kernel, workers);
        let of = |worker: usize| gradient.share(kernel, worker).1.scratch(kernel, piece).iter().sum();
        gradient.scratch = (0..gradient.grid.iter().product()).map(of).max().unwrap_or(0);
        gradient
    }

    /// Shares by an estimate of the cycles that the busiest worker needs.
    fn choose_grid(&self, kernel: &Kernel, workers: usize) -> [usize; 3] {
        let samples = self.unfold.channels.0;
        let mut best: Option<(f64, [usize; 3])> = None;
        for along_groups in 1..=workers.min(self.groups.extent.max(1)) {
            for along_taps in 1..=(workers / along_groups).min(self.unfold.taps().max(1)) {
                let grid = [along_groups, along_taps, workers / along_groups / along_taps];
                let groups = self.groups.extent.div_ceil(grid[0]) as f64;
                let taps = self.unfold.taps().div_ceil(grid[1]);
                let features = self.features.div_ceil(kernel.lanes).div_ceil(grid[2]) * kernel.lanes;
                let share = Share::new(kernel, 0..taps, samples, 0..features.min(self.features));
                let (rows, columns) = share.sides();
                let product = (rows.div_ceil(kernel.lanes) * columns) as f64;
                let cost = groups * (product + share.places as f64 * 0.25 + taps as f64 * 1.5);
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, grid));
                }
            }
        }
        best.map_or([1; 3], |(_, grid)| grid)
    }

    /// The groups and the part of each that fall to a worker.
    fn share(&self, kernel: &Kernel, worker: usize) -> (std::ops::Range<usize>, Share) {
        let [along_groups, along_taps, along_features] = self.grid;
        let taps = share(self.unfold.taps(), 1, worker % along_taps, along_taps);
        let features = share(self.features, kernel.lanes, worker / along_taps % along_features, along_features);
        let groups = share(self.groups.extent, 1, worker / (along_taps * along_features), along_groups);
        (groups, Share::new(kernel, taps, self.unfold.channels.0, features))
    }

    /// Scratch of one worker.
    pub fn scratch(&self) -> usize {
        self.scratch
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
        if worker >= self.grid.iter().product() {
            return;
        }
        let (groups, share) = self.share(kernel, worker);
        if share.places == 0 || share.features.is_empty() {
            return;
        }
        let width = row_width(share.places);
        let [unfolded, packed, _] = share.scratch(kernel, self.piece);
        let (rows, columns) = share.sides();
        let column = kernel.padded(rows) as isize;
        // SAFETY: groups, windows, taps and features are those of the views; the scratch is laid out as `Share::scratch` says.
        unsafe {
            let (unfolded, packed, sums) = (scratch, scratch.add(unfolded), scratch.add(unfolded + packed));
            for group in groups {
                let group = group as isize;
                let x = x.wrapping_offset(group * self.groups.a);
                let w = w.wrapping_offset(group * self.groups.b + share.features.start as isize * self.feature_w);
                let out = out.wrapping_offset(group * self.groups.c + share.features.start as isize * self.feature_out);
                let windows = self.unfold.pixels();
                let mut window = 0;
                while window < windows {
                    let count = self.piece.min(windows - window);
                    self.unfold.fill(x, window..window + count, share.taps.clone(), unfolded, width);
                    let (left, right) = if share.by_features {
                        let left = self.vectors_of_features(kernel, w, window, count, share.features.len(), packed);
                        (left, Right { start: unfolded, group: kernel.columns as isize, step: width as isize, column: 1 })
                    } else {
                        let (rows, panel) = (kernel.rows, kernel.rows as isize);
                        let left = Left { rows, start: unfolded, panel, step: width as isize };
                        (left, self.columns_of_features(kernel, w, window, count, share.features.len(), packed))
                    };
                    let target = Target { start: sums, rows: Offsets::Stride(1), columns: Offsets::Stride(column) };
                    // Rows beyond the last are summed as well, in whole vectors, and never read.
                    kernel.multiply([kernel.padded(rows), columns, count], left, right, target, window > 0);
                    window += count;
                }
                self.store(&share, sums, column, out);
            }
        }
    }

    /// The kernel's rows as the vector side.
    ///
    /// # Safety
    /// As [`Gradient::run`]; `packed` holds a piece of rows.
    unsafe fn vectors_of_features(
        &self,
        kernel: &Kernel,
        w: *const f32,
        window: usize,
        count: usize,
        features: usize,
        packed: *mut f32,
    ) -> Left {
        let (at, windows) = self.windows_w.get().from(window);
        let start = w.wrapping_offset(at);
        if let (1, Offsets::Stride(step), true) = (self.feature_w, windows, features.is_multiple_of(kernel.lanes)) {
            return Left { rows: kernel.rows, start, panel: kernel.rows as isize, step };
        }
        let rows = kernel.panel_rows(features);
        // SAFETY: by the caller's contract.
        unsafe { pack(start, Offsets::Stride(self.feature_w), windows, features, count, rows, packed) };
        Left { rows, start: packed, panel: (rows * count) as isize, step: rows as isize }
    }

    /// The kernel's rows as the broadcast side.
    ///
    /// # Safety
    /// As [`Gradient::run`]; `packed` holds a piece of rows.
    unsafe fn columns_of_features(
        &self,
        kernel: &Kernel,
        w: *const f32,
        window: usize,
        count: usize,
        features: usize,
        packed: *mut f32,
    ) -> Right {
        let (at, windows) = self.windows_w.get().from(window);
        let start = w.wrapping_offset(at);
        if let Offsets::Stride(step) = windows {
            return Right { start, group: kernel.columns as isize * self.feature_w, step, column: self.feature_w };
        }
        let columns = kernel.columns;
        // SAFETY: by the caller's contract.
        unsafe { pack(start, Offsets::Stride(self.feature_w), windows, features, count, columns, packed) };
        Right { start: packed, group: (columns * count) as isize, step: columns as isize, column: 1 }
    }

    /// Stores the sums of a share into the result.
    ///
    /// # Safety
    /// As [`Gradient::run`].
    unsafe fn store(&self, share: &Share, sums: *const f32, column: isize, out: *mut f32) {
        let (place_in_sums, feature_in_sums) = if share.by_features { (column, 1) } else { (1, column) };
        let (samples, taps) = (self.unfold.channels.0, share.taps.len());
        let (tap_places, sample_places) = match self.unfold.order {
            super::unfold::Order::ChannelsInner => (samples, 1),
            super::unfold::Order::TapsInner => (1, taps),
        };
        for (position, tap) in share.taps.clone().enumerate() {
            let (rest, last) = (tap / self.unfold.axes[2].taps, tap % self.unfold.axes[2].taps);
            let along = [rest / self.unfold.axes[1].taps, rest % self.unfold.axes[1].taps, last];
            let at: isize = along.iter().zip(self.tap_out).map(|(&tap, stride)| tap as isize * stride).sum();
            for sample in 0..samples {
                let from = (position * tap_places + sample * sample_places) as isize * place_in_sums;
                let to = at + sample as isize * self.sample_out;
                for feature in 0..share.features.len() as isize {
                    // SAFETY: a place of the sums and one of the result.
                    unsafe {
                        *out.wrapping_offset(to + feature * self.feature_out) =
                            *sums.offset(from + feature * feature_in_sums);
                    }
                }
            }
        }
    }
}
