//! Units of work: what one group, contraction or data movement becomes, in drafts and contraction specifications.

use super::affine::Affine;
use super::analysis::{Group, Kind, kind};
use super::contraction::{BatchAxis, ContractAxis, ConvSpec, DotSpec, LeftAxis, RightAxis, SpatialAxis};
use super::draft::{BufferId, Draft, Iteration, Place, Scene, Stop, Writer, refine};
use super::kernel::{Inst, ReduceKind, Reduction, Store, StoreMode};
use super::pieces::{Home, behind_views};
use crate::ir::{ConvDims, DotDims, Literal, NodeId, Op};
use std::collections::BTreeMap;

/// A place in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The buffer.
    pub buffer: BufferId,
    /// Offset of the first element, in elements.
    pub offset: i64,
}

/// One piece of work.
#[derive(Clone, Debug)]
pub enum Work {
    /// A generated kernel.
    Kernel(Draft),
    /// A product of two operands into a result.
    Dot(DotSpec, [Spot; 3]),
    /// A convolution of an image with a kernel into a result.
    Conv(ConvSpec, [Spot; 3]),
}

/// What a group of values becomes: one kernel.
pub fn group(scene: &Scene<'_>, group: &Group) -> Result<Work, NodeId> {
    refine(&group.shape, |iteration| {
        let mut w = Writer::new(scene, iteration, &group.roots);
        let identity = w.identity();
        for root in &group.roots {
            let node = scene.graph.node(*root);
            let Some(place) = &scene.places[root.index()] else { return Err(Stop::Cut(*root)) };
            let (op, axes) = match &node.op {
                Op::ReduceSum(axes) => (ReduceKind::Sum, axes),
                Op::ReduceMax(axes) => (ReduceKind::Max, axes),
                _ => {
                    let value = w.value(*root, &identity)?;
                    let access = w.access(place, &identity);
                    w.draft().stores.push(Store { access, index: None, value, mode: StoreMode::Set });
                    continue;
                }
            };
            let value = w.value(node.args[0], &identity)?;
            let kept: Vec<Affine> = (0..identity.len()).filter(|a| !axes.contains(a)).map(|a| identity[a].clone()).collect();
            let access = w.access(place, &kept);
            w.draft().reduced.clone_from(axes);
            w.draft().reductions.push(Reduction { kind: op, value, access });
        }
        Ok(Work::Kernel(w.finish()))
    })
}

/// Copies a value to a place.
pub fn copy(scene: &Scene<'_>, id: NodeId, to: &Place) -> Result<Work, NodeId> {
    refine(scene.graph.shape(id), |iteration| {
        let mut w = Writer::new(scene, iteration, &[]);
        let identity = w.identity();
        let value = w.value(id, &identity)?;
        let access = w.access(to, &identity);
        w.draft().stores.push(Store { access, index: None, value, mode: StoreMode::Set });
        Ok(Work::Kernel(w.finish()))
    })
}

/// A store of `value` over an iteration, at an address given by strides on the logical axes and an offset.
struct Scatter<'a> {
    shape: &'a [usize],
    strides: Vec<i64>,
    offset: i64,
    mode: StoreMode,
    sequential: Vec<usize>,
}

fn store_kernel(
    scene: &Scene<'_>,
    scatter: &Scatter<'_>,
    buffer: BufferId,
    mut value: impl FnMut(&mut Writer<'_, '_>, &[Affine]) -> Result<usize, Stop>,
) -> Result<Work, NodeId> {
    refine(scatter.shape, |iteration: &Iteration| {
        let mut w = Writer::new(scene, iteration, &[]);
        let identity = w.identity();
        let value = value(&mut w, &identity)?;
        let place = Place { buffer, strides: scatter.strides.clone() };
        let mut access = w.access(&place, &identity);
        access.at.offset += scatter.offset;
        w.draft().sequential.clone_from(&scatter.sequential);
        w.draft().stores.push(Store { access, index: None, value, mode: scatter.mode });
        Ok(Work::Kernel(w.finish()))
    })
}

