//! Compiled programs on the device.

use super::memory;
use super::shared::Shared;
use super::state::GpuStates;
use super::timer::{self, Timer};
use crate::device::host::{self, HostSlice};
use crate::{Error, Result};
use saddlepoint_compiler::codegen::wgsl::{self, Program, Site};
use saddlepoint_compiler::ir::{Graph, Slot};
use saddlepoint_compiler::plan::{self, Plan, PlanSummary};
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wgpu::util::DeviceExt;

/// Bytes between the records of dispatches: a multiple of this.
const RECORD: usize = 256;

/// A program, ready to run.
pub struct GpuExecutable {
    shared: Arc<Shared>,
    plan: Plan,
    program: Program,
    inputs: Vec<Slot>,
    states: Vec<Slot>,
    /// One a shader.
    pipelines: Vec<wgpu::ComputePipeline>,
    /// What the host gives.
    given: wgpu::Buffer,
    /// What the host may ask for, after a run: one output behind the other.
    results: wgpu::Buffer,
    /// For each output its place in the arena, its place among the results, and its size, in elements.
    kept: Vec<(usize, usize, usize)>,
    /// Bytes of a record.
    record: usize,
    bound: Option<Bound>,
    /// The words of a run's inputs.
    words: Vec<u32>,
    /// Tells its runs from those of other programs.
    identity: NonZeroU64,
}

/// What depends on where arena and states are.
struct Bound {
    key: (u64, [u64; 2], Vec<usize>),
    memory: wgpu::BindGroup,
    records: wgpu::BindGroup,
}

/// A number that no other program of the process has.
fn identity() -> NonZeroU64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or(NonZeroU64::MIN)
}

impl GpuExecutable {
    pub(super) fn new(shared: Arc<Shared>, graph: &Graph, plan: Plan, program: Program) -> Result<GpuExecutable> {
        let pipelines = program.shaders.iter().map(|shader| shared.pipeline(shader)).collect();
        shared.check()?;
        let mut kept = Vec::with_capacity(plan.outputs.len());
        let mut elements = 0;
        for output in &plan.outputs {
            let buffer = &plan.buffers[output.buffer];
            let plan::Memory::Arena(at) = buffer.memory else {
                return Err(Error::device(format!("internal: the result {} is not in the arena", output.name)));
            };
            kept.push((at, elements, buffer.elements));
            elements += buffer.elements;
        }
        let longest = program.dispatches.iter().map(|d| d.params.len()).max().unwrap_or(0);
        Ok(GpuExecutable {
            given: memory::words(&shared.device, "inputs", program.inputs_elements)?,
            results: memory::words(&shared.device, "results", elements)?,
            inputs: graph.inputs.clone(),
            states: graph.states.clone(),
            pipelines,
            kept,
            record: (16 + 16 * longest.div_ceil(4).max(1)).next_multiple_of(RECORD),
            bound: None,
            words: Vec::new(),
            identity: identity(),
            shared,
            plan,
            program,
        })
    }

