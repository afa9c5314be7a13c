//! The order of the steps, states written in place, and barriers.
//!
//! In: units of work and their buffers. Out: the finished [`Plan`]. Units run after those that produce what they read; among
//! ready ones the graph's order decides, and updates of states come last, so that they can overwrite the state.

use super::draft::Draft;
use super::kernel::{Access, Inst, Kernel, Reduction, Store, StoreMode};
use super::order::{Sharing, order, parts};
use super::units::{Spot, Work};
use super::{
    Affine, Arg, BufferId, ConvSpec, DotSpec, HostOutput, Memories, Memory, Options, Plan, PlanSummary, Step, StepWork, Unit,
};
use super::{arena, epilogues};
use crate::ir::{DType, NodeId};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Orders units, turns them into steps, and places everything.
pub(super) fn schedule(
    units: Vec<Unit>,
    mut memories: Memories,
    inputs: Vec<Option<BufferId>>,
    outputs: Vec<HostOutput>,
    options: &Options,
) -> Result<Plan> {
    let workers = options.workers;
    let reused = reused_operands(&units, &memories);
    let mut builder = Steps { options: options.clone(), kernels: Vec::new(), known: BTreeMap::new(), steps: Vec::new() };
    for unit in topological(units, &memories)? {
        for work in unit.works {
            let work = match work {
                Work::Dot(spec, spots) => {
                    let reused = [0, 1].map(|operand| reused.contains(&view(&spec, &spots, operand)));
                    Work::Dot(DotSpec { reused, ..spec }, spots)
                }
                other => other,
            };
            builder.work(work, &unit.nodes, &mut memories);
        }
    }
    builder.states_in_place(&mut memories);
    let Steps { kernels, mut steps, .. } = builder;
    if options.epilogues && workers == 1 {
        epilogues::join(&mut steps, &kernels, &memories, &outputs);
    }
    let sizes = arena::place(&steps, &mut memories, &inputs, &outputs);
    barriers(&mut steps, &kernels, &memories, workers);
    let summary = summarise(&steps, &kernels, sizes);
    Ok(Plan {
        workers,
        kernels,
        steps,
        buffers: memories.buffers,
        inputs,
        outputs,
        arena: sizes.0,
        arena_bound: sizes.1,
        summary,
    })
}

/// How a product reads one of its operands: buffer and offset, and extents and strides of the free axes and of the summed ones.
type View = (BufferId, i64, Vec<(usize, isize)>, Vec<(usize, isize)>);

fn view(spec: &DotSpec, spots: &[Spot; 3], operand: usize) -> View {
    let free = match operand {
        0 => spec.m.iter().map(|x| (x.extent, x.a)).collect(),
        _ => spec.n.iter().map(|x| (x.extent, x.b)).collect(),
    };
    let summed = spec.k.iter().map(|x| (x.extent, if operand == 0 { x.a } else { x.b })).collect();
    (spots[operand].buffer, spots[operand].offset, free, summed)
}

/// Elements of an operand that a core keeps in its second-level cache beside what else a product reads. A larger one that is packed
/// once comes from farther away every time, which costs what packing again in pieces does.
const REUSED_AT_MOST: usize = 96 * 1024;

/// Views of states that several products read.
fn reused_operands(units: &[Unit], memories: &Memories) -> BTreeSet<View> {
    let (mut once, mut again) = (BTreeSet::new(), BTreeSet::new());
    for work in units.iter().flat_map(|unit| &unit.works) {
        let Work::Dot(spec, spots) = work else { continue };
        for operand in [0, 1] {
            let buffer = &memories.buffers[spots[operand].buffer];
            let state = matches!(buffer.memory, Memory::State(_)) && buffer.elements <= REUSED_AT_MOST;
            let view = view(spec, spots, operand);
            if state && spec.batch.is_empty() && !once.insert(view.clone()) {
                again.insert(view);
            }
        }
    }
    again
}

/// Buffers a piece of work reads, and those it writes.
fn touches(work: &Work) -> (Vec<BufferId>, Vec<BufferId>) {
    match work {
        Work::Kernel(draft) => {
            let written = draft.stores.iter().map(|s| &s.access).chain(draft.reductions.iter().map(|r| &r.access));
            let written: Vec<BufferId> = written.map(|a| draft.buffers[a.param]).collect();
            (draft.buffers.clone(), written)
        }
        Work::Dot(_, [a, b, c]) | Work::Conv(_, [a, b, c]) => (vec![a.buffer, b.buffer], vec![c.buffer]),
    }
}

