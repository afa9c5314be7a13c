//! Functions that move elements. Axes given are those of one sample; `lead` is 1 when there is a batch axis.

use crate::ir::Expr;

/// Axes `a` and `b` exchanged.
pub fn transpose(x: &Expr, a: usize, b: usize, lead: usize) -> Expr {
    let mut perm: Vec<usize> = (0..x.rank()).collect();
    perm.swap(a + lead, b + lead);
    x.transpose(&perm)
}

/// Operands of equal shape on a new leading axis.
pub fn stack(parts: &[Expr], lead: usize) -> Option<Expr> {
    let raised: Vec<Expr> = parts.iter().map(|p| new_axis(p, lead)).collect();
    Expr::concat(&raised.iter().collect::<Vec<_>>(), lead)
}

/// An axis of extent 1 at `axis`.
pub fn new_axis(x: &Expr, axis: usize) -> Expr {
    let mut shape = x.shape();
    shape.insert(axis, 1);
    x.reshape(&shape)
}

/// `n` copies on a new axis.
pub fn copies(x: &Expr, axis: usize, n: usize) -> Expr {
    let mut shape = x.shape();
    shape.insert(axis, n);
    let dims: Vec<usize> = (0..shape.len()).filter(|d| *d != axis).collect();
    x.broadcast(&shape, &dims)
}

/// A vector at every place of new trailing axes.
pub fn spread(x: &Expr, target: &[usize]) -> Expr {
    x.broadcast(target, &(0..x.rank()).collect::<Vec<_>>())
}

/// Entry `index` of the axis, which is dropped.
pub fn index(x: &Expr, axis: usize, index: usize) -> Expr {
    let mut shape = x.shape();
    shape.remove(axis);
    x.slice_axis(axis, index, index + 1).reshape(&shape)
}

/// `x[i+1] − x[i]` along the axis.
pub fn diff(x: &Expr, axis: usize) -> Expr {
    let n = x.shape()[axis];
    x.slice_axis(axis, 1, n) - x.slice_axis(axis, 0, n - 1)
}

/// `n` zeros on both sides of every axis from `first` on.
pub fn pad(x: &Expr, first: usize, n: usize) -> Expr {
    let around: Vec<usize> = (0..x.rank()).map(|a| if a >= first { n } else { 0 }).collect();
    x.pad(&around, &around, &vec![0; x.rank()], &x.scalar(0.0))
}

/// Splits every axis from `first` on into places and blocks of `k`: `[…, h/k, k, w/k, k]`. Returns the block axes too.
pub fn blocks(x: &Expr, first: usize, k: usize) -> (Expr, Vec<usize>) {
    let mut shape: Vec<usize> = x.shape()[..first].to_vec();
    let mut block_axes = Vec::new();
    for n in &x.shape()[first..] {
        shape.push(n / k);
        block_axes.push(shape.len());
        shape.push(k);
    }
    // Places that do not fill a block are left out.
    let cut = x.shape()[first..].iter().enumerate().fold(x.clone(), |v, (i, n)| match n % k {
        0 => v,
        rest => v.slice_axis(first + i, 0, n - rest),
    });
    (cut.reshape(&shape), block_axes)
}

/// Nearest-neighbour enlargement by `k` of every axis from `first` on.
pub fn upsample(x: &Expr, first: usize, k: usize) -> Expr {
    let (mut repeated, mut dims, mut merged) = (Vec::new(), Vec::new(), Vec::new());
    for (axis, n) in x.shape().into_iter().enumerate() {
        dims.push(repeated.len());
        repeated.push(n);
        if axis >= first {
            repeated.push(k);
            merged.push(n * k);
        } else {
            merged.push(n);
        }
    }
    x.broadcast(&repeated, &dims).reshape(&merged)
}

/// `[…, c·kᵈ, h, w] → […, c, h·k, w·k]`, with `channel` the channel axis (Shi et al. 2016, eq. 4; PyTorch's order).
pub fn pixel_shuffle(x: &Expr, channel: usize, k: usize) -> Expr {
    let shape = x.shape();
    let spatial: Vec<usize> = shape[channel + 1..].to_vec();
    let d = spatial.len();
    let c = shape[channel] / k.pow(d as u32);
    let mut split = shape[..channel].to_vec();
    split.push(c);
    split.extend(std::iter::repeat_n(k, d));
    split.extend(&spatial);
    let first = channel + 1;
    let mut perm: Vec<usize> = (0..first).collect();
    for i in 0..d {
        perm.extend([first + d + i, first + i]);
    }
    let mut merged = shape[..channel].to_vec();
    merged.push(c);
    merged.extend(spatial.iter().map(|n| n * k));
    x.reshape(&split).transpose(&perm).reshape(&merged)
}
