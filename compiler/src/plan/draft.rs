//! Bodies of kernels: values of the graph written out over an iteration.
//!
//! In: nodes and, for each, where in it an iteration looks (a map of [`Affine`] indices). Out: a [`Draft`]: body, stores and
//! reductions over an iteration whose axes have been split as far as reshapes need.

use super::affine::{Affine, Obstacle, address, through_view};
use super::analysis::{Analysis, Kind, kind};
use super::kernel::{Access, Inst, Reduction, Store, ValueId};
use crate::ir::{DType, Graph, NodeId, Op, OpKind, row_major_strides};
use std::collections::BTreeMap;

/// Index of a buffer of the plan.
pub type BufferId = usize;

/// Where a materialised value lies.
#[derive(Clone, Debug)]
pub struct Place {
    /// The buffer, which holds nothing else.
    pub buffer: BufferId,
    /// Strides in elements by logical axis.
    pub strides: Vec<i64>,
}

/// What a body is written against.
pub struct Scene<'g> {
    /// The graph.
    pub graph: &'g Graph,
    /// The decisions.
    pub analysis: &'g Analysis,
    /// Places of materialised values.
    pub places: &'g [Option<Place>],
}

/// What stopped a body from being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The iteration must be split first.
    Split {
        /// Axis of the refined iteration.
        axis: usize,
        /// Extent of the new inner part.
        inner: usize,
    },
    /// This node must be materialised as it is.
    Cut(NodeId),
}

/// The iteration of a draft: the logical axes, each refined into one or more parts, outermost first.
#[derive(Clone, Debug)]
pub struct Iteration {
    parts: Vec<Vec<usize>>,
}

impl Iteration {
    /// Over a shape, not refined.
    pub fn new(shape: &[usize]) -> Iteration {
        Iteration { parts: shape.iter().map(|e| vec![*e]).collect() }
    }

    /// Extents of the refined axes.
    pub fn extents(&self) -> Vec<usize> {
        self.parts.concat()
    }

    /// For each refined axis the logical axis it is part of.
    pub fn owners(&self) -> Vec<usize> {
        self.parts.iter().enumerate().flat_map(|(a, p)| vec![a; p.len()]).collect()
    }

    /// The index along each logical axis.
    pub fn identity(&self) -> Vec<Affine> {
        let rank = self.extents().len();
        let mut next = 0;
        let logical = |part: &Vec<usize>| {
            let mut index = Affine::constant(0, rank);
            for stride in row_major_strides(part) {
                index.coefs[next] = stride as i64;
                next += 1;
            }
            index
        };
        self.parts.iter().map(logical).collect()
    }

    /// An address over the refined axes as one over the logical axes; `None` where the parts of one do not follow each other evenly.
    pub fn joined(&self, at: &Affine) -> Option<Affine> {
        let mut joined = Affine { offset: at.offset, coefs: Vec::with_capacity(self.parts.len()) };
        let mut next = 0;
        for part in &self.parts {
            let coefs = &at.coefs[next..next + part.len()];
            next += part.len();
            let even = (1..part.len()).all(|i| coefs[i - 1] == coefs[i] * part[i] as i64);
            joined.coefs.push(*coefs.last().filter(|_| even)?);
        }
        Some(joined)
    }

    /// Splits a refined axis.
    pub fn split(&mut self, axis: usize, inner: usize) {
        let mut place = axis;
        for part in &mut self.parts {
            if place < part.len() {
                let extent = part[place];
                part.splice(place..=place, [extent / inner, inner]);
                return;
            }
            place -= part.len();
        }
    }
}

/// A kernel before its loops are ordered.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Extents of the axes.
    pub extents: Vec<usize>,
    /// Logical axis of each.
    pub owners: Vec<usize>,
    /// Logical axes that reductions accumulate over.
    pub reduced: Vec<usize>,
    /// Logical axes whose iterations must run one after the other, on one worker.
    pub sequential: Vec<usize>,
    /// Buffers, by parameter.
    pub buffers: Vec<BufferId>,
    /// Body.
    pub body: Vec<Inst>,
    /// Stores.
    pub stores: Vec<Store>,
    /// Reductions.
    pub reductions: Vec<Reduction>,
}

/// A body being written.
pub struct Writer<'s, 'g> {
    scene: &'s Scene<'g>,
    /// Materialised nodes that this kernel computes itself, over its own iteration.
    own: &'s [NodeId],
    identity: Vec<Affine>,
    draft: Draft,
    known: BTreeMap<(NodeId, Vec<Affine>), ValueId>,
    numbers: BTreeMap<Inst, ValueId>,
}