fn fill(scene: &Scene<'_>, id: NodeId, place: &Place, literal: Option<NodeId>) -> Result<Work, NodeId> {
    let shape = scene.graph.shape(id);
    let all = Scatter { shape, strides: place.strides.clone(), offset: 0, mode: StoreMode::Set, sequential: vec![] };
    store_kernel(scene, &all, place.buffer, |w, _| match literal {
        Some(value) => w.value(value, &[]),
        None => Ok(w.inst(Inst::Const(Literal::F32(0.0)))),
    })
}

/// Data movement with kernels of its own.
pub fn special(scene: &Scene<'_>, id: NodeId, homes: &BTreeMap<NodeId, Home>) -> Result<Vec<Work>, NodeId> {
    let graph = scene.graph;
    let node = graph.node(id);
    let Some(place) = &scene.places[id.index()] else { return Err(id) };
    let plain = |shape, strides, offset| Scatter { shape, strides, offset, mode: StoreMode::Set, sequential: vec![] };
    match &node.op {
        // A reshape in memory: the operand, written where its numbers lie in the result.
        Op::Reshape(to) => {
            let shape = graph.shape(node.args[0]);
            let strides = super::layout::strides_of_operand(shape, to, &place.strides);
            Ok(vec![store_kernel(scene, &plain(shape, strides, 0), place.buffer, |w, map| w.value(node.args[0], map))?])
        }
        Op::Pad { lo, interior, .. } => {
            let mut works = vec![fill(scene, id, place, Some(node.args[1]))?];
            let strides = place.strides.iter().zip(interior).map(|(s, i)| s * (*i as i64 + 1)).collect();
            let offset = place.strides.iter().zip(lo).map(|(s, l)| s * *l as i64).sum();
            let inner = plain(graph.shape(node.args[0]), strides, offset);
            works.push(store_kernel(scene, &inner, place.buffer, |w, map| w.value(node.args[0], map))?);
            Ok(works)
        }
        Op::Concat { axis } => {
            let (mut works, mut at) = (Vec::new(), 0);
            for arg in &node.args {
                let start = (*axis, at as usize);
                if homes.get(&behind_views(graph, *arg)).is_some_and(|home| home.whole == id && home.start == start) {
                    at += graph.shape(*arg)[*axis] as i64;
                    continue;
                }
                let part = plain(graph.shape(*arg), place.strides.clone(), at * place.strides[*axis]);
                works.push(store_kernel(scene, &part, place.buffer, |w, map| w.value(*arg, map))?);
                at += graph.shape(*arg)[*axis] as i64;
            }
            Ok(works)
        }
        Op::CumSum { axis, reverse } => cumulative(scene, node.args[0], place, *axis, *reverse),
        Op::Fold { axis, stride, dilation, .. } => {
            let mut works = vec![fill(scene, id, place, None)?];
            let mut strides = place.strides.clone();
            let unit = strides[*axis];
            strides.splice(*axis..=*axis, [unit * *stride as i64, unit * *dilation as i64]);
            let sequential = vec![*axis, axis + 1];
            let shape = graph.shape(node.args[0]);
            let adding = Scatter { shape, strides, offset: 0, mode: StoreMode::Add, sequential };
            works.push(store_kernel(scene, &adding, place.buffer, |w, map| w.value(node.args[0], map))?);
            Ok(works)
        }
        Op::ScatterAdd { axis, length } => {
            let mut works = vec![fill(scene, id, place, None)?];
            let indices = graph.ty(node.args[0]).rank();
            works.push(refine(graph.shape(node.args[1]), |iteration| {
                let mut w = Writer::new(scene, iteration, &[]);
                let identity = w.identity();
                let index = w.value(node.args[0], &identity[*axis..axis + indices])?;
                let value = w.value(node.args[1], &identity)?;
                let mut target = identity;
                target.splice(*axis..axis + indices, [Affine::constant(0, w.rank())]);
                let access = w.access(place, &target);
                w.draft().sequential = (*axis..axis + indices).collect();
                let index = Some((index, place.strides[*axis], *length));
                w.draft().stores.push(Store { access, index, value, mode: StoreMode::Add });
                Ok(Work::Kernel(w.finish()))
            })?);
            Ok(works)
        }
        _ => refine(&node.ty.shape, |iteration| {
            let mut w = Writer::new(scene, iteration, &[]);
            let identity = w.identity();
            let value = w.computed(id, &identity)?;
            let access = w.access(place, &identity);
            w.draft().stores.push(Store { access, index: None, value, mode: StoreMode::Set });
            Ok(vec![Work::Kernel(w.finish())])
        }),
    }
}

