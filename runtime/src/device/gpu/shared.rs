//! The device itself, and what its programs have in common: layouts, pipelines, the arena, the stream of commands.

use super::adapter::{self, Adapter};
use super::memory;
use super::program::GpuExecutable;
use super::stream::{Stream, Traffic};
use super::tune::{self, Tiles};
use crate::{Error, Result};
use saddlepoint_compiler::codegen::wgsl;
use saddlepoint_compiler::ir::{Graph, verify};
use saddlepoint_compiler::plan;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A GPU that runs compiled programs.
pub struct GpuDevice {
    shared: Arc<Shared>,
    options: wgsl::Options,
    /// The tiles of products, if they are measured.
    tiles: Option<Tiles>,
}

/// What all programs of a device use.
pub(super) struct Shared {
    pub adapter: Adapter,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    /// Layout of the three buffers, and of the record of a dispatch.
    pub layouts: [wgpu::BindGroupLayout; 2],
    pipeline_layout: wgpu::PipelineLayout,
    pipelines: Mutex<BTreeMap<String, wgpu::ComputePipeline>>,
    arena: Mutex<Arena>,
    stream: Mutex<Stream>,
    fault: Arc<Mutex<Option<String>>>,
}

/// The arena of all programs: they run one after the other.
#[derive(Default)]
struct Arena {
    buffer: Option<wgpu::Buffer>,
    elements: usize,
    generation: u64,
}

/// A lock that another thread's panic does not close: what it guards is whole after every statement.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GpuDevice {
    /// The best GPU, or the best of those with `name` in their name. Without a name, `SADDLEPOINT_ADAPTER` may give one.
    ///
    /// # Errors
    /// [`Error::Device`] when there is none, or its driver refuses.
    pub fn new(name: Option<&str>) -> Result<GpuDevice> {
        let variable = std::env::var(adapter::VARIABLE).ok().filter(|name| !name.is_empty());
        let (adapter, gpu) = adapter::choose(name.or(variable.as_deref()))?;
        let limits = gpu.limits();
        // Portable limits for what shaders ask; of memory as much as there is.
        let required_limits = wgpu::Limits {
            max_buffer_size: limits.max_buffer_size,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            ..wgpu::Limits::default()
        };
        // Time stamps are for profiles and tiles, subgroups for sums.
        let features = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SUBGROUP;
        let required_features = gpu.features() & features;
        let descriptor =
            wgpu::DeviceDescriptor { label: Some("saddlepoint"), required_features, required_limits, ..Default::default() };
        let (device, queue) = pollster::block_on(gpu.request_device(&descriptor))
            .map_err(|e| Error::device(format!("{adapter} cannot be used: {e}")))?;
        let fault = Arc::new(Mutex::new(None));
        let note = |fault: &Arc<Mutex<Option<String>>>| {
            let fault = fault.clone();
            move |message: String| {
                lock(&fault).get_or_insert(message);
            }
        };
        let (on_error, on_loss) = (note(&fault), note(&fault));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error(error.to_string())));
        device.set_device_lost_callback(move |_, message| on_loss(format!("the device was lost: {message}")));
        let options = wgsl::Options {
            unroll: if adapter.is_hardware() { 16 } else { 2 },
            subgroups: required_features.contains(wgpu::Features::SUBGROUP),
            ..wgsl::Options::default()
        };
        let info = gpu.get_info();
        let described = format!("{adapter} {} {}, shaders of {}", info.driver, info.driver_info, env!("CARGO_PKG_VERSION"));
        let tiles = tune::file(adapter.is_hardware()).map(|file| Tiles::open(file, described));
        let shared = Arc::new(Shared::new(adapter, device, queue, fault));
        Ok(GpuDevice { shared, options, tiles })
    }

    /// Writes shaders in another way; for tests.
    #[doc(hidden)]
    pub fn writing(mut self, options: wgsl::Options) -> GpuDevice {
        self.options = options;
        self
    }

    /// Chooses tiles by measurement, and keeps them in this file; for tests.
    #[doc(hidden)]
    pub fn tuning(mut self, file: std::path::PathBuf) -> GpuDevice {
        self.tiles = Some(Tiles::open(file, self.adapter().to_string()));
        self
    }

    /// The GPU.
    pub fn adapter(&self) -> &Adapter {
        &self.shared.adapter
    }

    /// Compiles a program.
    ///
    /// # Errors
    /// When the graph is not well formed, or this compiler fails on it, or the driver does.
    pub fn compile(&self, graph: &Graph) -> Result<GpuExecutable> {
        verify(graph)?;
        let plan = plan::plan(graph, &plan::Options::device())?;
        // Where nothing can be measured, sizes choose.
        let tuned = self.tiles.as_ref().and_then(|tiles| tiles.options(&self.shared, graph, &plan, &self.options).ok());
        let program = wgsl::lower(&plan, tuned.as_ref().unwrap_or(&self.options))?;
        GpuExecutable::new(self.shared.clone(), graph, plan, program)
    }

    /// States on this device; none yet.
    pub fn states(&self) -> super::GpuStates {
        super::GpuStates::new(self.shared.clone())
    }

    /// Loses the device, as a driver may; for tests.
    #[doc(hidden)]
    pub fn lose(&self) {
        self.shared.device.destroy();
    }

    /// How often host and device met so far.
    pub fn traffic(&self) -> Traffic {
        self.shared.stream().traffic
    }
}