impl<'s, 'g> Writer<'s, 'g> {
    /// Over an iteration, for a kernel that computes the materialised nodes `own`.
    pub fn new(scene: &'s Scene<'g>, iteration: &Iteration, own: &'s [NodeId]) -> Writer<'s, 'g> {
        let draft = Draft {
            extents: iteration.extents(),
            owners: iteration.owners(),
            reduced: vec![],
            sequential: vec![],
            buffers: vec![],
            body: vec![],
            stores: vec![],
            reductions: vec![],
        };
        let identity = iteration.identity();
        Writer { scene, own, identity, draft, known: BTreeMap::new(), numbers: BTreeMap::new() }
    }

    /// Rank of the refined iteration.
    pub fn rank(&self) -> usize {
        self.draft.extents.len()
    }

    /// The index along each logical axis.
    pub fn identity(&self) -> Vec<Affine> {
        self.identity.clone()
    }

    /// The finished draft.
    pub fn finish(self) -> Draft {
        self.draft
    }

    /// The draft under construction.
    pub fn draft(&mut self) -> &mut Draft {
        &mut self.draft
    }

    /// The parameter for a buffer.
    pub fn param(&mut self, buffer: BufferId) -> usize {
        match self.draft.buffers.iter().position(|b| *b == buffer) {
            Some(p) => p,
            None => {
                self.draft.buffers.push(buffer);
                self.draft.buffers.len() - 1
            }
        }
    }

    /// An access to a place.
    pub fn access(&mut self, place: &Place, map: &[Affine]) -> Access {
        Access { param: self.param(place.buffer), at: address(map, &place.strides, self.rank()) }
    }

    /// Adds an instruction, or finds the same one.
    pub fn inst(&mut self, inst: Inst) -> ValueId {
        if let Some(id) = self.numbers.get(&inst) {
            return *id;
        }
        self.draft.body.push(inst.clone());
        self.numbers.insert(inst, self.draft.body.len() - 1);
        self.draft.body.len() - 1
    }

    /// The value of a node at an index, read or computed.
    pub fn value(&mut self, id: NodeId, map: &[Affine]) -> Result<ValueId, Stop> {
        let key = (id, map.to_vec());
        if let Some(value) = self.known.get(&key) {
            return Ok(*value);
        }
        let mine = self.own.contains(&id) && map == self.identity;
        let value = match &self.scene.places[id.index()] {
            Some(place) if !mine => {
                let access = self.access(place, map);
                self.inst(Inst::Load(access, self.scene.graph.ty(id).dtype))
            }
            _ => self.computed(id, map)?,
        };
        self.known.insert(key, value);
        Ok(value)
    }

    /// The value of a node at an index, computed here even if it is materialised elsewhere.
    pub fn computed(&mut self, id: NodeId, map: &[Affine]) -> Result<ValueId, Stop> {
        let graph = self.scene.graph;
        let node = graph.node(id);
        let rank = self.rank();
        if kind(&node.op) == Kind::View {
            let source = node.args[0];
            if let Some(access) = self.reshaped_row_major(id, map) {
                return Ok(self.inst(Inst::Load(access, node.ty.dtype)));
            }
            let inner = self.behind(id, map)?;
            return self.value(source, &inner);
        }
        Ok(match &node.op {
            Op::Const(literal) => self.inst(Inst::Const(*literal)),
            Op::Iota { axis, .. } => self.inst(Inst::Index(map[*axis].clone())),
            Op::Rng { stream, shape } => {
                let mut key = [0; 4];
                for (word, slot) in key.iter_mut().enumerate() {
                    *slot = self.value(node.args[0], &[Affine::constant(word as i64, rank)])?;
                }
                let strides: Vec<i64> = row_major_strides(shape).into_iter().map(|s| s as i64).collect();
                self.inst(Inst::Rng { stream: *stream, key, at: address(map, &strides, rank) })
            }
            Op::Gather { axis } => {
                let indices = graph.ty(node.args[1]).rank();
                let index = self.value(node.args[1], &map[*axis..axis + indices])?;
                let mut inner = map.to_vec();
                inner.splice(*axis..axis + indices, [Affine::constant(0, rank)]);
                let (buffer, first) = self.reach(node.args[0], &inner)?;
                inner[*axis].offset = 1;
                let (_, second) = self.reach(node.args[0], &inner)?;
                let access = Access { param: self.param(buffer), at: first.clone() };
                let stride = second.offset - first.offset;
                let limit = graph.shape(node.args[0])[*axis];
                inner[*axis].offset = limit as i64 - 1;
                let (_, last) = self.reach(node.args[0], &inner)?;
                if last.offset - first.offset != stride * (limit as i64 - 1) {
                    return Err(Stop::Cut(node.args[0]));
                }
                self.inst(Inst::LoadAt { access, index, stride, limit, dtype: node.ty.dtype })
            }
            Op::Add
                if node.ty.dtype == DType::F32 && self.product(node.args[0]).or(self.product(node.args[1])).is_some() =>
            {
                let first = self.product(node.args[0]).is_some();
                let (product, other) = if first { (node.args[0], node.args[1]) } else { (node.args[1], node.args[0]) };
                let factors = &graph.node(product).args;
                let (a, b, c) = (self.value(factors[0], map)?, self.value(factors[1], map)?, self.value(other, map)?);
                self.inst(Inst::Fma(a, b, c))
            }
            Op::Cast(to) => {
                let a = self.value(node.args[0], map)?;
                self.inst(Inst::Cast(graph.ty(node.args[0]).dtype, *to, a))
            }
            Op::Select => {
                let [c, a, b] = [node.args[0], node.args[1], node.args[2]];
                let (c, a, b) = (self.value(c, map)?, self.value(a, map)?, self.value(b, map)?);
                self.inst(Inst::Select(node.ty.dtype, c, a, b))
            }
            op => {
                let dtype = graph.ty(node.args[0]).dtype;
                let a = self.value(node.args[0], map)?;
                match node.args.get(1) {
                    None => self.inst(Inst::Unary(op.kind(), dtype, a)),
                    Some(b) => {
                        let b = self.value(*b, map)?;
                        self.inst(Inst::Binary(op.kind(), dtype, a, b))
                    }
                }
            }
        })
    }

