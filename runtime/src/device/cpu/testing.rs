//! What the tests of products and convolutions share: random layouts, and comparison with a definition in double precision.

/// A small generator of numbers, the same on every machine.
pub(super) struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33
    }

    /// 0..bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// -1..1.
    pub fn value(&mut self) -> f32 {
        (self.next() & 0xFFFF) as f32 / 32768.0 - 1.0
    }
}

/// NaN around and between the places of a view: whatever is computed from them is caught.
const MARGIN: usize = 128;

/// Memory for one view, and where its first place lies.
#[derive(Clone)]
pub(super) struct Layout {
    values: Vec<f32>,
    base: usize,
}

impl Layout {
    /// Room for the view with these extents and strides, all NaN.
    pub fn empty(extents: &[usize], strides: &[isize]) -> Self {
        let reach = |forward: bool| -> usize {
            let one = |(&extent, &stride): (&usize, &isize)| {
                if (stride > 0) == forward { extent.saturating_sub(1) * stride.unsigned_abs() } else { 0 }
            };
            extents.iter().zip(strides).map(one).sum()
        };
        let (before, after) = (reach(false), reach(true));
        Self { values: vec![f32::NAN; before + after + 1 + 2 * MARGIN], base: MARGIN + before }
    }

    /// The view with random numbers at all its places.
    pub fn filled(numbers: &mut Numbers, extents: &[usize], strides: &[isize]) -> Self {
        let mut layout = Self::empty(extents, strides);
        for_places(extents, |place| {
            let at = offset(place, strides);
            let base = layout.base;
            layout.values[(base as isize + at) as usize] = numbers.value();
        });
        layout
    }

    /// A view with these extents in a random order of axes, some reversed, with gaps, and (for operands) some standing still.
    pub fn random(numbers: &mut Numbers, extents: &[usize], operand: bool) -> (Self, Vec<isize>) {
        let mut order: Vec<usize> = (0..extents.len()).collect();
        for i in (1..order.len()).rev() {
            if numbers.below(2) == 0 {
                order.swap(i, numbers.below(i + 1));
            }
        }
        let mut strides = vec![0; extents.len()];
        let mut next = if numbers.below(6) == 0 { 2 } else { 1 };
        for &axis in order.iter().rev() {
            strides[axis] = if numbers.below(6) == 0 { -next } else { next };
            if operand && numbers.below(10) == 0 {
                strides[axis] = 0;
                continue;
            }
            next = next * extents[axis] as isize + if numbers.below(6) == 0 { 3 } else { 0 };
        }
        let layout = if operand { Self::filled(numbers, extents, &strides) } else { Self::empty(extents, &strides) };
        (layout, strides)
    }

    pub fn base(&self) -> *const f32 {
        self.values.as_ptr().wrapping_add(self.base)
    }

    pub fn base_mut(&mut self) -> *mut f32 {
        let base = self.base;
        // From the whole buffer, so that the pointer may go below the base.
        self.values.as_mut_ptr().wrapping_add(base)
    }

    pub fn at(&self, offset: isize) -> f32 {
        self.values[(self.base as isize + offset) as usize]
    }

    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// Calls with every place of an index, in order.
pub(super) fn for_places(extents: &[usize], mut call: impl FnMut(&[usize])) {
    let mut place = vec![0; extents.len()];
    let total: usize = extents.iter().product();
    for mut i in 0..total {
        for (digit, extent) in place.iter_mut().zip(extents).rev() {
            *digit = i % extent;
            i /= extent;
        }
        call(&place);
    }
}

pub(super) fn offset(place: &[usize], strides: &[isize]) -> isize {
    place.iter().zip(strides).map(|(&i, &stride)| i as isize * stride).sum()
}

/// Scratch of exactly the promised length, with a guard behind it.
pub(super) struct Scratch(std::cell::UnsafeCell<Vec<f32>>, usize);

impl Scratch {
    pub fn new(length: usize) -> Self {
        let mut values = vec![f32::NAN; length];
        values.extend([1234.5; MARGIN]);
        Self(std::cell::UnsafeCell::new(values), length)
    }

    pub fn start(&self) -> *mut f32 {
        // SAFETY: the vector itself is neither moved nor resized.
        unsafe { (*self.0.get()).as_mut_ptr() }
    }

    pub fn check(&self) {
        // SAFETY: nobody writes meanwhile.
        let values = unsafe { &*self.0.get() };
        assert!(values[self.1..].iter().all(|&value| value == 1234.5), "written past the scratch");
    }
}

/// Asserts that the result has the expected values at its places and is untouched elsewhere.
pub(super) fn check(result: &Layout, expected: &[(isize, f64)], what: &str) {
    let largest = expected.iter().fold(1.0f64, |largest, (_, value)| largest.max(value.abs()));
    let mut rest = result.clone();
    for &(at, value) in expected {
        let got = f64::from(result.at(at));
        assert!((got - value).abs() <= 1e-5 * largest, "{what}\n at {at}: {got}, expected {value}");
        rest.values[(result.base as isize + at) as usize] = f32::NAN;
    }
    assert!(rest.values.iter().all(|value| value.is_nan()), "{what}\n written outside the view");
}