/// The first slice is copied; every further one is the one before plus the operand's.
fn cumulative(scene: &Scene<'_>, source: NodeId, place: &Place, axis: usize, reverse: bool) -> Result<Vec<Work>, NodeId> {
    let mut shape = scene.graph.shape(source).to_vec();
    let extent = shape[axis] as i64;
    if extent == 0 {
        return Ok(vec![]);
    }
    let direction = if reverse { -1 } else { 1 };
    let start = if reverse { extent - 1 } else { 0 };
    let along = move |map: &[Affine], from: i64| {
        let mut map = map.to_vec();
        map[axis] = map[axis].scaled(direction).shifted(start + from * direction);
        map
    };
    let mut works = Vec::new();
    for (from, count) in [(0, 1), (1, extent - 1)] {
        shape[axis] = count as usize;
        works.push(refine(&shape, |iteration| {
            let mut w = Writer::new(scene, iteration, &[]);
            let map = along(&w.identity(), from);
            let mut value = w.value(source, &map)?;
            if from == 1 {
                let before = along(&w.identity(), 0);
                let access = w.access(place, &before);
                let before = w.inst(Inst::Load(access, crate::ir::DType::F32));
                value = w.inst(Inst::Binary(crate::ir::OpKind::Add, crate::ir::DType::F32, before, value));
                w.draft().sequential = vec![axis];
            }
            let access = w.access(place, &map);
            w.draft().stores.push(Store { access, index: None, value, mode: StoreMode::Set });
            Ok(Work::Kernel(w.finish()))
        })?);
    }
    Ok(works)
}

/// A product, a sum of products, or a convolution.
pub fn contraction(scene: &Scene<'_>, id: NodeId) -> Result<Vec<Work>, NodeId> {
    let node = scene.graph.node(id);
    match &node.op {
        Op::Dot(dims) => {
            let pairs = node.args.chunks_exact(2).enumerate();
            pairs.map(|(number, pair)| dot(scene, id, dims, [pair[0], pair[1]], number > 0)).collect()
        }
        Op::Conv(dims) => Ok(vec![conv(scene, id, dims)?]),
        _ => Err(id),
    }
}

