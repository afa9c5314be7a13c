//! Compiled programs: the steps of a plan, run by all workers together.
//!
//! [`CpuDevice::compile`] plans a graph, compiles its kernels and prepares its contractions; [`Executable::run`] fills the
//! inputs in, points every step at its memory and lets the workers go through the steps. A run allocates nothing.
//!
//! What always holds: pointers handed to kernels and contractions lie in the executable's arena or in states whose types were
//! checked in this run, at the offsets that the plan gives; the plan's barriers keep workers from touching what others write.

use super::dot::LINE;
use super::memory::Memory;
use super::state::StateStore;
use super::{ConvPlan, DotPlan, Packing, Worker, Workers};
use crate::device::host::{self, HostSlice};
use crate::{Error, Result};
use saddlepoint_compiler::codegen::clif::{KernelFn, Native};
use saddlepoint_compiler::ir::{DType, Graph, Slot, verify};
use saddlepoint_compiler::plan::{self, Plan, PlanSummary, Spot, StepWork};
use saddlepoint_compiler::rewrite::cost::Rates;
use std::sync::Arc;

/// The processor: worker threads that run compiled programs.
pub struct CpuDevice {
    workers: Arc<Workers>,
    options: plan::Options,
}

impl CpuDevice {
    /// With this many workers; 0 for as many as there are cores.
    ///
    /// # Errors
    /// [`Error::Device`] when threads cannot be started.
    pub fn new(workers: usize) -> Result<CpuDevice> {
        let count = match workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let workers = Workers::new(count).map_err(|e| Error::device(format!("cannot start {count} worker threads: {e}")))?;
        let options = plan::Options { rates: Rates::of_machine(), ..plan::Options::new(count) };
        Ok(CpuDevice { workers: Arc::new(workers), options })
    }

    /// Shares kernels out among workers from this many rough operations on. The default suits the cost of a barrier; tests
    /// share everything.
    pub fn sharing_from(mut self, operations: usize) -> CpuDevice {
        self.options.share_from = operations;
        self
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.workers.count()
    }

    /// Compiles a program.
    ///
    /// # Errors
    /// When the graph is not well formed, or this compiler fails on it.
    pub fn compile(&self, graph: &Graph) -> Result<Executable> {
        verify(graph)?;
        Executable::new(graph, &self.options, self.workers.clone())
    }
}

/// A step with everything it needs to run.
enum Task {
    /// Calls a kernel: pointers from `first` on, the part of each worker.
    Kernel { function: KernelFn, first: usize, params: usize, parts: Vec<Option<(i64, i64)>> },
    /// Packs an operand of several products; its pointer and that of the packed one from `first` on.
    Pack { packing: Packing, first: usize },
    /// A product; operands' and result's pointers from `first` on.
    Dot { plan: Box<DotPlan>, first: usize },
    /// A convolution; likewise.
    Conv { plan: Box<ConvPlan>, first: usize },
}

/// A compiled program with its arena.
pub struct Executable {
    workers: Arc<Workers>,
    plan: Plan,
    inputs: Vec<Slot>,
    states: Vec<Slot>,
    /// The program: whether all workers must have finished everything before, and what is done. Packing comes first.
    tasks: Vec<(bool, Task)>,
    /// For each worker and parameter of a task its place.
    sites: Vec<Site>,
    /// For each worker, the pointers of all tasks, filled in by each run.
    pointers: Vec<*const u8>,
    per_worker: usize,
    arena: Memory,
    /// Operands that several products read, packed.
    packed: Memory,
    /// Keeps the memory behind `scratch_base`.
    _scratch: Memory,
    scratch_base: *mut f32,
    /// Elements of the scratch of each worker.
    scratch_of_worker: usize,
    bases: Vec<*mut u32>,
    /// Owns the code that tasks call.
    _code: Native,
}

