//! Unfolding: the numbers of an image that windows meet, written out as rows of a matrix.
//!
//! In: an image view, a range of window positions (pixels) and a range of places inside the windows (taps). Out: one row a pixel,
//! with the channels of all taps; zeros where a tap lies outside the image. What always holds: which pixel and tap meet which place
//! of the image is symmetrical in the two, so that the same code serves a convolution (pixels are outputs, taps the kernel's) and
//! its weight gradient (pixels are the kernel's places, taps the outputs).

use std::ops::Range;

/// One spatial axis: pixel p and tap t meet place p·`pixel_step` + t·`tap_step` − `pad`.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowAxis {
    pub input: usize,
    pub stride: isize,
    pub pixels: usize,
    pub pixel_step: usize,
    pub taps: usize,
    pub tap_step: usize,
    pub pad: isize,
}

impl WindowAxis {
    /// Taps of a pixel that lie inside the image.
    fn inside(&self, pixel: usize) -> (usize, usize) {
        let origin = self.origin(pixel);
        let first_at_or_after = |place: isize| -> usize {
            let distance = place - origin;
            if distance <= 0 { 0 } else { (distance as usize).div_ceil(self.tap_step).min(self.taps) }
        };
        (first_at_or_after(0), first_at_or_after(self.input as isize))
    }

    /// Where the first tap of a pixel lies, possibly outside the image.
    fn origin(&self, pixel: usize) -> isize {
        (pixel * self.pixel_step) as isize - self.pad
    }
}

/// The order of the numbers of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// All channels of a tap, then those of the next tap.
    ChannelsInner,
    /// All taps of a channel, then those of the next channel.
    TapsInner,
}

/// How rows are made from an image.
#[derive(Clone, Debug)]
pub(super) struct Unfold {
    pub axes: [WindowAxis; 3],
    /// Extent and stride of the index that the pixels of all images run over outermost.
    pub images: (usize, isize),
    /// Extent and stride of the channels.
    pub channels: (usize, isize),
    pub order: Order,
    /// Whether the channels of neighbouring taps of the last axis are neighbours as well.
    merged: bool,
    /// For each axis and pixel along it, the taps inside the image.
    inside: [Vec<(usize, usize)>; 3],
    /// Pixels along the last axis all of whose taps are inside the image.
    whole: Range<usize>,
}

impl Unfold {
    pub fn new(axes: [WindowAxis; 3], images: (usize, isize), channels: (usize, isize)) -> Self {
        let last = axes[2].stride * axes[2].tap_step as isize;
        let order = if channels.0 > 1 && channels.1.unsigned_abs() > last.unsigned_abs() && axes[2].taps > 1 {
            Order::TapsInner
        } else {
            Order::ChannelsInner
        };
        let contiguous = channels.1 == 1 || channels.0 == 1;
        let merged = order == Order::ChannelsInner && contiguous && last == channels.0 as isize;
        let inside: [Vec<_>; 3] = axes.map(|axis| (0..axis.pixels).map(|pixel| axis.inside(pixel)).collect());
        // Both ends of what is inside move one way as the pixel does.
        let start = inside[2].iter().position(|&taps| taps == (0, axes[2].taps)).unwrap_or(0);
        let whole = start..start + inside[2][start..].iter().take_while(|&&taps| taps == (0, axes[2].taps)).count();
        Self { axes, images, channels, order, merged, inside, whole }
    }

    /// Pixels of all images.
    pub fn pixels(&self) -> usize {
        self.images.0 * self.axes.iter().map(|axis| axis.pixels).product::<usize>()
    }