fn topological(units: Vec<Unit>, memories: &Memories) -> Result<Vec<Unit>> {
    let mut parts: BTreeMap<BufferId, Vec<BufferId>> = BTreeMap::new();
    for (part, whole) in memories.part_of.iter().enumerate() {
        if let Some((whole, _)) = whole {
            parts.entry(*whole).or_default().push(part);
        }
    }
    // Who reads a buffer reads its parts.
    let with_parts = |buffer: BufferId| {
        let mut all = vec![buffer];
        let mut next = 0;
        while let Some(buffer) = all.get(next) {
            all.extend(parts.get(buffer).into_iter().flatten());
            next += 1;
        }
        all
    };
    let mut producer: BTreeMap<BufferId, usize> = BTreeMap::new();
    for (u, unit) in units.iter().enumerate() {
        for work in &unit.works {
            producer.extend(touches(work).1.into_iter().map(|b| (b, u)));
        }
    }
    let mut waiting = vec![0usize; units.len()];
    let mut followers = vec![Vec::new(); units.len()];
    for (u, unit) in units.iter().enumerate() {
        let read: BTreeSet<BufferId> = unit.works.iter().flat_map(|w| touches(w).0).collect();
        let written: BTreeSet<BufferId> = unit.works.iter().flat_map(|w| touches(w).1).collect();
        // A concatenation writes what its operands do not; it needs not wait for those.
        let read: BTreeSet<BufferId> =
            read.into_iter().flat_map(|b| if written.contains(&b) { vec![b] } else { with_parts(b) }).collect();
        let before: BTreeSet<usize> = read.iter().filter_map(|b| producer.get(b)).copied().filter(|p| *p != u).collect();
        waiting[u] = before.len();
        for p in before {
            followers[p].push(u);
        }
    }
    let mut ready: BTreeSet<(usize, usize)> =
        (0..units.len()).filter(|u| waiting[*u] == 0).map(|u| (units[u].priority, u)).collect();
    let priorities: Vec<usize> = units.iter().map(|u| u.priority).collect();
    let mut slots: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(slots.len());
    while let Some((_, u)) = ready.pop_first() {
        ordered.extend(slots[u].take());
        for f in &followers[u] {
            waiting[*f] -= 1;
            if waiting[*f] == 0 {
                ready.insert((priorities[*f], *f));
            }
        }
    }
    match ordered.len() == slots.len() {
        true => Ok(ordered),
        false => Err(Error::codegen("kernels depend on one another in a circle")),
    }
}

struct Steps {
    options: Options,
    kernels: Vec<Kernel>,
    known: BTreeMap<Kernel, usize>,
    steps: Vec<Step>,
}

impl Steps {
    fn work(&mut self, work: Work, nodes: &[NodeId], memories: &mut Memories) {
        match work {
            Work::Kernel(draft) => self.kernel(draft, nodes, memories),
            Work::Dot(mut spec, spots) => {
                spec.rows = rows(&spec, self.options.workers);
                self.push(StepWork::Dot(spec, spots), nodes);
            }
            Work::Conv(mut spec, spots) => {
                spec.parts = samples(&spec, self.options.workers);
                self.push(StepWork::Conv(spec, spots), nodes);
            }
        }
    }

    fn push(&mut self, work: StepWork, nodes: &[NodeId]) {
        self.steps.push(Step { barrier: false, work, epilogue: None, nodes: nodes.to_vec() });
    }

    fn push_kernel(&mut self, mut kernel: Kernel, sharing: Sharing, mut args: Vec<Arg>, nodes: &[NodeId]) {
        rebase(&mut kernel, &mut args);
        let parts = parts(&kernel, sharing, self.options.workers);
        let number = *self.known.entry(kernel.clone()).or_insert_with(|| {
            self.kernels.push(kernel);
            self.kernels.len() - 1
        });
        self.push(StepWork::Kernel { kernel: number, args, parts }, nodes);
    }