impl Shared {
    fn new(adapter: Adapter, device: wgpu::Device, queue: wgpu::Queue, fault: Arc<Mutex<Option<String>>>) -> Shared {
        let entry = |binding: u32, ty: wgpu::BufferBindingType, has_dynamic_offset: bool| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
            count: None,
        };
        let storage = |read_only: bool| wgpu::BufferBindingType::Storage { read_only };
        let layout = |entries: &[wgpu::BindGroupLayoutEntry]| {
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries })
        };
        let layouts = [
            layout(&[entry(0, storage(false), false), entry(1, storage(false), false), entry(2, storage(true), false)]),
            layout(&[entry(0, wgpu::BufferBindingType::Uniform, true)]),
        ];
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layouts[0]), Some(&layouts[1])],
            immediate_size: 0,
        });
        let stream = Mutex::new(Stream::new(&device));
        let (pipelines, arena) = (Mutex::default(), Mutex::default());
        Shared { adapter, device, queue, layouts, pipeline_layout, pipelines, arena, stream, fault }
    }

    /// The stream of commands.
    pub fn stream(&self) -> MutexGuard<'_, Stream> {
        lock(&self.stream)
    }

    /// The pipeline of a shader.
    pub fn pipeline(&self, shader: &str) -> wgpu::ComputePipeline {
        let mut pipelines = lock(&self.pipelines);
        if let Some(pipeline) = pipelines.get(shader) {
            return pipeline.clone();
        }
        let descriptor = wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(shader.into()) };
        // SAFETY: the shader was written by the compiler from a plan, whose accesses stay inside of their buffers; its loops end.
        let module = unsafe { self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&self.pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Shaders write their workgroup memory before they read it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        pipelines.insert(shader.to_string(), pipeline.clone());
        pipeline
    }

    /// The arena, at least this large, and a number that tells it from the one before.
    pub fn arena(&self, elements: usize) -> Result<(wgpu::Buffer, u64)> {
        let mut arena = lock(&self.arena);
        match &arena.buffer {
            Some(buffer) if arena.elements >= elements => Ok((buffer.clone(), arena.generation)),
            _ => {
                let buffer = memory::words(&self.device, "intermediate values", elements)?;
                arena.generation += 1;
                (arena.elements, arena.buffer) = (elements, Some(buffer.clone()));
                Ok((buffer, arena.generation))
            }
        }
    }

    /// What went wrong on the device since it was made, if anything.
    pub fn check(&self) -> Result<()> {
        match &*lock(&self.fault) {
            None => Ok(()),
            Some(message) => {
                let what = format!("{} failed: {message}; go on from the last checkpoint on another device", self.adapter);
                Err(Error::device(what))
            }
        }
    }
}