    /// Taps of a window.
    pub fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps).product()
    }

    /// For each place in a row over some taps: the tap along each axis, and the channel.
    pub fn row(&self, taps: Range<usize>) -> Vec<([usize; 3], usize)> {
        let split = |tap: usize| {
            let (rest, last) = (tap / self.axes[2].taps, tap % self.axes[2].taps);
            [rest / self.axes[1].taps, rest % self.axes[1].taps, last]
        };
        match self.order {
            Order::ChannelsInner => taps.flat_map(|tap| (0..self.channels.0).map(move |c| (split(tap), c))).collect(),
            Order::TapsInner => {
                (0..self.channels.0).flat_map(|c| taps.clone().map(move |tap| (split(tap), c))).collect::<Vec<_>>()
            }
        }
    }

    /// Writes the rows of some pixels over some taps, `width` apart.
    ///
    /// # Safety
    /// `x` is the image view's base; ranges are within [`Unfold::pixels`] and [`Unfold::taps`]; `to` is writable for a row of taps ×
    /// channels at each of the pixels, which does not overlap the image.
    pub unsafe fn fill(&self, x: *const f32, pixels: Range<usize>, taps: Range<usize>, to: *mut f32, width: usize) {
        let [a, b, c] = &self.axes;
        let (mut row, mut pixel) = (to, pixels.start);
        while pixel < pixels.end {
            let line = pixel / c.pixels;
            let (image, line) = (line / (a.pixels * b.pixels), line % (a.pixels * b.pixels));
            let first = pixel % c.pixels;
            let along = first..c.pixels.min(first + pixels.end - pixel);
            let x = x.wrapping_offset(image as isize * self.images.1);
            pixel += along.len();
            // SAFETY: a part of one line of pixels, of the rows asked for.
            unsafe {
                self.line(x, (line / b.pixels, line % b.pixels), along.clone(), &taps, row, width);
                row = row.add(along.len() * width);
            }
        }
    }

    /// Writes the rows of pixels along one line.
    ///
    /// # Safety
    /// As [`Unfold::fill`], with `x` the base of the pixels' image.
    #[inline(always)]
    unsafe fn line(
        &self,
        x: *const f32,
        (pixel_a, pixel_b): (usize, usize),
        pixels: Range<usize>,
        taps: &Range<usize>,
        rows: *mut f32,
        width: usize,
    ) {
        let [a, b, c] = &self.axes;
        let (inside_a, inside_b) = (self.inside[0][pixel_a], self.inside[1][pixel_b]);
        // Pixels of which no tap of the line lies outside.
        let start = self.whole.start.clamp(pixels.start, pixels.end);
        let whole = start..self.whole.end.clamp(start, pixels.end);
        let row = |pixel: usize| rows.wrapping_add((pixel - pixels.start) * width);
        let lines_inside = inside_a == (0, a.taps) && inside_b == (0, b.taps);
        let zeroed = if lines_inside { whole.clone() } else { pixels.start..pixels.start };
        for pixel in (pixels.start..zeroed.start).chain(zeroed.end..pixels.end) {
            // SAFETY: a row asked for.
            unsafe { std::slice::from_raw_parts_mut(row(pixel), taps.len() * self.channels.0).fill(0.0) };
        }
        let origin = x.wrapping_offset(a.origin(pixel_a) * a.stride + b.origin(pixel_b) * b.stride);
        for i in inside_a.0..inside_a.1 {
            for j in inside_b.0..inside_b.1 {
                let first = (i * b.taps + j) * c.taps;
                let wanted = (taps.start.max(first), taps.end.min(first + c.taps));
                if wanted.0 >= wanted.1 {
                    continue;
                }
                let wanted = (wanted.0 - first, wanted.1 - first);
                let skipped = (first + wanted.0 - taps.start, taps.len());
                let at = (i * a.tap_step) as isize * a.stride + (j * b.tap_step) as isize * b.stride;
                let line = origin.wrapping_offset(at);
                // SAFETY: taps of pixels inside the image, and their rows.
                unsafe {
                    self.runs(line, whole.clone(), wanted, row(whole.start), width, skipped);
                    for pixel in (pixels.start..whole.start).chain(whole.end..pixels.end) {
                        let inside = self.inside[2][pixel];
                        let (from, to) = (wanted.0.max(inside.0), wanted.1.min(inside.1));
                        if from < to {
                            let skipped = (skipped.0 + from - wanted.0, skipped.1);
                            self.runs(line, pixel..pixel + 1, (from, to), row(pixel), width, skipped);
                        }
                    }
                }
            }
        }
    }

    /// Writes taps `from..to` of one line of taps, all inside the image, for some pixels of a line. `skipped` says how many taps of the
    /// row come before, and how many there are in all.
    ///
    /// # Safety
    /// As [`Unfold::fill`], with `line` where tap 0 of a pixel at the image's edge would lie.
    #[inline(always)]
    unsafe fn runs(
        &self,
        line: *const f32,
        pixels: Range<usize>,
        (from, to): (usize, usize),
        row: *mut f32,
        width: usize,
        skipped: (usize, usize),
    ) {
        let c = &self.axes[2];
        let tap = c.tap_step as isize * c.stride;
        let pixel = c.pixel_step as isize * c.stride;
        let start = line.wrapping_offset(c.origin(pixels.start) * c.stride + from as isize * tap);
        let (count, channels) = (pixels.len(), self.channels.0);
        // SAFETY: by the caller's contract.
        unsafe {
            match self.order {
                Order::ChannelsInner if self.merged => {
                    let length = (to - from) * channels;
                    copy_runs(start, (pixel, 1), row.add(skipped.0 * channels), width, count, length);
                }
                Order::ChannelsInner => {
                    for position in 0..to - from {
                        let start = start.wrapping_offset(position as isize * tap);
                        let row = row.add((skipped.0 + position) * channels);
                        copy_runs(start, (pixel, self.channels.1), row, width, count, channels);
                    }
                }
                Order::TapsInner => {
                    for channel in 0..channels {
                        let start = start.wrapping_offset(channel as isize * self.channels.1);
                        let row = row.add(channel * skipped.1 + skipped.0);
                        copy_runs(start, (pixel, tap), row, width, count, to - from);
                    }
                }
            }
        }
    }
}

