//! Unfolding: the numbers of an image that windows meet, written out as rows of a matrix.
//!
//! In: an image view, a range of window positions (pixels) and a range of places inside the windows (taps). Out: one row a pixel,
//! with the channels of all taps; zeros where a tap lies outside the image. What always holds: which pixel and tap meet which place
//! of the image is symmetrical in the two, so that the same code serves a convolution (pixels are outputs, taps the kernel's) and
//! its weight gradient (pixels are the kernel's places, taps the outputs).

use super::super::pack::copy;

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
        let inside = axes.map(|axis| (0..axis.pixels).map(|pixel| axis.inside(pixel)).collect());
        Self { axes, images, channels, order, merged, inside }
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
    pub fn row(&self, taps: std::ops::Range<usize>) -> Vec<([usize; 3], usize)> {
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
    pub unsafe fn fill(
        &self,
        x: *const f32,
        pixels: std::ops::Range<usize>,
        taps: std::ops::Range<usize>,
        to: *mut f32,
        width: usize,
    ) {
        let [a, b, c] = &self.axes;
        let length = taps.len() * self.channels.0;
        let mut row = to;
        let mut place = [
            pixels.start / (a.pixels * b.pixels * c.pixels).max(1),
            pixels.start / (b.pixels * c.pixels).max(1) % a.pixels.max(1),
            pixels.start / c.pixels.max(1) % b.pixels.max(1),
            pixels.start % c.pixels.max(1),
        ];
        for _ in pixels {
            let inside = [self.inside[0][place[1]], self.inside[1][place[2]], self.inside[2][place[3]]];
            let origin = place[0] as isize * self.images.1
                + a.origin(place[1]) * a.stride
                + b.origin(place[2]) * b.stride
                + c.origin(place[3]) * c.stride;
            // SAFETY: `window` reads only taps inside the image.
            unsafe {
                if (0..3).any(|axis| inside[axis] != (0, self.axes[axis].taps)) {
                    std::slice::from_raw_parts_mut(row, length).fill(0.0);
                }
                self.window(x.wrapping_offset(origin), inside, &taps, row);
                row = row.add(width);
            }
            place[3] += 1;
            for axis in (1..4).rev() {
                if place[axis] == self.axes[axis - 1].pixels {
                    place[axis] = 0;
                    place[axis - 1] += 1;
                }
            }
        }
    }

    /// Writes the taps of one window that are inside the image and wanted.
    ///
    /// # Safety
    /// As [`Unfold::fill`]; `x` is where the window's first tap lies, which may be outside the image.
    #[inline(always)]
    unsafe fn window(&self, x: *const f32, inside: [(usize, usize); 3], taps: &std::ops::Range<usize>, row: *mut f32) {
        let [a, b, c] = &self.axes;
        let step = |axis: &WindowAxis| axis.tap_step as isize * axis.stride;
        let (step_a, step_b, step_c) = (step(a), step(b), step(c));
        for i in inside[0].0..inside[0].1 {
            for j in inside[1].0..inside[1].1 {
                let line = (i * b.taps + j) * c.taps;
                let start = (line + inside[2].0).max(taps.start);
                let end = (line + inside[2].1).min(taps.end);
                if start >= end {
                    continue;
                }
                let at = i as isize * step_a + j as isize * step_b + (start - line) as isize * step_c;
                // SAFETY: these taps are inside the image; places in the row are below taps × channels.
                unsafe {
                    let from = x.wrapping_offset(at);
                    let first = start - taps.start;
                    match self.order {
                        Order::ChannelsInner if self.merged => {
                            copy(from, row.add(first * self.channels.0), (end - start) * self.channels.0);
                        }
                        Order::ChannelsInner => {
                            for tap in 0..end - start {
                                let from = from.wrapping_offset(tap as isize * step_c);
                                strided(from, self.channels.1, row.add((first + tap) * self.channels.0), self.channels.0);
                            }
                        }
                        Order::TapsInner => {
                            for channel in 0..self.channels.0 {
                                let from = from.wrapping_offset(channel as isize * self.channels.1);
                                strided(from, step_c, row.add(channel * taps.len() + first), end - start);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Gathers evenly spaced numbers.
///
/// # Safety
/// `from` is readable at the places, `to` writable for `count`; they do not overlap.
#[inline(always)]
unsafe fn strided(from: *const f32, stride: isize, to: *mut f32, count: usize) {
    // SAFETY: by the caller's contract.
    unsafe {
        if stride == 1 {
            copy(from, to, count);
        } else {
            for i in 0..count {
                *to.add(i) = *from.wrapping_offset(i as isize * stride);
            }
        }
    }
}