// SAFETY: the pointers point into memory that the executable owns, or are rewritten before each use; `run` wants `&mut self`.
unsafe impl Send for Executable {}

/// A place of a program's memory: region (0: the arena, then states, then packed operands) and offset in elements.
type Site = (usize, usize);

/// Operands that are packed before the first step. Nothing overwrites them before the last step that reads them: they are states, and
/// the plan writes a state only where no later step reads its old value.
#[derive(Default)]
struct Packs {
    /// The region of packed operands.
    region: usize,
    /// Where an operand lies, where it is packed, and in which form.
    list: Vec<(Site, Site, Packing)>,
    elements: usize,
}

impl Packs {
    /// Where the operand at this site is packed in this form.
    fn site(&mut self, from: Site, packing: &Packing) -> Site {
        if let Some((_, to, _)) = self.list.iter().find(|(other, _, form)| *other == from && form == packing) {
            return *to;
        }
        let to = (self.region, self.elements);
        self.elements += packing.elements().next_multiple_of(LINE);
        self.list.push((from, to, packing.clone()));
        to
    }
}

/// What workers share during a run.
struct Shared<'a> {
    tasks: &'a [(bool, Task)],
    pointers: &'a [*const u8],
    per_worker: usize,
    scratch: *mut f32,
    scratch_of_worker: usize,
}

// SAFETY: workers only read it; what the pointers lead to is kept apart by the plan's shares and barriers.
unsafe impl Sync for Shared<'_> {}

impl Executable {
    fn new(graph: &Graph, options: &plan::Options, workers: Arc<Workers>) -> Result<Executable> {
        let count = workers.count();
        let plan = plan::plan(graph, options)?;
        let code = Native::compile(&plan.kernels, count)?;
        let mut tasks = Vec::with_capacity(plan.steps.len());
        let mut sites: Vec<Vec<Site>> = vec![Vec::new(); count];
        // A worker's scratch is its own, as long as the longest of its contractions needs.
        let mut scratch = 0;
        let mut packs = Packs { region: 1 + graph.states.len(), ..Packs::default() };
        let locate = |buffer: usize, offset: i64| -> Result<Site> {
            let offset =
                usize::try_from(offset).map_err(|_| Error::device("internal: an operand begins before its buffer"))?;
            Ok(match plan.buffers[buffer].memory {
                plan::Memory::Arena(at) => (0, at + offset),
                plan::Memory::State(s) => (1 + s as usize, offset),
            })
        };
        for step in &plan.steps {
            let first = sites[0].len();
            let mut spots = |spots: &[Spot; 3]| -> Result<()> {
                for spot in spots {
                    let site = locate(spot.buffer, spot.offset)?;
                    sites.iter_mut().for_each(|s| s.push(site));
                }
                Ok(())
            };
            let task = match &step.work {
                StepWork::Kernel { kernel, args, parts } => {
                    for arg in args {
                        for (worker, sites) in sites.iter_mut().enumerate() {
                            sites.push(locate(arg.buffer, arg.offset + (arg.per_worker * worker) as i64)?);
                        }
                    }
                    let parts = parts.iter().map(|p| p.map(|(b, e)| (b as i64, e as i64))).collect();
                    Task::Kernel { function: code.functions()[*kernel], first, params: args.len(), parts }
                }
                StepWork::Dot(spec, operands) => {
                    spots(operands)?;
                    let plan = Box::new(DotPlan::new(spec, count));
                    if let Some((operand, packing)) = plan.packing() {
                        let site = packs.site(sites[0][first + operand], packing);
                        sites.iter_mut().for_each(|s| s[first + operand] = site);
                    }
                    scratch = scratch.max(plan.scratch_of_worker());
                    Task::Dot { plan, first }
                }
                StepWork::Conv(spec, operands) => {
                    spots(operands)?;
                    let plan = Box::new(ConvPlan::new(spec, count));
                    scratch = scratch.max(plan.scratch_of_worker());
                    Task::Conv { plan, first }
                }
            };
            tasks.push((step.barrier, task));
        }
        if !packs.list.is_empty() {
            tasks.iter_mut().take(1).for_each(|(barrier, _)| *barrier = true);
            let packing = packs.list.into_iter().map(|(from, to, packing)| {
                let first = sites[0].len();
                sites.iter_mut().for_each(|s| s.extend([from, to]));
                (false, Task::Pack { packing, first })
            });
            let packing: Vec<_> = packing.collect();
            tasks.splice(0..0, packing);
        }
        let per_worker = sites[0].len();
        let sites = sites.concat();
        let scratch_of_worker = scratch.next_multiple_of(LINE);
        let mut scratch = Memory::zeroed(count * scratch_of_worker);
        Ok(Executable {
            inputs: graph.inputs.clone(),
            states: graph.states.clone(),
            tasks,
            pointers: vec![std::ptr::null(); sites.len()],
            sites,
            per_worker,
            arena: Memory::zeroed(plan.arena),
            packed: Memory::zeroed(packs.elements),
            scratch_base: scratch.as_mut_ptr().cast(),
            scratch_of_worker,
            _scratch: scratch,
            bases: Vec::with_capacity(graph.states.len() + 2),
            _code: code,
            plan,
            workers,
        })
    }