/// Copies `count` runs of `length` numbers, which lie at `(run, number)` apart, to rows `width` apart.
///
/// # Safety
/// The runs are readable and the rows writable; they do not overlap.
#[inline(always)]
unsafe fn copy_runs(
    from: *const f32,
    (run, number): (isize, isize),
    to: *mut f32,
    width: usize,
    count: usize,
    length: usize,
) {
    // SAFETY: by the caller's contract.
    unsafe {
        if number != 1 && length > 1 {
            for i in 0..count {
                let (from, to) = (from.wrapping_offset(i as isize * run), to.add(i * width));
                for j in 0..length {
                    *to.add(j) = *from.wrapping_offset(j as isize * number);
                }
            }
            return;
        }
        match length {
            1 => copy_short::<1>(from, run, to, width, count),
            2 => copy_short::<2>(from, run, to, width, count),
            3 => copy_short::<3>(from, run, to, width, count),
            4 => copy_short::<4>(from, run, to, width, count),
            5 => copy_short::<5>(from, run, to, width, count),
            6 => copy_short::<6>(from, run, to, width, count),
            8 => copy_short::<8>(from, run, to, width, count),
            9 => copy_short::<9>(from, run, to, width, count),
            12 => copy_short::<12>(from, run, to, width, count),
            16 => copy_short::<16>(from, run, to, width, count),
            _ => {
                for i in 0..count {
                    std::ptr::copy_nonoverlapping(from.wrapping_offset(i as isize * run), to.add(i * width), length);
                }
            }
        }
    }
}

/// [`copy_runs`] of a length that the compiler knows.
///
/// # Safety
/// As [`copy_runs`].
#[inline(always)]
unsafe fn copy_short<const LENGTH: usize>(from: *const f32, run: isize, to: *mut f32, width: usize, count: usize) {
    for i in 0..count {
        // SAFETY: by the caller's contract.
        unsafe {
            let numbers = from.wrapping_offset(i as isize * run).cast::<[f32; LENGTH]>().read_unaligned();
            to.add(i * width).cast::<[f32; LENGTH]>().write_unaligned(numbers);
        }
    }
}