    fn kernel(&mut self, draft: Draft, nodes: &[NodeId], memories: &mut Memories) {
        let buffers = draft.buffers.clone();
        let (mut kernel, sharing) = order(draft, &self.options);
        if kernel.iterations() == 0 && kernel.reductions.is_empty() {
            return;
        }
        let mut args: Vec<Arg> = buffers.into_iter().map(|buffer| Arg { buffer, offset: 0, per_worker: 0 }).collect();
        if sharing != Sharing::Partial {
            self.push_kernel(kernel, sharing, args, nodes);
            return;
        }
        // Results go to partial buffers, one part a worker, and are combined by a second kernel.
        let kept: Vec<usize> = (0..kernel.axes.len()).filter(|k| !kernel.axes[*k].reduced).collect();
        let mut combine = Draft {
            extents: kept.iter().map(|k| kernel.axes[*k].extent).chain([self.options.workers]).collect(),
            owners: (0..=kept.len()).collect(),
            reduced: vec![kept.len()],
            sequential: vec![],
            buffers: vec![],
            body: vec![],
            stores: vec![],
            reductions: vec![],
        };
        for r in &mut kernel.reductions {
            let result = args[r.access.param].buffer;
            let elements = memories.buffers[result].elements;
            let partial = memories.arena(elements * self.options.workers);
            let coefs = |last: i64| kept.iter().map(|k| r.access.at.coefs[*k]).chain([last]).collect::<Vec<_>>();
            let offset = r.access.at.offset;
            let (from, to) = (combine.buffers.len(), combine.buffers.len() + 1);
            combine.buffers.extend([partial, result]);
            let read = Access { param: from, at: Affine { offset, coefs: coefs(elements as i64) } };
            combine.body.push(Inst::Load(read, DType::F32));
            let access = Access { param: to, at: Affine { offset, coefs: coefs(0) } };
            combine.reductions.push(Reduction { kind: r.kind, value: combine.body.len() - 1, access });
            // The result's own parameter may not be read elsewhere in this kernel: it is only now being computed.
            args[r.access.param] = Arg { buffer: partial, offset: 0, per_worker: elements };
        }
        self.push_kernel(kernel, sharing, args, nodes);
        self.kernel(combine, nodes, memories);
    }

    /// Lets new values of states be the states' memory where nothing reads the old value later; else copies them at the end.
    fn states_in_place(&mut self, memories: &mut Memories) {
        let mut copies = Vec::new();
        for new in 0..memories.buffers.len() {
            let Some(state) = memories.new_state[new] else { continue };
            let old = memories.buffers.iter().position(|b| b.memory == Memory::State(state));
            if old.is_none_or(|old| self.may_overwrite(old, new)) {
                memories.buffers[new].memory = Memory::State(state);
            } else if let Some(old) = old {
                copies.push((new, old));
            }
        }
        for (new, old) in copies {
            let elements = memories.buffers[new].elements;
            let at = || Affine { offset: 0, coefs: vec![1] };
            let copy = Draft {
                extents: vec![elements],
                owners: vec![0],
                reduced: vec![],
                sequential: vec![],
                buffers: vec![new, old],
                body: vec![Inst::Load(Access { param: 0, at: at() }, DType::F32)],
                stores: vec![Store { access: Access { param: 1, at: at() }, index: None, value: 0, mode: StoreMode::Set }],
                reductions: vec![],
            };
            self.kernel(copy, &[], memories);
        }
    }

    /// Whether no step after the one that writes `new` reads `old`, and that one reads it only where it writes.
    fn may_overwrite(&self, old: BufferId, new: BufferId) -> bool {
        let mut written = false;
        for step in &self.steps {
            let StepWork::Kernel { kernel, args, .. } = &step.work else {
                let (StepWork::Dot(_, [a, b, _]) | StepWork::Conv(_, [a, b, _])) = &step.work else { continue };
                if written && (a.buffer == old || b.buffer == old) {
                    return false;
                }
                continue;
            };
            let kernel = &self.kernels[*kernel];
            let param = |buffer| args.iter().position(|a| a.buffer == buffer);
            let reads = param(old);
            if written && reads.is_some() {
                return false;
            }
            let Some(target) = param(new).filter(|p| kernel.stores.iter().any(|s| s.access.param == *p)) else { continue };
            written = true;
            let Some(source) = reads else { continue };
            let place = |access: &Access| access.at.clone().shifted(args[access.param].offset);
            let places: Vec<Affine> = kernel
                .body
                .iter()
                .filter_map(|inst| match inst {
                    Inst::Load(access, _) | Inst::LoadAt { access, .. } if access.param == source => Some(place(access)),
                    _ => None,
                })
                .collect();
            let indexed =
                kernel.body.iter().any(|inst| matches!(inst, Inst::LoadAt { access, .. } if access.param == source));
            let stores = kernel.stores.iter().filter(|s| s.access.param == target);
            if indexed || stores.into_iter().any(|s| places.iter().any(|at| *at != place(&s.access))) {
                return false;
            }
        }
        true
    }
}