/// The product of one pair of operands, added to those before it.
fn dot(scene: &Scene<'_>, id: NodeId, dims: &DotDims, [lhs, rhs]: [NodeId; 2], accumulate: bool) -> Result<Work, NodeId> {
    let graph = scene.graph;
    let node = graph.node(id);
    let left = DotDims::free(graph.ty(lhs).rank(), &dims.lhs_batch, &dims.lhs_contract);
    let right = DotDims::free(graph.ty(rhs).rank(), &dims.rhs_batch, &dims.rhs_contract);
    let (batch, m, n) = (dims.lhs_batch.len(), left.len(), right.len());
    let mut shape = node.ty.shape.clone();
    shape.extend(dims.lhs_contract.iter().map(|a| graph.shape(lhs)[*a]));
    let Some(place) = &scene.places[id.index()] else { return Err(id) };
    refine(&shape, |iteration| {
        let mut w = Writer::new(scene, iteration, &[]);
        let index = w.identity();
        let operand = |batch_axes: &[usize], free: &[usize], contract: &[usize], first: usize| {
            let mut map = vec![Affine::default(); batch_axes.len() + free.len() + contract.len()];
            let pair = |axes: &[usize], from: usize, map: &mut Vec<Affine>| {
                for (i, a) in axes.iter().enumerate() {
                    map[*a] = index[from + i].clone();
                }
            };
            pair(batch_axes, 0, &mut map);
            pair(free, first, &mut map);
            pair(contract, batch + m + n, &mut map);
            map
        };
        let a_map = operand(&dims.lhs_batch, &left, &dims.lhs_contract, batch);
        let b_map = operand(&dims.rhs_batch, &right, &dims.rhs_contract, batch + m);
        let (a_buffer, a) = w.reach(lhs, &a_map)?;
        let (b_buffer, b) = w.reach(rhs, &b_map)?;
        let c = w.access(place, &index[..batch + m + n]).at;
        let mut spec = DotSpec { accumulate, ..DotSpec::default() };
        for (k, (extent, owner)) in iteration.extents().into_iter().zip(iteration.owners()).enumerate() {
            let (a, b, c) = (a.coefs[k] as isize, b.coefs[k] as isize, c.coefs[k] as isize);
            if extent == 1 {
                continue;
            }
            if owner < batch {
                spec.batch.push(BatchAxis { extent, a, b, c });
            } else if owner < batch + m {
                spec.m.push(LeftAxis { extent, a, c });
            } else if owner < batch + m + n {
                spec.n.push(RightAxis { extent, b, c });
            } else {
                spec.k.push(ContractAxis { extent, a, b });
            }
        }
        simplify(&mut spec);
        let spots = [(a_buffer, a.offset), (b_buffer, b.offset), (place.buffer, c.offset)];
        Ok(Work::Dot(spec, spots.map(|(buffer, offset)| Spot { buffer, offset })))
    })
}

/// Merges neighbouring axes that both their views walk through as one.
fn simplify(spec: &mut DotSpec) {
    fn merge<T: Copy>(axes: &mut Vec<T>, join: impl Fn(&T, &T) -> Option<T>) {
        let mut k = 0;
        while k + 1 < axes.len() {
            match join(&axes[k], &axes[k + 1]) {
                Some(joined) => {
                    axes[k] = joined;
                    axes.remove(k + 1);
                }
                None => k += 1,
            }
        }
    }
    let fits = |outer: isize, inner: isize, extent: usize| outer == inner * extent as isize;
    merge(&mut spec.m, |o, i| {
        let joins = fits(o.a, i.a, i.extent) && fits(o.c, i.c, i.extent);
        joins.then_some(LeftAxis { extent: o.extent * i.extent, ..*i })
    });
    merge(&mut spec.n, |o, i| {
        let joins = fits(o.b, i.b, i.extent) && fits(o.c, i.c, i.extent);
        joins.then_some(RightAxis { extent: o.extent * i.extent, ..*i })
    });
    merge(&mut spec.k, |o, i| {
        let joins = fits(o.a, i.a, i.extent) && fits(o.b, i.b, i.extent);
        joins.then_some(ContractAxis { extent: o.extent * i.extent, ..*i })
    });
    merge(&mut spec.batch, |o, i| {
        let joins = fits(o.a, i.a, i.extent) && fits(o.b, i.b, i.extent) && fits(o.c, i.c, i.extent);
        joins.then_some(BatchAxis { extent: o.extent * i.extent, ..*i })
    });
}

/// Features of a weight gradient below which its operands change places if that gives more.
const FEW_FEATURES: usize = 8;