    /// Records a run: inputs in the order of the graph's inputs, states by name. Does not wait for it.
    ///
    /// # Errors
    /// [`Error::Device`] when inputs or states are missing or of another type than the graph declares, or there is no memory; nothing has
    /// changed then. Or when the device has failed.
    pub fn run(&mut self, states: &mut GpuStates, inputs: &[HostSlice<'_>]) -> Result<()> {
        self.run_with(states, inputs, None)
    }

    fn run_with(&mut self, states: &mut GpuStates, inputs: &[HostSlice<'_>], timer: Option<&Timer>) -> Result<()> {
        host::check(&self.inputs, inputs)?;
        self.shared.check()?;
        self.bind(states)?;
        let Some(bound) = &self.bound else { return Ok(()) };
        self.words.clear();
        for ((slot, values), place) in self.inputs.iter().zip(inputs).zip(&self.program.inputs) {
            if let Some(place) = place {
                self.words.resize(*place, 0);
                host::words(slot, values, &mut self.words);
            }
        }
        let (arena, _) = self.shared.arena(self.program.arena)?;
        let mut stream = self.shared.stream();
        let uploaded = stream.upload(&self.shared.device, &self.given, 0, &self.words);
        self.shared.check()?;
        uploaded?;
        let stamps = match timer {
            None => stream.clock.as_mut().and_then(|clock| clock.start(self.identity)),
            Some(_) => None,
        };
        let encoder = stream.encoder(&self.shared.device);
        match timer {
            None => {
                let timestamp_writes = stamps.as_ref().map(|(set, first)| timer::writes(set, *first));
                let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
                self.record(bound, &mut encoder.begin_compute_pass(&descriptor), 0..self.program.dispatches.len());
            }
            Some(timer) => {
                for (number, dispatches) in self.of_steps().into_iter().enumerate() {
                    let timestamp_writes = Some(timer.writes(number));
                    let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
                    self.record(bound, &mut encoder.begin_compute_pass(&descriptor), dispatches);
                }
                timer.resolve(encoder);
            }
        }
        for (from, to, elements) in &self.kept {
            let [from, to, size] = [from, to, elements].map(|e| *e as u64 * memory::ELEMENT);
            if size > 0 {
                encoder.copy_buffer_to_buffer(&arena, from, &self.results, to, size);
            }
        }
        stream.ran(&self.shared.queue);
        drop(stream);
        self.shared.check()
    }

    /// Records some of the program's dispatches.
    fn record(&self, bound: &Bound, pass: &mut wgpu::ComputePass<'_>, dispatches: Range<usize>) {
        pass.set_bind_group(0, &bound.memory, &[]);
        let mut current = None;
        for number in dispatches {
            let dispatch = &self.program.dispatches[number];
            if current != Some(dispatch.shader) {
                pass.set_pipeline(&self.pipelines[dispatch.shader]);
                current = Some(dispatch.shader);
            }
            pass.set_bind_group(1, &bound.records, &[(number * self.record) as u32]);
            let [x, y, z] = dispatch.groups;
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// The dispatches of every step of the plan.
    fn of_steps(&self) -> Vec<Range<usize>> {
        let mut next = 0;
        let dispatches = &self.program.dispatches;
        let steps = (0..self.plan.steps.len()).map(|step| {
            let first = next;
            next += dispatches[first..].iter().take_while(|dispatch| dispatch.step == step).count();
            first..next
        });
        steps.collect()
    }

    /// Runs the program once and measures every one of [`GpuExecutable::parts`] by the device's own clock: seconds from its beginning to
    /// its end.
    ///
    /// # Errors
    /// As [`GpuExecutable::run`]; or when the device has no clock, or the program more parts than it can keep times of.
    pub fn profile(&mut self, states: &mut GpuStates, inputs: &[HostSlice<'_>]) -> Result<Vec<f64>> {
        let timer = Timer::new(&self.shared, self.plan.steps.len())?;
        self.run_with(states, inputs, Some(&timer))?;
        timer.seconds(&self.shared)
    }

    /// Makes records and bindings for where arena and states are now.
    fn bind(&mut self, states: &mut GpuStates) -> Result<()> {
        let firsts = self.states.iter().map(|slot| states.first(&slot.name, &slot.ty)).collect::<Result<Vec<_>>>()?;
        let (arena, arena_generation) = self.shared.arena(self.program.arena)?;
        let (buffer, generation) = states.buffer()?;
        let key = (arena_generation, generation, firsts);
        if self.bound.as_ref().is_some_and(|bound| bound.key == key) {
            return Ok(());
        }
        let mut records = vec![0u32; (self.program.dispatches.len() * self.record / 4).max(RECORD / 4)];
        for (record, dispatch) in records.chunks_exact_mut(self.record / 4).zip(&self.program.dispatches) {
            record[..2].copy_from_slice(&[f32::INFINITY.to_bits(), f32::NAN.to_bits()]);
            for (word, site) in record[4..].iter_mut().zip(&dispatch.params) {
                let place = match site {
                    Site::Arena(at) | Site::Input(at) => *at,
                    Site::State(state, at) => key.2[*state as usize] + at,
                };
                *word = u32::try_from(place)
                    .map_err(|_| Error::device("the model has more states than the GPU can address: use a smaller one"))?;
            }
        }
        let device = &self.shared.device;
        let records = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("records"),
            contents: bytemuck::cast_slice(&records),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let entry = |binding: u32, resource| wgpu::BindGroupEntry { binding, resource };
        let group = |layout, entries: &[wgpu::BindGroupEntry<'_>]| {
            device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries })
        };
        let record =
            wgpu::BufferBinding { buffer: &records, offset: 0, size: std::num::NonZeroU64::new(self.record as u64) };
        self.bound = Some(Bound {
            memory: group(
                &self.shared.layouts[0],
                &[
                    entry(0, arena.as_entire_binding()),
                    entry(1, buffer.as_entire_binding()),
                    entry(2, self.given.as_entire_binding()),
                ],
            ),
            records: group(&self.shared.layouts[1], &[entry(0, wgpu::BindingResource::Buffer(record))]),
            key,
        });
        Ok(())
    }

    /// A host output of the last run, row-major; integers and truth values as numbers. `None` when there is none of this name. Waits for
    /// the device.
    ///
    /// # Errors
    /// [`Error::Device`] when the device has failed.
    pub fn result(&self, name: &str) -> Result<Option<Vec<f32>>> {
        let Some(number) = self.plan.outputs.iter().position(|o| o.name == name) else { return Ok(None) };
        let (_, first, elements) = self.kept[number];
        let Shared { device, queue, .. } = &*self.shared;
        let words = self.shared.stream().read(device, queue, &self.results, first, elements);
        self.shared.check()?;
        Ok(Some(host::numbers(&self.plan.outputs[number], &words?)))
    }

    /// Seconds that each of the latest runs took, by the device's own clock; none where it has no clock. Waits for the device.
    ///
    /// # Errors
    /// [`Error::Device`] when the device has failed.
    pub fn times(&self) -> Result<Vec<f64>> {
        let Shared { device, queue, .. } = &*self.shared;
        let times = self.shared.stream().times(device, queue, self.identity);
        self.shared.check()?;
        times
    }

    /// The parts of a run in order: what each step of the plan is, with the tile of a product, and the floating-point operations of a
    /// product or convolution.
    pub fn parts(&self) -> Vec<(String, usize)> {
        let mut choices = self.program.choices.iter().peekable();
        let part = |(number, step): (usize, &plan::Step)| {
            let tile = choices.next_if(|choice| choice.step == number).map(|choice| format!(", tile {}", choice.tile));
            (self.plan.describe(step) + &tile.unwrap_or_default(), step.work.contraction_flops())
        };
        self.plan.steps.iter().enumerate().map(part).collect()
    }

    /// The products that have tiles, in order.
    pub fn choices(&self) -> &[wgsl::Choice] {
        &self.program.choices
    }

    /// The program in numbers.
    pub fn summary(&self) -> PlanSummary {
        self.plan.summary
    }

    /// The plan it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its shaders.
    pub fn shaders(&self) -> &[String] {
        &self.program.shaders
    }
}
