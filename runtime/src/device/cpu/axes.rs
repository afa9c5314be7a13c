//! Lists of strided axes, brought into the simplest form that means the same.
//!
//! In: the axes of one index of a contraction, each with an extent and `N` strides (one for each array that the index runs over).
//! Out: axes without extent 1, neighbours merged wherever one step of the outer axis is exactly a whole run of the inner one in all
//! arrays, so that most indices become a single evenly spaced one.

use super::kernel::Offsets;

/// One axis over `N` arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis<const N: usize> {
    /// Number of places.
    pub extent: usize,
    /// Stride in each array.
    pub strides: [isize; N],
}

/// An index over `N` arrays: axes, outermost first.
#[derive(Clone, Debug)]
pub(super) struct Index<const N: usize> {
    axes: Vec<Axis<N>>,
}

impl<const N: usize> Index<N> {
    /// The index with these axes, whose order does not matter to the caller: sorted by the stride in array `by`, then merged.
    pub fn sorted(axes: impl IntoIterator<Item = Axis<N>>, by: usize) -> Self {
        let mut axes: Vec<_> = axes.into_iter().filter(|axis| axis.extent != 1).collect();
        axes.sort_by_key(|axis| std::cmp::Reverse(axis.strides.map(isize::unsigned_abs)[by]));
        Self::in_order(axes)
    }

    /// The index with these axes in this order, merged.
    pub fn in_order(axes: impl IntoIterator<Item = Axis<N>>) -> Self {
        let mut merged: Vec<Axis<N>> = Vec::new();
        for axis in axes.into_iter().filter(|axis| axis.extent != 1) {
            match merged.last_mut() {
                Some(outer) if (0..N).all(|i| outer.strides[i] == axis.strides[i] * axis.extent as isize) => {
                    outer.extent *= axis.extent;
                    outer.strides = axis.strides;
                }
                _ => merged.push(axis),
            }
        }
        Self { axes: merged }
    }

    /// Number of places.
    pub fn extent(&self) -> usize {
        self.axes.iter().map(|axis| axis.extent).product()
    }

    /// Offsets of all places in an array, in order.
    pub fn offsets(&self, array: usize) -> Places {
        match self.axes.as_slice() {
            [] => Places::Stride(1),
            [axis] => Places::Stride(axis.strides[array]),
            axes => {
                // Axes that merge in this one array alone make it even here.
                let alone = axes.iter().map(|axis| Axis { extent: axis.extent, strides: [axis.strides[array]] });
                if N > 1 {
                    let alone = Index::in_order(alone);
                    if alone.axes.len() <= 1 {
                        return alone.offsets(0);
                    }
                }
                let mut table = vec![0];
                for axis in axes {
                    let places = 0..axis.extent as isize;
                    table = table
                        .iter()
                        .flat_map(|start| places.clone().map(move |i| start + i * axis.strides[array]))
                        .collect();
                }
                Places::Table(table)
            }
        }
    }
}

/// [`Offsets`], owned.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Places {
    /// Evenly spaced.
    Stride(isize),
    /// Each at a place of its own.
    Table(Vec<isize>),
}

impl Places {
    /// The given offsets, the first of which is 0, evenly spaced if they happen to be.
    pub fn from_table(table: Vec<isize>) -> Self {
        let stride = if table.len() > 1 { table[1] - table[0] } else { 1 };
        let even = table.iter().enumerate().all(|(i, &offset)| offset == i as isize * stride);
        if even { Self::Stride(stride) } else { Self::Table(table) }
    }

    /// The offsets, for use.
    pub fn get(&self) -> Offsets<'_> {
        match self {
            Self::Stride(stride) => Offsets::Stride(*stride),
            Self::Table(table) => Offsets::Table(table),
        }
    }

    /// Whether places are direct neighbours.
    pub fn are_neighbours(&self) -> bool {
        matches!(self, Self::Stride(1))
    }

    /// The even distance between places, if there is one.
    pub fn stride(&self) -> Option<isize> {
        match self {
            Self::Stride(stride) => Some(*stride),
            Self::Table(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(extent: usize, strides: [isize; 2]) -> Axis<2> {
        Axis { extent, strides }
    }

    #[test]
    fn merges_only_where_all_arrays_allow() {
        let index = Index::in_order([axis(2, [12, 12]), axis(1, [7, 9]), axis(3, [4, 4]), axis(4, [1, 1])]);
        assert_eq!(index.axes, [axis(24, [1, 1])]);
        let index = Index::in_order([axis(3, [4, 8]), axis(4, [1, 1])]);
        assert_eq!(index.axes.len(), 2);
        assert!(matches!(index.offsets(0), Places::Stride(1)));
        let Places::Table(table) = index.offsets(1) else { panic!("uneven") };
        assert_eq!(table, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19]);
    }

    #[test]
    fn merges_reversed_and_standing_axes() {
        let index = Index::in_order([axis(3, [-4, 0]), axis(4, [-1, 0])]);
        assert_eq!(index.axes, [axis(12, [-1, 0])]);
    }

    #[test]
    fn sorts_by_one_array() {
        let index = Index::sorted([axis(4, [1, 3]), axis(3, [4, 1])], 0);
        assert_eq!(index.axes, [axis(3, [4, 1]), axis(4, [1, 3])]);
        assert_eq!(Index::sorted([axis(4, [1, 3]), axis(3, [4, 1])], 1).axes[0], axis(4, [1, 3]));
    }
}