/// Lets every parameter point to the first element that the kernel names in it: kernels over different parts of buffers, such as
/// the steps of a recurrent layer, are then equal and compiled once.
fn rebase(kernel: &mut Kernel, args: &mut [Arg]) {
    let mut first: Vec<Option<i64>> = vec![None; args.len()];
    for access in kernel.accesses_mut() {
        let first = &mut first[access.param];
        *first = Some(first.map_or(access.at.offset, |f| f.min(access.at.offset)));
    }
    for access in kernel.accesses_mut() {
        access.at.offset -= first[access.param].unwrap_or(0);
    }
    for (arg, first) in args.iter_mut().zip(first) {
        arg.offset += first.unwrap_or(0);
    }
}

/// Rows of a worker from which on every worker computes its rows of a product: with fewer, packing the other operand once a worker
/// costs more than the barriers around the product.
const ROWS_OF_WORKER: usize = 96;
/// The same where the other operand is packed once for several products.
const ROWS_BESIDE_REUSED: usize = 24;

/// The rows of each worker where the left operand's are many: those that kernels over the same rows give it, so that what a worker
/// computes of a batch stays with it.
fn rows(spec: &DotSpec, workers: usize) -> Vec<(usize, usize)> {
    let least = if spec.reused[1] { ROWS_BESIDE_REUSED } else { ROWS_OF_WORKER };
    match spec.m[..] {
        [m] if workers > 1 && spec.batch.is_empty() && m.extent >= workers * least => parts_of(m.extent, workers),
        _ => vec![],
    }
}

/// The samples of each worker, likewise, where there are samples for all and windows of many places.
fn samples(spec: &ConvSpec, workers: usize) -> Vec<(usize, usize)> {
    let (samples, places) = (spec.samples.extent, spec.spatial.iter().map(|s| s.output).product::<usize>());
    match workers > 1 && samples >= workers && samples * places >= workers * ROWS_OF_WORKER && !spec.sums_over_windows() {
        true => parts_of(samples, workers),
        false => vec![],
    }
}

fn parts_of(extent: usize, workers: usize) -> Vec<(usize, usize)> {
    (0..workers).map(|w| (extent * w / workers, extent * (w + 1) / workers)).collect()
}

/// A piece of memory that a worker touches in a step: the region (the arena, or a state), first and last element.
#[derive(Clone, Copy)]
struct Touch {
    region: usize,
    first: i64,
    last: i64,
    write: bool,
}

/// Puts a barrier before every step in which a worker touches what another one wrote, or writes what another one touched, since
/// the last barrier.
fn barriers(steps: &mut [Step], kernels: &[Kernel], memories: &Memories, workers: usize) {
    if workers == 1 {
        return;
    }
    let mut since: Vec<Vec<Touch>> = vec![Vec::new(); workers];
    for step in steps {
        let now: Vec<Vec<Touch>> = (0..workers).map(|w| step_touches(step, kernels, memories, w)).collect();
        let clash =
            |a: &Touch, b: &Touch| a.region == b.region && (a.write || b.write) && a.first <= b.last && b.first <= a.last;
        let meets = now.iter().enumerate().any(|(w, touches)| {
            let others = since.iter().enumerate().filter(|(v, _)| *v != w).flat_map(|(_, t)| t);
            others.into_iter().any(|other| touches.iter().any(|t| clash(t, other)))
        });
        if meets {
            step.barrier = true;
            since.iter_mut().for_each(Vec::clear);
        }
        for (all, touches) in since.iter_mut().zip(now) {
            all.extend(touches);
        }
    }
}

