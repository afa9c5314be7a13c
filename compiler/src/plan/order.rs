//! From drafts to kernels: the order of the loops, which axis is vectorised, and how iterations are shared out.
//!
//! The vector axis is the one along which most accesses are contiguous. Axes that lie behind one another in all accesses are
//! merged, so that an elementwise kernel over dense values is one flat loop. Reductions that keep the vector axis sit inside of
//! it, with one accumulator for each of its registers; reductions along it accumulate in several registers side by side.
//!
//! A kernel is shared out along an axis that its results keep, or along a reduced one; then every worker writes partial results
//! of its own, and a second kernel adds them up in a fixed order.

use super::draft::Draft;
use super::kernel::{Axis, Kernel, StoreMode};
use super::{Options, work_of};

/// How the iterations of a kernel are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One worker runs it.
    Single,
    /// Along an axis that all results keep.
    Kept,
    /// Along a reduced axis: every worker has partial results.
    Partial,
}

/// Orders the loops of a draft.
pub fn order(draft: Draft, options: &Options) -> (Kernel, Sharing) {
    let Draft { extents, owners, reduced, sequential, buffers, body, stores, reductions } = draft;
    let kept: Vec<usize> = (0..extents.len()).filter(|k| extents[*k] != 1).collect();
    let is_reduced = |k: &usize| reduced.contains(&owners[*k]);
    let is_sequential = |k: &usize| sequential.contains(&owners[*k]);
    let mut kernel = Kernel { params: buffers.len(), body, stores, reductions, ..Kernel::default() };

    let vector = kept.iter().copied().filter(|k| !is_sequential(k)).max_by_key(|k| {
        let contiguous: usize = kernel.affines().iter().filter(|a| a.coefs[*k] == 1).count();
        let still: usize = kernel.affines().iter().filter(|a| a.coefs[*k] == 0).count();
        let stored: usize = kernel.stores.iter().filter(|s| s.access.at.coefs[*k] == 1).count();
        (2 * (contiguous + stored) + still, extents[*k] >= 4, *k)
    });
    // Other axes by the stride of the access that moves most.
    let main = kernel.affines().into_iter().max_by_key(|a| a.coefs.iter().filter(|c| **c != 0).count()).cloned();
    let stride = |k: &usize| main.as_ref().map_or(0, |m| m.coefs[*k].abs());
    let mut rest: Vec<usize> = kept.iter().copied().filter(|k| Some(*k) != vector).collect();
    rest.sort_by_key(|k| (is_reduced(k), std::cmp::Reverse(stride(k)), *k));
    let inner = rest.iter().position(is_reduced).unwrap_or(rest.len());
    if let Some(v) = vector {
        let place = if is_reduced(&v) { rest.len() } else { inner };
        rest.insert(place, v);
    }
    let nest = rest;
    let axis = |k: &usize| Axis { extent: extents[*k], reduced: is_reduced(k), sequential: is_sequential(k) };
    kernel.axes = nest.iter().map(axis).collect();
    kernel.vector = vector.and_then(|v| nest.iter().position(|k| *k == v));
    for affine in kernel.affines_mut() {
        affine.coefs = nest.iter().map(|k| affine.coefs[*k]).collect();
    }
    merge(&mut kernel);
    if !kernel.axes.iter().any(|a| a.reduced) {
        // Every reduced axis has extent 1: what is accumulated is the result.
        for r in std::mem::take(&mut kernel.reductions) {
            kernel.stores.push(super::Store { access: r.access, index: None, value: r.value, mode: StoreMode::Set });
        }
    }
    let sharing = share(&mut kernel, options);
    (kernel, sharing)
}

/// Merges neighbouring axes that all accesses walk through as one.
fn merge(kernel: &mut Kernel) {
    let mut k = 0;
    while k + 1 < kernel.axes.len() {
        let inner = kernel.axes[k + 1].extent as i64;
        let kind = |axis: Axis| (axis.reduced, axis.sequential);
        let same = kind(kernel.axes[k]) == kind(kernel.axes[k + 1]);
        if !same || kernel.vector == Some(k) || !kernel.affines().iter().all(|a| a.coefs[k] == a.coefs[k + 1] * inner) {
            k += 1;
            continue;
        }
        kernel.axes[k + 1].extent *= kernel.axes[k].extent;
        kernel.axes.remove(k);
        for affine in kernel.affines_mut() {
            affine.coefs.remove(k);
        }
        kernel.vector = kernel.vector.map(|v| if v > k { v - 1 } else { v });
        k = k.saturating_sub(1);
    }
}

fn share(kernel: &mut Kernel, options: &Options) -> Sharing {
    let workers = options.workers;
    if kernel.axes.is_empty() {
        return Sharing::Single;
    }
    kernel.parallel = Some(0);
    let work: usize = kernel.body.iter().map(work_of).sum::<usize>() + kernel.stores.len() + kernel.reductions.len();
    if workers == 1 || kernel.iterations().saturating_mul(work) < options.share_from {
        return Sharing::Single;
    }
    let axes = &kernel.axes;
    let wide = |k: &usize| {
        let unit = if kernel.vector == Some(*k) { 16 } else { 1 };
        axes[*k].extent >= 2 * workers * unit && !axes[*k].sequential
    };
    let candidates: Vec<usize> = (0..axes.len()).filter(wide).collect();
    let kept = candidates.iter().copied().filter(|k| !axes[*k].reduced);
    let partial = candidates.iter().copied().find(|k| axes[*k].reduced);
    let outer = kept.clone().find(|k| kernel.vector != Some(*k) || partial.is_none());
    if let Some(k) = outer {
        kernel.parallel = Some(k);
        return Sharing::Kept;
    }
    if let Some(k) = partial
        && kernel.stores.iter().all(|s| s.mode == StoreMode::Set)
    {
        kernel.parallel = Some(k);
        return Sharing::Partial;
    }
    match kept.clone().next() {
        Some(k) => {
            kernel.parallel = Some(k);
            Sharing::Kept
        }
        None => Sharing::Single,
    }
}

/// The part of the parallel axis that each worker runs; `None` for a worker that has nothing to do. Parts along the vector axis
/// begin at multiples of 16 elements. Partial results are wanted of every worker, of an empty part too.
pub fn parts(kernel: &Kernel, sharing: Sharing, workers: usize) -> Vec<Option<(usize, usize)>> {
    let extent = kernel.parallel.map_or(1, |p| kernel.axes[p].extent);
    if sharing == Sharing::Single {
        return (0..workers).map(|w| (w == 0).then_some((0, extent))).collect();
    }
    let unit = if kernel.parallel == kernel.vector { 16 } else { 1 };
    let units = extent.div_ceil(unit);
    let at = |w: usize| (units * w / workers * unit).min(extent);
    let part = |w: usize| Some((at(w), at(w + 1))).filter(|(begin, end)| begin < end || sharing == Sharing::Partial);
    (0..workers).map(part).collect()
}
