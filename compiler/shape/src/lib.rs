//! The shape rules, written once: used by the macro while the user's crate compiles and by the compiler when a model is built.

/// Number of windows of `size` taps (`dilation` apart, `stride` between windows) in `length` places; `None` when none fits
/// or a parameter is 0.
pub fn windows(length: usize, size: usize, stride: usize, dilation: usize) -> Option<usize> {
    if size == 0 || stride == 0 || dilation == 0 {
        return None;
    }
    let reach = (size - 1).checked_mul(dilation)?.checked_add(1)?;
    (length >= reach).then(|| (length - reach) / stride + 1)
}

/// Length of a convolution's result: `windows` of the length with `pad` zeros on both sides.
pub fn convolved(length: usize, kernel: usize, stride: usize, pad: usize, dilation: usize) -> Option<usize> {
    windows(length.checked_add(pad.checked_mul(2)?)?, kernel, stride, dilation)
}

/// Length of a transposed convolution's result, (L−1)·stride − 2·pad + kernel + output_pad; `None` when that is less than 1 or
/// a parameter is 0 that may not be.
pub fn transposed(length: usize, kernel: usize, stride: usize, pad: usize, output_pad: usize) -> Option<usize> {
    if length == 0 || kernel == 0 || stride == 0 {
        return None;
    }
    let full = (length - 1).checked_mul(stride)?.checked_add(kernel)?.checked_add(output_pad)?;
    full.checked_sub(pad.checked_mul(2)?).filter(|length| *length > 0)
}

/// Extent of two combined axes of equal place: equal extents, or one of them 1.
pub fn combined(a: usize, b: usize) -> Option<usize> {
    match (a, b) {
        _ if a == b => Some(a),
        (1, other) | (other, 1) => Some(other),
        _ => None,
    }
}

/// Number of elements of a shape; `None` past the address space.
pub fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, extent| product.checked_mul(*extent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_convolutions_agree_with_known_layers() {
        assert_eq!(convolved(28, 4, 2, 1, 1), Some(14));
        assert_eq!(convolved(28, 5, 1, 0, 1), Some(24));
        assert_eq!(convolved(7, 3, 1, 2, 2), Some(7));
        assert_eq!(convolved(3, 5, 1, 0, 1), None);
        assert_eq!(convolved(3, 3, 0, 0, 1), None);
        assert_eq!(transposed(7, 4, 2, 1, 0), Some(14));
        assert_eq!(transposed(1, 3, 2, 0, 0), Some(3));
        assert_eq!(transposed(1, 1, 1, 1, 0), None);
    }

    #[test]
    fn extents_combine_when_equal_or_one() {
        assert_eq!(combined(3, 3), Some(3));
        assert_eq!(combined(1, 3), Some(3));
        assert_eq!(combined(2, 3), None);
        assert_eq!(elements(&[3, 32, 32]), Some(3072));
        assert_eq!(elements(&[usize::MAX, 2]), None);
    }
}