fn step_touches(step: &Step, kernels: &[Kernel], memories: &Memories, worker: usize) -> Vec<Touch> {
    let locate = |buffer: BufferId| match memories.buffers[buffer].memory {
        Memory::Arena(offset) => (0, offset as i64),
        Memory::State(s) => (1 + s as usize, 0),
    };
    let whole = |buffer: BufferId, write: bool| {
        let (region, offset) = locate(buffer);
        Touch { region, first: offset, last: offset + memories.buffers[buffer].elements as i64 - 1, write }
    };
    // What lies at some places along one axis, and at all along others.
    let part = |spot: &Spot, along: isize, own: (usize, usize), rest: &mut dyn Iterator<Item = (usize, isize)>, write| {
        let (region, offset) = locate(spot.buffer);
        let start = offset + spot.offset + own.0 as i64 * along as i64;
        let axes = std::iter::once((own.1 - own.0, along)).chain(rest);
        let ends = axes.map(|(extent, stride)| (extent as i64 - 1).max(0) * stride as i64);
        let (lo, hi) = ends.fold((0, 0), |(lo, hi), end| (lo + end.min(0), hi + end.max(0)));
        Touch { region, first: start + lo, last: start + hi, write }
    };
    let (kernel, args, parts) = match &step.work {
        StepWork::Dot(spec, [a, b, c]) if !spec.rows.is_empty() => {
            let rows = spec.rows[worker];
            if rows.0 == rows.1 {
                return vec![];
            }
            return vec![
                part(a, spec.m[0].a, rows, &mut spec.k.iter().map(|k| (k.extent, k.a)), false),
                whole(b.buffer, false),
                part(c, spec.m[0].c, rows, &mut spec.n.iter().map(|n| (n.extent, n.c)), true),
            ];
        }
        StepWork::Conv(spec, [x, w, out]) if !spec.parts.is_empty() => {
            let samples = spec.parts[worker];
            if samples.0 == samples.1 {
                return vec![];
            }
            let of_image = [(spec.groups.extent, spec.groups.a), (spec.channels.extent, spec.channels.a)];
            let of_result = [(spec.groups.extent, spec.groups.c), (spec.features.extent, spec.features.c)];
            let mut image = of_image.into_iter().chain(spec.spatial.iter().map(|s| (s.input, s.x)));
            let mut result = of_result.into_iter().chain(spec.spatial.iter().map(|s| (s.output, s.out)));
            return vec![
                part(x, spec.samples.a, samples, &mut image, false),
                whole(w.buffer, false),
                part(out, spec.samples.c, samples, &mut result, true),
            ];
        }
        StepWork::Dot(_, [a, b, c]) | StepWork::Conv(_, [a, b, c]) => {
            return vec![whole(a.buffer, false), whole(b.buffer, false), whole(c.buffer, true)];
        }
        StepWork::Kernel { kernel, args, parts } => (&kernels[*kernel], args, parts),
    };
    let Some((begin, end)) = parts[worker] else { return vec![] };
    let mut extents = kernel.extents();
    let mut shift = 0;
    if let Some(p) = kernel.parallel {
        extents[p] = (end - begin).max(1);
        shift = begin as i64;
    }
    extents.iter_mut().for_each(|e| *e = (*e).max(1));
    let touch = |access: &Access, indexed: bool, write: bool| {
        let arg = args[access.param];
        if indexed {
            return whole(arg.buffer, write);
        }
        let (region, offset) = locate(arg.buffer);
        let offset = offset + arg.offset + (arg.per_worker * worker) as i64;
        let (lo, hi) = access.at.range(&extents);
        let moved = kernel.parallel.map_or(0, |p| access.at.coefs[p] * shift);
        Touch { region, first: offset + lo + moved, last: offset + hi + moved, write }
    };
    let reads = kernel.body.iter().filter_map(|inst| match inst {
        Inst::Load(access, _) => Some(touch(access, false, false)),
        Inst::LoadAt { access, .. } => Some(touch(access, true, false)),
        _ => None,
    });
    let stores = kernel.stores.iter().map(|s| touch(&s.access, s.index.is_some(), true));
    let results = kernel.reductions.iter().map(|r| touch(&r.access, false, true));
    reads.chain(stores).chain(results).collect()
}

fn summarise(steps: &[Step], kernels: &[Kernel], (arena, bound): (usize, usize)) -> PlanSummary {
    let mut summary = PlanSummary {
        distinct_kernels: kernels.len(),
        arena_bytes: 4 * arena,
        arena_bound_bytes: 4 * bound,
        barriers: steps.iter().filter(|s| s.barrier).count(),
        ..PlanSummary::default()
    };
    for step in steps {
        match &step.work {
            StepWork::Kernel { kernel, .. } => {
                let kernel = &kernels[*kernel];
                summary.kernels += 1;
                let work: usize = kernel.body.iter().map(super::work_of).sum();
                summary.kernel_operations += work * kernel.iterations();
                for at in kernel.affines() {
                    let moved = at.coefs.iter().zip(&kernel.axes).filter(|(c, _)| **c != 0).map(|(_, a)| a.extent);
                    summary.kernel_bytes += 4 * moved.product::<usize>();
                }
            }
            work @ (StepWork::Dot(..) | StepWork::Conv(..)) => {
                summary.contractions += 1;
                summary.contraction_flops += work.contraction_flops();
            }
        }
    }
    summary
}
