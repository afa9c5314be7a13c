//! Places of the result, and which taps they meet.

use std::ops::Range;

use saddlepoint_compiler::plan::{LeftAxis, SpatialAxis};

/// The places of the result along one axis.
#[derive(Clone, Debug)]
pub(super) struct AxisPlaces {
    /// For every place which of the axis' ranges of taps it meets.
    pub class: Vec<usize>,
    /// The distinct ranges of taps inside of the picture.
    pub taps: Vec<Range<usize>>,
    /// From a place to the next in the image and in the result.
    pub x: isize,
    pub out: isize,
}

/// One place of the result's picture.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Which list of segments it has.
    pub class: usize,
    /// Where it lies in the image and in the result.
    pub x: isize,
    pub out: isize,
}

impl Place {
    #[inline(always)]
    pub fn along(self, axis: &AxisPlaces, at: usize) -> Self {
        Self {
            class: self.class * axis.taps.len() + axis.class[at],
            x: self.x + at as isize * axis.x,
            out: self.out + at as isize * axis.out,
        }
    }
}

impl AxisPlaces {
    pub fn new(axis: &SpatialAxis) -> Self {
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

/// The places along the last axis and the few samples of each as one axis, and its extent, if they lie evenly.
pub(super) fn along_last(samples: &LeftAxis, last: &SpatialAxis) -> Option<(LeftAxis, usize)> {
    let (x, extent) = (last.window_stride as isize * last.x, samples.extent as isize);
    let columns = last.output * samples.extent;
    let along = LeftAxis { extent: columns, a: x, c: last.out };
    let whole = extent == 1 || x == extent * samples.a && last.out == extent * samples.c;
    whole.then_some((if extent == 1 { along } else { *samples }, columns))
}

/// The taps along the last axis by the places that meet them: first those that all places meet, then the others one by one, each
/// with the columns of these places, `samples` for each. `None` if there is no tap that all places meet.
pub(super) fn shared_taps(last: &SpatialAxis, samples: usize) -> Option<Vec<(Range<usize>, Range<usize>)>> {
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