fn conv(scene: &Scene<'_>, id: NodeId, dims: &ConvDims) -> Result<Work, NodeId> {
    let graph = scene.graph;
    let node = graph.node(id);
    let [image, kernel] = [node.args[0], node.args[1]];
    let (xs, ws, ys) = (graph.shape(image), graph.shape(kernel), &node.ty.shape);
    let Some(place) = &scene.places[id.index()] else { return Err(id) };
    // Strides of an operand by logical axis; a view without one stride an axis must be written out first.
    let operand = |arg: NodeId| {
        refine(graph.shape(arg), |iteration| {
            let mut w = Writer::new(scene, iteration, &[]);
            let map = w.identity();
            let (buffer, at) = w.reach(arg, &map)?;
            iteration.joined(&at).map(|at| (buffer, at)).ok_or(Stop::Cut(arg))
        })
    };
    let (x_buffer, x) = operand(image)?;
    let (w_buffer, w) = operand(kernel)?;
    let (channels, features) = (ws[1], ws[0] / dims.groups);
    let (sx, sw) = (|a: usize| x.coefs[a] as isize, |a: usize| w.coefs[a] as isize);
    let sy = |a: usize| place.strides[a] as isize;
    let spatial = (2..xs.len())
        .map(|a| SpatialAxis {
            input: xs[a],
            kernel: ws[a],
            output: ys[a],
            x: sx(a),
            w: sw(a),
            out: sy(a),
            window_stride: dims.stride[a - 2],
            pad_lo: dims.padding[a - 2].0,
            input_dilation: dims.input_dilation[a - 2],
            kernel_dilation: dims.kernel_dilation[a - 2],
        })
        .collect();
    let spec = ConvSpec {
        samples: LeftAxis { extent: xs[0], a: sx(0), c: sy(0) },
        groups: BatchAxis {
            extent: dims.groups,
            a: sx(1) * channels as isize,
            b: sw(0) * features as isize,
            c: sy(1) * features as isize,
        },
        channels: ContractAxis { extent: channels, a: sx(1), b: sw(1) },
        features: RightAxis { extent: features, b: sw(0), c: sy(1) },
        spatial,
        parts: vec![],
    };
    let spots = [(x_buffer, x.offset), (w_buffer, w.offset), (place.buffer, 0)];
    let spots = spots.map(|(buffer, offset)| Spot { buffer, offset });
    let (spec, spots) = exchanged(spec, spots);
    Ok(Work::Conv(spec, spots))
}

/// A weight gradient slides one operand over the other one, and either may be the one that is slid: the sums are the same, in reversed
/// order. It is exchanged
///
/// - where a large undilated kernel slides over a dilated image, as for a transposed convolution's weight: then nothing is dilated but the
///   kernel, and there are no zeros in between;
/// - where the result has few features and more samples: features are what vectors run along.
fn exchanged(spec: ConvSpec, [x, w, out]: [Spot; 3]) -> (ConvSpec, [Spot; 3]) {
    let dilated = spec.spatial.iter().any(|s| s.input_dilation > 1);
    let slides = spec.spatial.iter().all(|s| s.kernel_dilation == 1 && s.kernel > s.output);
    let narrow = spec.features.extent < FEW_FEATURES && spec.samples.extent > spec.features.extent;
    if !slides || spec.groups.extent != 1 || !(dilated || narrow) {
        return (spec, [x, w, out]);
    }
    // With i = (o·stride + k − pad) / d as the variable of summation, k = i·d + pad − o·stride = i·d + o'·stride + pad − (outputs −
    // 1)·stride, where o' = outputs − 1 − o.
    let mut offset = out.offset;
    let spatial = spec
        .spatial
        .iter()
        .map(|s| {
            let last = s.output as isize - 1;
            offset += (last * s.out) as i64;
            SpatialAxis {
                input: s.kernel,
                kernel: s.input,
                output: s.output,
                x: s.w,
                w: s.x,
                out: -s.out,
                window_stride: s.window_stride,
                pad_lo: last * s.window_stride as isize - s.pad_lo,
                input_dilation: s.kernel_dilation,
                kernel_dilation: s.input_dilation,
            }
        })
        .collect();
    let swapped = ConvSpec {
        samples: LeftAxis { extent: spec.features.extent, a: spec.features.b, c: spec.features.c },
        groups: BatchAxis { extent: 1, a: spec.groups.b, b: spec.groups.a, c: spec.groups.c },
        channels: ContractAxis { extent: spec.channels.extent, a: spec.channels.b, b: spec.channels.a },
        features: RightAxis { extent: spec.samples.extent, b: spec.samples.a, c: spec.samples.c },
        spatial,
        parts: vec![],
    };
    (swapped, [w, x, Spot { offset, ..out }])
}

/// Whether a node has a unit of its own.
pub fn stands_alone(op: &Op, cut: bool) -> bool {
    cut || matches!(kind(op), Kind::Contract | Kind::Special)
}
