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
