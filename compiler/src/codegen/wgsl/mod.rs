//! Plans as WGSL compute shaders.
//!
//! In: a [`Plan`] for one worker. Out: a [`Program`]: distinct shaders, and dispatches in order, each with a shader, a grid and the places
//! of its parameters. A step of the plan is one dispatch, or two where a long sum is cut. Nothing here talks to a device; every
//! shader is checked by naga, so that what a device's driver gets is well formed.
//!
//! What always holds: accesses stay inside of their buffers, as the plan's do; barriers stand where all invocations of a
//! workgroup come; within a dispatch no invocation reads or writes what another one writes; at most three storage buffers, 256
//! invocations and 16 KiB of workgroup memory are asked for.

mod body;
mod conv;
mod dot;
mod kernel;
mod product;
#[cfg(test)]
mod tests;
mod text;
mod tile;

pub use text::Region;
pub use tile::{Choice, Tile};

use crate::plan::{BufferId, FEW, Memory, Plan, Step, StepWork};
use crate::{Error, Result};
use product::{Finish, Kind, Product};
use std::collections::BTreeMap;

/// How shaders are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Terms of a product's sums that stand one after the other in the text; 1 to 16.
    pub unroll: usize,
    /// The tile of every product.
    pub tile: Option<Tile>,
    /// If there is no such, the tiles of products by [`Choice::product`]; of others it is chosen by size.
    pub tiles: BTreeMap<String, Tile>,
    /// The number of segments of every sum; chosen by length if not given.
    pub segments: Option<usize>,
    /// Whether the device has subgroups: invocations that exchange values without memory.
    pub subgroups: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { unroll: 16, tile: None, tiles: BTreeMap::new(), segments: None, subgroups: false }
    }
}

/// A shader as it is written.
pub(crate) struct Source {
    text: String,
    groups: [usize; 3],
    /// Elements of scratch that it writes.
    scratch: usize,
}

/// Where a parameter's first element lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// In the arena, at this element.
    Arena(usize),
    /// In this state, at this element of it.
    State(u32, usize),
    /// Among the inputs, at this element.
    Input(usize),
}

impl Site {
    fn region(self) -> Region {
        match self {
            Site::Arena(_) => Region::Arena,
            Site::State(..) => Region::States,
            Site::Input(_) => Region::Inputs,
        }
    }

    /// States and inputs begin at multiples of four elements.
    fn aligned(self) -> bool {
        let (Site::Arena(at) | Site::State(_, at) | Site::Input(at)) = self;
        at % 4 == 0
    }
}

/// One run of a shader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Index into [`Program::shaders`].
    pub shader: usize,
    /// Number of workgroups along each dimension.
    pub groups: [u32; 3],
    /// Places of its parameters, in the order of the shader's record.
    pub params: Vec<Site>,
    /// The plan's step that it belongs to.
    pub step: usize,
}

/// A plan as shaders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Distinct shaders, as text. The entry point is `main`.
    pub shaders: Vec<String>,
    /// What is run, in order; each waits for those before.
    pub dispatches: Vec<Dispatch>,
    /// The products that have tiles, in order.
    pub choices: Vec<Choice>,
    /// For each input of the graph its place among the inputs, if anything reads it.
    pub inputs: Vec<Option<usize>>,
    /// Elements of all inputs.
    pub inputs_elements: usize,
    /// Elements of the arena, scratch included.
    pub arena: usize,
}

/// The most elements that a buffer may have, for addresses to be 32-bit integers.
const MOST_ELEMENTS: usize = 1 << 31;

/// Writes a plan's shaders and checks each.
///
/// # Errors
/// [`Error::Codegen`] when a shader is not well formed, which is a fault of this compiler, or when the plan is too large for any device.
pub fn lower(plan: &Plan, options: &Options) -> Result<Program> {
    let mut writer = Writer::new(plan, options);
    for (number, step) in plan.steps.iter().enumerate() {
        writer.step(number, step)?;
    }
    let mut program = writer.program;
    // The scratch lies behind the arena.
    program.arena += writer.scratch;
    if program.arena.max(program.inputs_elements) >= MOST_ELEMENTS {
        return Err(Error::codegen(format!("the program needs {} elements of memory at once", program.arena)));
    }
    for (number, shader) in program.shaders.iter().enumerate() {
        validate(shader).map_err(|message| Error::codegen(format!("shader {number}: {message}\n{shader}")))?;
    }
    Ok(program)
}

