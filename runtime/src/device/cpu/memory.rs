//! Memory of four-byte elements, aligned to a cache line.

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

/// A fixed number of four-byte elements, the first on a cache line. Never moves.
pub(super) struct Memory {
    lines: Vec<Line>,
    elements: usize,
}

impl Memory {
    /// This many elements, all zero.
    pub fn zeroed(elements: usize) -> Memory {
        Memory { lines: vec![Line([0; 16]); elements.div_ceil(16).max(1)], elements }
    }

    /// All elements.
    pub fn words(&self) -> &[u32] {
        // SAFETY: the lines are contiguous arrays of u32, at least `elements` of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.elements) }
    }

    /// All elements, to be changed.
    pub fn words_mut(&mut self) -> &mut [u32] {
        // SAFETY: as in `words`, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.elements) }
    }

    /// The first element.
    pub fn as_mut_ptr(&mut self) -> *mut u32 {
        self.lines.as_mut_ptr().cast()
    }
}
