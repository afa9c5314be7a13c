//! Planning: a graph becomes steps over one memory arena, run by all workers together.
//!
//! In: a verified graph and a number of workers. Out: a [`Plan`]: distinct [`Kernel`]s, steps in order (kernels, products,
//! convolutions) with their shares and barriers, and the place of every buffer. The way there, one file a decision:
//!
//! `small` (short products written out) → `sums` (products that are summed) → `analysis` (what is in memory, what is computed together) → `layout` (axis orders), `pieces` (what is written where a concatenation has it) → `units` and `draft` (bodies over
//! [`Affine`] accesses, contraction specifications) → `order` (loops, vector axis, shares) → `schedule` (order of the steps,
//! states written in place, barriers), `epilogues` (kernels that join a product) → `arena` (offsets).
//!
//! What always holds: between two steps without a barrier no worker reads or writes what another one writes; a state is
//! overwritten only where no later step reads its old value; host outputs stay in place until the next run.

mod affine;
mod analysis;
mod arena;
mod contraction;
mod cost;
mod draft;
mod epilogues;
mod kernel;
mod layout;
mod order;
mod pieces;
mod print;
mod schedule;
mod small;
mod sums;
mod units;

pub use affine::Affine;
pub use contraction::{BatchAxis, ContractAxis, ConvSpec, DotSpec, LeftAxis, RightAxis, SpatialAxis};
pub use cost::plan_cost;
pub use draft::BufferId;
pub use epilogues::FEW;
pub use kernel::{Access, Axis, Inst, Kernel, ReduceKind, Reduction, Store, StoreMode, ValueId};
pub use units::Spot;

use crate::ir::{DType, Graph, NodeId, OpKind, Target, row_major_strides};
use crate::rewrite::cost::Rates;
use crate::{Error, Result};
use analysis::Kind;
use draft::{Place, Scene};
use std::collections::BTreeSet;
use units::Work;

/// Where a buffer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// In the arena, at this offset in elements.
    Arena(usize),
    /// It is the graph's state of this index.
    State(u32),
}

/// A piece of memory that steps read and write. Every element has four bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Its size in elements.
    pub elements: usize,
    /// Where it lies.
    pub memory: Memory,
}

/// A buffer handed to a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The buffer.
    pub buffer: BufferId,
    /// The kernel's parameter points to this element of it.
    pub offset: i64,
    /// Elements that each worker's part lies behind the one of the worker before; 0 when all use the same.
    pub per_worker: usize,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepWork {
    /// Runs a kernel.
    Kernel {
        /// Index into [`Plan::kernels`].
        kernel: usize,
        /// Its buffers.
        args: Vec<Arg>,
        /// Begin and end on the kernel's parallel axis for every worker; `None` for a worker that does not run it.
        parts: Vec<Option<(usize, usize)>>,
    },
    /// A product: operands and result.
    Dot(DotSpec, [Spot; 3]),
    /// A convolution: image, kernel and result.
    Conv(ConvSpec, [Spot; 3]),
}

impl StepWork {
    /// Floating-point operations of a product or convolution; 0 for a kernel.
    pub fn contraction_flops(&self) -> usize {
        match self {
            StepWork::Kernel { .. } => 0,
            StepWork::Dot(spec, _) => spec.flops(),
            StepWork::Conv(spec, _) => spec.flops(),
        }
    }
}

/// A kernel that is computed on the result of a product or convolution before that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epilogue {
    /// Index into [`Plan::kernels`].
    pub kernel: usize,
    /// Its buffers.
    pub args: Vec<Arg>,
    /// Which of them is the result.
    pub param: usize,
    /// Whether the result itself is written as well, for others.
    pub kept: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Whether all workers must have finished everything before.
    pub barrier: bool,
    /// What is done.
    pub work: StepWork,
    /// What is done with its result at once, of a product or convolution.
    pub epilogue: Option<Epilogue>,
    /// Nodes whose values it completes.
    pub nodes: Vec<NodeId>,
}

/// A result for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostOutput {
    /// Its name.
    pub name: String,
    /// Where it lies after a run.
    pub buffer: BufferId,
    /// Logical shape.
    pub shape: Vec<usize>,
    /// Stride of each logical axis in elements.
    pub strides: Vec<i64>,
    /// Element type; truth values are 0 or −1.
    pub dtype: DType,
}

/// A planned program.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Number of workers it is made for.
    pub workers: usize,
    /// Distinct kernels.
    pub kernels: Vec<Kernel>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Buffers.
    pub buffers: Vec<Buffer>,
    /// For each input of the graph the buffer (row-major) that the host fills; `None` when nothing needs it.
    pub inputs: Vec<Option<BufferId>>,
    /// Results for the host.
    pub outputs: Vec<HostOutput>,
    /// Size of the arena in elements.
    pub arena: usize,
    /// Elements that are in use at once at least: no arena could be smaller.
    pub arena_bound: usize,
    /// What it is, in numbers.
    pub summary: PlanSummary,
}