    /// A product that may be rounded together with the sum it goes into. This depends on the graph alone, so that every kernel
    /// that computes a value rounds it in the same way.
    fn product(&self, id: NodeId) -> Option<NodeId> {
        let fusable = self.scene.graph.node(id).op.kind() == OpKind::Mul
            && self.scene.analysis.uses[id.index()] == 1
            && !self.scene.analysis.materialised[id.index()];
        fusable.then_some(id)
    }

    /// The index in a view's operand.
    fn behind(&self, id: NodeId, map: &[Affine]) -> Result<Vec<Affine>, Stop> {
        let graph = self.scene.graph;
        let node = graph.node(id);
        let source = graph.shape(node.args[0]);
        match through_view(&node.op, map, &node.ty.shape, source, &self.draft.extents) {
            Some(Ok(inner)) => Ok(inner),
            Some(Err(Obstacle::Split { axis, inner })) => Err(Stop::Split { axis, inner }),
            Some(Err(Obstacle::Cut)) | None => Err(Stop::Cut(id)),
        }
    }

    /// A reshape of row-major memory needs no digits: the linear index is the address.
    fn reshaped_row_major(&mut self, id: NodeId, map: &[Affine]) -> Option<Access> {
        let graph = self.scene.graph;
        let node = graph.node(id);
        let Op::Reshape(shape) = &node.op else { return None };
        let (mut source, mut place) = (node.args[0], None);
        // Reshapes of reshapes keep the linear index.
        while place.is_none() {
            place = self.scene.places[source.index()].as_ref();
            if place.is_none() {
                match &graph.node(source).op {
                    Op::Reshape(_) | Op::StopGrad | Op::Hold => source = graph.node(source).args[0],
                    _ => return None,
                }
            }
        }
        let place = place?;
        let natural = |shape: &[usize]| row_major_strides(shape).into_iter().map(|s| s as i64).collect::<Vec<_>>();
        let dense = graph.shape(source).iter().zip(&place.strides).zip(natural(graph.shape(source)));
        if dense.into_iter().any(|((extent, stride), natural)| *extent != 1 && *stride != natural) {
            return None;
        }
        if self.own.contains(&source) {
            return None;
        }
        let buffer = place.buffer;
        Some(Access { param: self.param(buffer), at: address(map, &natural(shape), self.rank()) })
    }

    /// The memory behind views: buffer and address.
    pub fn reach(&mut self, id: NodeId, map: &[Affine]) -> Result<(BufferId, Affine), Stop> {
        if let Some(place) = &self.scene.places[id.index()] {
            return Ok((place.buffer, address(map, &place.strides, self.rank())));
        }
        if kind(&self.scene.graph.node(id).op) != Kind::View {
            return Err(Stop::Cut(id));
        }
        if let Some(access) = self.reshaped_row_major(id, map) {
            return Ok((self.draft.buffers[access.param], access.at));
        }
        let inner = self.behind(id, map)?;
        self.reach(self.scene.graph.node(id).args[0], &inner)
    }
}

/// Writes a body, splitting the iteration as often as reshapes ask for it.
///
/// # Errors
/// A node that must be materialised as it is.
pub fn refine<T>(shape: &[usize], mut write: impl FnMut(&Iteration) -> Result<T, Stop>) -> Result<T, NodeId> {
    let mut iteration = Iteration::new(shape);
    loop {
        match write(&iteration) {
            Ok(done) => return Ok(done),
            Err(Stop::Split { axis, inner }) => iteration.split(axis, inner),
            Err(Stop::Cut(node)) => return Err(node),
        }
    }
}