    /// Runs the program once: inputs in the order of the graph's inputs, states by name.
    ///
    /// # Errors
    /// [`Error::Device`] when inputs or states are missing or of another type than the graph declares; nothing has changed then.
    pub fn run(&mut self, states: &mut StateStore, inputs: &[HostSlice<'_>]) -> Result<()> {
        self.prepare(states, inputs)?;
        let shared = self.shared();
        self.workers.run(&|worker| shared.work(worker));
        Ok(())
    }

    /// The parts of a run in order: what each is, as the plan prints it, and the floating-point operations of a product or convolution.
    pub fn parts(&self) -> Vec<(String, usize)> {
        let packing = self.tasks.iter().filter_map(|(_, task)| match task {
            Task::Pack { packing, .. } => {
                Some((format!("packing of {} numbers for several products", packing.elements()), 0))
            }
            _ => None,
        });
        let steps = self.plan.steps.iter().map(|step| (self.plan.describe(step), step.work.contraction_flops()));
        packing.chain(steps).collect()
    }

    /// Runs the program once and measures every one of [`Executable::parts`]: the seconds from its beginning until all workers have
    /// finished it.
    ///
    /// # Errors
    /// As [`Executable::run`].
    pub fn profile(&mut self, states: &mut StateStore, inputs: &[HostSlice<'_>]) -> Result<Vec<f64>> {
        self.prepare(states, inputs)?;
        let shared = self.shared();
        let times = std::sync::Mutex::new(Vec::with_capacity(self.tasks.len()));
        self.workers.run(&|worker| {
            for (_, task) in shared.tasks {
                worker.barrier();
                let begin = std::time::Instant::now();
                shared.task(task, worker);
                worker.barrier();
                if worker.index == 0
                    && let Ok(mut times) = times.lock()
                {
                    times.push(begin.elapsed().as_secs_f64());
                }
            }
        });
        Ok(times.into_inner().unwrap_or_default())
    }

    fn prepare(&mut self, states: &mut StateStore, inputs: &[HostSlice<'_>]) -> Result<()> {
        host::check(&self.inputs, inputs)?;
        self.bases.clear();
        self.bases.push(self.arena.as_mut_ptr());
        for slot in &self.states {
            self.bases.push(states.pointer(&slot.name, &slot.ty)?);
        }
        self.bases.push(self.packed.as_mut_ptr());
        for ((buffer, values), slot) in self.plan.inputs.iter().zip(inputs).zip(&self.inputs) {
            if let Some(plan::Memory::Arena(at)) = buffer.map(|b| self.plan.buffers[b].memory) {
                let to = &mut self.arena.words_mut()[at..at + values.len()];
                match values {
                    HostSlice::F32(v) => to.iter_mut().zip(*v).for_each(|(to, v)| *to = v.to_bits()),
                    HostSlice::I32(v) if slot.ty.dtype == DType::Bool => {
                        to.iter_mut().zip(*v).for_each(|(to, v)| *to = if *v != 0 { u32::MAX } else { 0 });
                    }
                    HostSlice::I32(v) => to.iter_mut().zip(*v).for_each(|(to, v)| *to = *v as u32),
                }
            }
        }
        for (pointer, (region, offset)) in self.pointers.iter_mut().zip(&self.sites) {
            // SAFETY: the plan places the offset inside of the region (or at its end for an empty buffer).
            *pointer = unsafe { self.bases[*region].add(*offset) }.cast_const().cast();
        }
        Ok(())
    }

    /// What workers need; the scratch is theirs until the run ends.
    fn shared(&self) -> Shared<'_> {
        Shared {
            tasks: &self.tasks,
            pointers: &self.pointers,
            per_worker: self.per_worker,
            scratch: self.scratch_base,
            scratch_of_worker: self.scratch_of_worker,
        }
    }

    /// A host output of the last run, row-major; integers and truth values as numbers. `None` when there is none of this name.
    pub fn result(&self, name: &str) -> Option<Vec<f32>> {
        let output = self.plan.outputs.iter().find(|o| o.name == name)?;
        let plan::Memory::Arena(at) = self.plan.buffers[output.buffer].memory else { return None };
        let words = &self.arena.words()[at..at + self.plan.buffers[output.buffer].elements];
        Some(host::numbers(output, words))
    }

    /// The program in numbers.
    pub fn summary(&self) -> PlanSummary {
        self.plan.summary
    }

    /// The plan it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Shared<'_> {
    fn work(&self, worker: Worker<'_>) {
        for (barrier, task) in self.tasks {
            if *barrier {
                worker.barrier();
            }
            self.task(task, worker);
        }
    }

    fn scratch_of(&self, worker: Worker<'_>) -> *mut f32 {
        self.scratch.wrapping_add(worker.index * self.scratch_of_worker)
    }

    fn task(&self, task: &Task, worker: Worker<'_>) {
        let mine = &self.pointers[worker.index * self.per_worker..][..self.per_worker];
        match task {
            Task::Kernel { function, first, params, parts } => {
                let Some((begin, end)) = parts[worker.index] else { return };
                // SAFETY: the pointers are those the plan gives this kernel and worker, `parts` lies in the kernel's parallel
                // axis, and the plan's barriers keep other workers away from what this part touches.
                unsafe { function(mine[*first..*first + *params].as_ptr(), begin, end) }
            }
            Task::Pack { packing, first } => {
                let [from, to] = [0, 1].map(|i| mine[first + i].cast::<f32>());
                // SAFETY: the state is as large as its operands say, the packed memory as the form; shares are apart, and a barrier
                // keeps readers away.
                unsafe { packing.run(from, to.cast_mut(), worker.index, worker.count) }
            }
            Task::Dot { plan, first } => {
                let [a, b, c] = [0, 1, 2].map(|i| mine[first + i].cast::<f32>());
                // SAFETY: the pointers and views are the plan's; the result shares memory with no operand; each worker has a
                // scratch as long as its longest contraction needs.
                unsafe { plan.run(a, b, c.cast_mut(), self.scratch_of(worker), worker.index, worker.count) }
            }
            Task::Conv { plan, first } => {
                let [x, w, out] = [0, 1, 2].map(|i| mine[first + i].cast::<f32>());
                // SAFETY: as for products.
                unsafe { plan.run(x, w, out.cast_mut(), self.scratch_of(worker), worker.index, worker.count) }
            }
        }
    }
}