/// A plan in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanSummary {
    /// Kernel steps.
    pub kernels: usize,
    /// Distinct kernels.
    pub distinct_kernels: usize,
    /// Products and convolutions.
    pub contractions: usize,
    /// Barriers.
    pub barriers: usize,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// Bytes in use at once at least.
    pub arena_bound_bytes: usize,
    /// Floating-point operations of products and convolutions.
    pub contraction_flops: usize,
    /// The part of them that short products written out in kernels have.
    pub written_out_flops: usize,
    /// Rough operations of kernels.
    pub kernel_operations: usize,
    /// Bytes that kernels read and write.
    pub kernel_bytes: usize,
    /// Estimated picoseconds of a run by the roofline.
    pub time: u64,
    /// Bytes that all steps read and write, what they find in caches included.
    pub bytes: usize,
}

/// Rough machine instructions an instruction of a kernel's body costs.
pub fn work_of(inst: &Inst) -> usize {
    match inst {
        Inst::Const(_) => 0,
        Inst::Unary(OpKind::Exp, ..) => 20,
        Inst::Unary(OpKind::Log, ..) => 30,
        Inst::Unary(OpKind::Tanh | OpKind::Softplus, ..) => 45,
        Inst::Unary(OpKind::Sin, ..) => 60,
        Inst::Unary(OpKind::Sqrt, ..) | Inst::Binary(OpKind::Div, ..) => 4,
        Inst::Rng { .. } => 100,
        Inst::LoadAt { .. } => 12,
        _ => 1,
    }
}

/// A piece of work with what it completes and when it should run.
struct Unit {
    works: Vec<Work>,
    nodes: Vec<NodeId>,
    /// Where ready units compete, the smaller one goes first.
    priority: usize,
}

/// The memory of a plan while it is made.
#[derive(Default)]
struct Memories {
    buffers: Vec<Buffer>,
    /// For each buffer that holds the new value of a state: which.
    new_state: Vec<Option<u32>>,
    /// For each buffer that is a part of another one: that one, and the offset in it in elements.
    part_of: Vec<Option<(BufferId, usize)>>,
}

impl Memories {
    fn add(&mut self, elements: usize, memory: Memory) -> BufferId {
        self.buffers.push(Buffer { elements, memory });
        self.new_state.push(None);
        self.part_of.push(None);
        self.buffers.len() - 1
    }

    fn arena(&mut self, elements: usize) -> BufferId {
        self.add(elements, Memory::Arena(0))
    }

    /// A part of another buffer, known by a name of its own, so that who reads it waits for its own writer alone.
    fn part(&mut self, whole: BufferId, offset: usize, elements: usize) -> BufferId {
        let part = self.arena(elements);
        self.part_of[part] = Some((whole, offset));
        part
    }
}

/// For whom is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of workers; at least one.
    pub workers: usize,
    /// Rough operations from which a kernel is shared out among workers; below, one of them runs it.
    pub share_from: usize,
    /// What the plan's time is estimated by. It decides nothing here.
    pub rates: Rates,
    /// Whether products and convolutions may have epilogues; of one worker only.
    pub epilogues: bool,
}

impl Options {
    /// For a device whose products can have epilogues.
    pub fn device() -> Options {
        Options { epilogues: true, ..Options::new(1) }
    }

    /// For this many workers. Kernels that take less than a few barriers are not shared out.
    pub fn new(workers: usize) -> Options {
        Options { workers: workers.max(1), share_from: 8192, rates: Rates::CPU, epilogues: false }
    }
}

/// Plans a verified graph.
///
/// # Errors
/// [`Error::Codegen`] when the planner contradicts itself: a fault of this compiler.
pub fn plan(graph: &Graph, options: &Options) -> Result<Plan> {
    let small::Expanded { graph, origin, cuts, flops } = small::expand(graph)?;
    let (graph, joined) = sums::join(&graph);
    let mut cuts: BTreeSet<NodeId> = graph.ids().filter(|id| cuts.contains(&joined[id.index()])).collect();
    loop {
        match attempt(&graph, options, &cuts) {
            Ok(plan) => {
                let mut plan = plan?;
                plan.summary.contraction_flops += flops;
                plan.summary.written_out_flops = flops;
                (plan.summary.time, plan.summary.bytes) = plan_cost(&plan, &options.rates);
                for step in &mut plan.steps {
                    step.nodes.iter_mut().for_each(|node| *node = origin[joined[node.index()].index()]);
                    step.nodes.dedup();
                }
                return Ok(plan);
            }
            Err(node) if cuts.insert(node) => {}
            Err(node) => return Err(Error::codegen(format!("%{} cannot be written to memory", node.0))),
        }
    }
}

fn row_major(shape: &[usize]) -> Vec<i64> {
    row_major_strides(shape).into_iter().map(|s| s as i64).collect()
}