/// Checks a shader.
///
/// # Errors
/// What naga says.
pub fn validate(shader: &str) -> std::result::Result<(), String> {
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    let module = naga::front::wgsl::parse_str(shader).map_err(|e| e.emit_to_string(shader))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP);
    validator.validate(&module).map(|_| ()).map_err(|e| e.emit_to_string(shader))
}

/// What a step's shaders depend on.
type Key = (String, Vec<Region>, Vec<bool>);

struct Writer<'a> {
    plan: &'a Plan,
    options: &'a Options,
    program: Program,
    scratch: usize,
    /// For each buffer that holds an input its place among them.
    inputs: BTreeMap<BufferId, usize>,
    texts: BTreeMap<String, usize>,
    /// Shaders of a step that was like another: shader, grid, elements of scratch.
    known: BTreeMap<Key, Vec<(usize, [usize; 3], usize)>>,
}

impl<'a> Writer<'a> {
    fn new(plan: &'a Plan, options: &'a Options) -> Writer<'a> {
        let mut program = Program { arena: plan.arena.next_multiple_of(4), ..Program::default() };
        let mut inputs = BTreeMap::new();
        for buffer in &plan.inputs {
            program.inputs.push(buffer.map(|_| program.inputs_elements));
            if let Some(buffer) = buffer {
                inputs.insert(*buffer, program.inputs_elements);
                program.inputs_elements += plan.buffers[*buffer].elements.next_multiple_of(4);
            }
        }
        Writer { plan, options, program, scratch: 0, inputs, texts: BTreeMap::new(), known: BTreeMap::new() }
    }

    fn site(&self, buffer: BufferId, offset: i64) -> Result<Site> {
        let offset = usize::try_from(offset).map_err(|_| Error::codegen("an operand begins before its buffer"))?;
        if let Some(at) = self.inputs.get(&buffer) {
            return Ok(Site::Input(at + offset));
        }
        Ok(match self.plan.buffers[buffer].memory {
            Memory::Arena(at) => Site::Arena(at + offset),
            Memory::State(s) => Site::State(s, offset),
        })
    }

    fn step(&mut self, number: usize, step: &Step) -> Result<()> {
        let work = &step.work;
        let mut places: Vec<(BufferId, i64)> = match work {
            StepWork::Kernel { args, .. } => args.iter().map(|a| (a.buffer, a.offset)).collect(),
            StepWork::Dot(_, spots) | StepWork::Conv(_, spots) => spots.iter().map(|s| (s.buffer, s.offset)).collect(),
        };
        places.extend(step.epilogue.iter().flat_map(|epilogue| &epilogue.args).map(|a| (a.buffer, a.offset)));
        let mut sites = places.into_iter().map(|(buffer, offset)| self.site(buffer, offset)).collect::<Result<Vec<_>>>()?;
        let swapped = match work {
            StepWork::Dot(spec, _) => {
                dot::exchanged(spec).map(|spec| StepWork::Dot(spec, [crate::plan::Spot { buffer: 0, offset: 0 }; 3]))
            }
            _ => None,
        };
        if swapped.is_some() {
            sites.swap(0, 1);
        }
        let work = swapped.as_ref().unwrap_or(work);
        let regions: Vec<Region> = sites.iter().map(|site| site.region()).collect();
        let aligned: Vec<bool> = sites.iter().map(|site| site.aligned()).collect();
        let finish = self.finish(step);
        let product = self.product(work, &finish, &aligned);
        self.program.choices.extend(product.as_ref().map(|product| product.choice(number, self.options)));
        let mut form = match work {
            StepWork::Kernel { kernel, .. } => format!("kernel {kernel}"),
            StepWork::Dot(spec, _) => {
                format!("{:?}", crate::plan::DotSpec { reused: [false; 2], rows: vec![], ..spec.clone() })
            }
            StepWork::Conv(spec, _) => format!("{spec:?}"),
        };
        if let (Some(finish), Some(epilogue)) = (&finish, &step.epilogue) {
            form += &format!(" {} {} {} {}", epilogue.kernel, finish.param, finish.offset, finish.kept);
        }
        let key = (form, regions, aligned);
        if !self.known.contains_key(&key) {
            let sources = self.sources(work, product, &key.1, &key.2)?;
            let mut shaders = Vec::with_capacity(sources.len());
            for Source { text, groups, scratch } in sources {
                let next = self.program.shaders.len();
                let shader = *self.texts.entry(text.clone()).or_insert(next);
                if shader == next {
                    self.program.shaders.push(text);
                }
                shaders.push((shader, groups, scratch));
            }
            self.known.insert(key.clone(), shaders);
        }
        let shaders = self.known.get(&key).map_or(&[][..], Vec::as_slice);
        let scratch: usize = shaders.iter().map(|(_, _, scratch)| scratch).sum();
        if scratch > 0 {
            sites.push(Site::Arena(self.program.arena));
            self.scratch = self.scratch.max(scratch);
        }
        for (shader, groups, _) in shaders {
            let too_many = |_| Error::codegen("a kernel needs more workgroups than any device runs");
            let mut grid = [0; 3];
            for (to, from) in grid.iter_mut().zip(groups) {
                *to = u16::try_from(*from).map_err(too_many)?.into();
            }
            self.program.dispatches.push(Dispatch { shader: *shader, groups: grid, params: sites.clone(), step: number });
        }
        Ok(())
    }

    /// A step's epilogue, with its parameters behind the product's.
    fn finish(&self, step: &Step) -> Option<Finish> {
        let (epilogue, StepWork::Dot(_, spots) | StepWork::Conv(_, spots)) = (step.epilogue.as_ref()?, &step.work) else {
            return None;
        };
        let mut kernel = self.plan.kernels[epilogue.kernel].clone();
        kernel.accesses_mut().into_iter().for_each(|access| access.param += spots.len());
        Some(Finish { kernel, param: epilogue.param + spots.len(), offset: spots[2].offset, kept: epilogue.kept })
    }

    /// The product in tiles that a step is, if it is one.
    fn product(&self, work: &StepWork, finish: &Option<Finish>, aligned: &[bool]) -> Option<Product> {
        let product = match work {
            StepWork::Kernel { .. } => return None,
            StepWork::Dot(spec, _) => dot::product(spec, aligned),
            StepWork::Conv(spec, _) => conv::product(spec, aligned),
        };
        let product = Product { finish: finish.clone(), ..product };
        let [m, n, _] = product.size;
        // A matrix times a vector is a reduction, limited by how fast the matrix is read.
        let slim = product.kind == Kind::Dot && m.min(n) <= FEW && !product.accumulate && product.finish.is_none();
        (product.batch * m * n > 0 && !slim).then_some(product)
    }

    fn sources(
        &self,
        work: &StepWork,
        product: Option<Product>,
        regions: &[Region],
        aligned: &[bool],
    ) -> Result<Vec<Source>> {
        let nest = |kernel: &crate::plan::Kernel| {
            if kernel.axes.iter().any(|axis| axis.extent == 0 && !axis.reduced) {
                return Ok(vec![]);
            }
            let layout = kernel::layout(kernel, regions.to_vec(), aligned.to_vec());
            kernel::Writer::new(kernel, layout, self.options).sources()
        };
        match (product, work) {
            (Some(product), _) => {
                let layout =
                    text::Layout { width: 1, regions: regions.to_vec(), aligned: aligned.to_vec(), vectors: vec![] };
                product.sources(layout, self.options)
            }
            (None, StepWork::Kernel { kernel, .. }) => nest(&self.plan.kernels[*kernel]),
            (None, StepWork::Dot(spec, _)) => nest(&kernel::product(spec)),
            // A convolution without results.
            (None, StepWork::Conv(..)) => Ok(vec![]),
        }
    }
}