/// Plans with these nodes materialised as they are; gives back a further one that must be.
fn attempt(graph: &Graph, options: &Options, cuts: &BTreeSet<NodeId>) -> std::result::Result<Result<Plan>, NodeId> {
    let analysis = analysis::analyse(graph, cuts);
    let orders = layout::axis_orders(graph);
    let mut memories = Memories::default();
    let mut inputs = vec![None; graph.inputs.len()];
    let mut states = vec![None; graph.states.len()];
    let mut places: Vec<Option<Place>> = vec![None; graph.nodes.len()];

    // New values of states go where the state lies, if they are computed element by element.
    for output in &graph.outputs {
        if let Target::State(s) = output.target {
            let (v, ty) = (output.value, graph.ty(output.value));
            let point = analysis::kind(&graph.node(v).op) == Kind::Point && !cuts.contains(&v);
            if point && places[v.index()].is_none() {
                let buffer = memories.arena(ty.elements());
                memories.new_state[buffer] = Some(s);
                places[v.index()] = Some(Place { buffer, strides: row_major(&ty.shape) });
            }
        }
    }
    let mut homes = pieces::homes(graph, &analysis, cuts, &orders);
    homes.retain(|value, _| places[value.index()].is_none());
    for id in graph.ids() {
        let i = id.index();
        if !analysis.live[i] || !analysis.materialised[i] || places[i].is_some() || homes.contains_key(&id) {
            continue;
        }
        let ty = graph.ty(id);
        let (buffer, strides) = match &graph.node(id).op {
            crate::ir::Op::Input(slot) => {
                let buffer = *inputs[*slot as usize].get_or_insert_with(|| memories.arena(ty.elements()));
                (buffer, row_major(&ty.shape))
            }
            crate::ir::Op::State(slot) => {
                let add = || memories.add(ty.elements(), Memory::State(*slot));
                (*states[*slot as usize].get_or_insert_with(add), row_major(&ty.shape))
            }
            _ => (memories.arena(ty.elements()), layout::strides(&ty.shape, &orders[i])),
        };
        places[i] = Some(Place { buffer, strides });
    }
    // A concatenation has its place before its operands get theirs.
    for (value, home) in homes.iter().rev() {
        let Some(whole) = places[home.whole.index()].clone() else { return Err(*value) };
        let strides: Vec<i64> = home.axes.iter().map(|axis| whole.strides[*axis]).collect();
        let span: i64 = graph.shape(*value).iter().zip(&strides).map(|(extent, stride)| (*extent as i64 - 1) * stride).sum();
        let offset = home.start.1 as i64 * whole.strides[home.start.0];
        let elements = if graph.ty(*value).elements() == 0 { 0 } else { span as usize + 1 };
        let buffer = memories.part(whole.buffer, offset as usize, elements);
        places[value.index()] = Some(Place { buffer, strides });
    }

    let scene = Scene { graph, analysis: &analysis, places: &places };
    let mut units = Vec::new();
    for group in &analysis.groups {
        let updates =
            group.roots.iter().any(|r| places[r.index()].as_ref().is_some_and(|p| memories.new_state[p.buffer].is_some()));
        let last = group.roots.iter().map(|r| r.index()).max().unwrap_or(0);
        let priority = if updates { graph.nodes.len() + last } else { last };
        units.push(Unit { works: vec![units::group(&scene, group)?], nodes: group.roots.clone(), priority });
    }
    for id in graph.ids() {
        let op = &graph.node(id).op;
        if !analysis.live[id.index()] || !units::stands_alone(op, cuts.contains(&id)) {
            continue;
        }
        let works = match analysis::kind(op) == Kind::Contract && !cuts.contains(&id) {
            true => units::contraction(&scene, id)?,
            false => units::special(&scene, id, &homes)?,
        };
        units.push(Unit { works, nodes: vec![id], priority: id.index() });
    }
    let mut outputs = Vec::new();
    for (number, output) in graph.outputs.iter().enumerate() {
        let (v, ty) = (output.value, graph.ty(output.value));
        let own = places[v.index()].as_ref();
        let priority = 2 * graph.nodes.len() + number;
        match &output.target {
            Target::State(s) => {
                if own.is_some_and(|p| memories.new_state[p.buffer] == Some(*s)) {
                    continue;
                }
                let buffer = memories.arena(ty.elements());
                memories.new_state[buffer] = Some(*s);
                let to = Place { buffer, strides: row_major(&ty.shape) };
                units.push(Unit { works: vec![units::copy(&scene, v, &to)?], nodes: vec![v], priority });
            }
            Target::Host(name) => {
                let direct = own
                    .filter(|p| analysis::kind(&graph.node(v).op) != Kind::Buffer && memories.new_state[p.buffer].is_none());
                let place = match direct {
                    Some(place) => place.clone(),
                    None => {
                        let to = Place { buffer: memories.arena(ty.elements()), strides: row_major(&ty.shape) };
                        units.push(Unit { works: vec![units::copy(&scene, v, &to)?], nodes: vec![v], priority });
                        to
                    }
                };
                outputs.push(HostOutput {
                    name: name.clone(),
                    buffer: place.buffer,
                    shape: ty.shape.clone(),
                    strides: place.strides,
                    dtype: ty.dtype,
                });
            }
        }
    }
    Ok(schedule::schedule(units, memories, inputs, outputs, options))
}

#[cfg(test)]
mod tests;
