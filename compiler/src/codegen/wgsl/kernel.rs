//! Loop nests as compute shaders.
//!
//! Every iteration of the axes that results keep is an invocation; axes whose order matters are loops in it. A reduction is
//! shared by the invocations of a workgroup: some lie side by side along the axis that memory is contiguous in, the others go down the
//! reduced axes in turns and add up in workgroup memory. A long reduction to few results is cut into segments that further
//! workgroups take; a second shader adds up the segments. The order of every sum is fixed on a device, which decides it where a
//! workgroup's invocations add up in subgroups.

use super::body::Body;
use super::text::{Layout, Region, digits};
use super::{Options, Source};
use crate::Result;
use crate::ir::DType;
use crate::plan::{Access, Affine, Axis, Inst, Kernel, ReduceKind, Reduction, StoreMode};

/// Invocations of a workgroup.
const WORKGROUP: usize = 256;
/// The same for shaders of few invocations.
const SMALL_WORKGROUP: usize = 64;
/// Workgroups that a device should have at least, if a reduction is long enough to be cut.
const WORKGROUPS: usize = 128;
/// Terms that an invocation adds up before a cut pays.
const TERMS: usize = 16;

/// How the iterations of a reduction are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    /// Kept places side by side in a workgroup.
    places: usize,
    /// Invocations that share a place's terms.
    rows: usize,
    /// Segments of the terms, each a workgroup of its own.
    segments: usize,
}

/// What the nest's axes are for.
struct Nest {
    /// Axes of invocations, outermost first, by place in the kernel.
    kept: Vec<usize>,
    /// Axes gone through in order.
    sequential: Vec<usize>,
    /// Axes that are reduced.
    reduced: Vec<usize>,
}

impl Nest {
    fn new(kernel: &Kernel) -> Nest {
        let of = |wanted: &dyn Fn(&Axis) -> bool| (0..kernel.axes.len()).filter(|k| wanted(&kernel.axes[*k])).collect();
        Nest {
            kept: of(&|a| !a.reduced && !a.sequential),
            sequential: of(&|a| !a.reduced && a.sequential),
            reduced: of(&|a| a.reduced),
        }
    }
}

/// A kernel's shaders, in the order in which they run, with what they are written against.
pub struct Writer<'a> {
    kernel: &'a Kernel,
    layout: Layout,
    nest: Nest,
    shares: Option<Shares>,
    subgroups: bool,
}

/// The layout of a kernel whose parameters lie so.
pub fn layout(kernel: &Kernel, regions: Vec<Region>, aligned: Vec<bool>) -> Layout {
    let wide = kernel.vector.is_some_and(|v| {
        let along = |access: &Access| access.at.coefs[v] == 1;
        let axis = kernel.axes[v];
        !axis.sequential
            && axis.extent.is_multiple_of(4)
            && kernel.stores.iter().all(|s| along(&s.access) && s.index.is_none())
    });
    let mut layout = Layout { width: if wide { 4 } else { 1 }, regions, aligned, vectors: vec![] };
    if !wide {
        return layout;
    }
    // A region is seen in vectors where all that is written to it is whole vectors.
    let vector = |access: &Access| Body::aligned(kernel, access, layout.aligned[access.param]);
    let reduced = kernel.vector.is_some_and(|v| kernel.axes[v].reduced);
    let written =
        kernel.stores.iter().map(|s| (s.access.param, s.mode == StoreMode::Set && s.index.is_none() && vector(&s.access)));
    let results = kernel.reductions.iter().map(|r| (r.access.param, !reduced && vector(&r.access)));
    let scalar: Vec<Region> =
        written.chain(results).filter(|(_, whole)| !whole).map(|(param, _)| layout.regions[param]).collect();
    layout.vectors = Region::ALL.into_iter().filter(|region| !scalar.contains(region)).collect();
    layout
}

impl<'a> Writer<'a> {
    /// For a kernel in this layout.
    pub fn new(kernel: &'a Kernel, layout: Layout, options: &Options) -> Writer<'a> {
        let mut writer = Writer { kernel, layout, nest: Nest::new(kernel), shares: None, subgroups: options.subgroups };
        if !kernel.reductions.is_empty() {
            let shares = options.shares(writer.shares());
            if shares.segments > 1 {
                // Partial results go to the scratch, behind the arena, one by one; where that lies is a further parameter.
                writer.layout.regions.push(Region::Arena);
                writer.layout.aligned.push(true);
                writer.layout.vectors.retain(|region| *region != Region::Arena);
            }
            writer.shares = Some(shares);
        }
        writer
    }

    fn extent(&self, axis: usize) -> usize {
        let extent = self.kernel.axes[axis].extent;
        if self.kernel.vector == Some(axis) { extent / self.layout.width } else { extent }
    }

    fn count(&self, axes: &[usize]) -> usize {
        axes.iter().map(|k| self.extent(*k)).product()
    }

    /// Names and extents of axes for [`digits`]; the vector axis is counted in fours.
    fn named(&self, axes: &[usize]) -> Vec<(String, usize)> {
        axes.iter()
            .map(|k| (if self.counted_in_fours(*k) { format!("q{k}") } else { format!("i{k}") }, self.extent(*k)))
            .collect()
    }

    fn counted_in_fours(&self, axis: usize) -> bool {
        self.kernel.vector == Some(axis) && self.layout.width == 4
    }

    /// Statements that make the axes' indices out of a linear one.
    fn indices(&self, linear: &str, axes: &[usize]) -> String {
        let mut text = digits(linear, &self.named(axes));
        for k in axes.iter().filter(|k| self.counted_in_fours(**k)) {
            text += &format!("let i{k} = q{k} * 4;\n");
        }
        text
    }

    /// All instructions, and the stores behind them.
    fn work(&self) -> Result<String> {
        let body = Body { kernel: self.kernel, layout: &self.layout, given: None };
        let mut text = String::new();
        for id in 0..self.kernel.body.len() {
            text += &body.instruction(id)?;
        }
        for (number, store) in self.kernel.stores.iter().enumerate() {
            text += &body.store(store, number);
        }
        Ok(text)
    }

    /// The shaders.
    ///
    /// # Errors
    /// An op without code.
    pub fn sources(&self) -> Result<Vec<Source>> {
        match self.shares {
            None => Ok(vec![self.pointwise()?]),
            Some(shares) => self.reduction(shares),
        }
    }

    fn pointwise(&self) -> Result<Source> {
        let places = self.count(&self.nest.kept);
        let size = if places >= 64 * WORKGROUP { WORKGROUP } else { SMALL_WORKGROUP };
        let groups = groups(places.div_ceil(size));
        let mut text = entry(size);
        text += &self.layout.bases();
        text += &format!("let id = (group.x + group.y * {}u) * {size}u + local;\n", groups[0]);
        text += &format!("if (id >= {places}u) {{ return; }}\n");
        text += &self.indices("id", &self.nest.kept);
        for k in &self.nest.sequential {
            text += &format!("for (var i{k} = 0; i{k} < {}; i{k}++) {{\n", self.extent(*k));
        }
        text += &self.work()?;
        text += &"}\n".repeat(self.nest.sequential.len() + 1);
        Ok(Source { text: self.layout.complete(&text), groups, scratch: 0 })
    }

    fn shares(&self) -> Shares {
        let (kept, terms) = (self.count(&self.nest.kept), self.count(&self.nest.reduced));
        let along = self.kernel.vector.is_some_and(|v| !self.kernel.axes[v].reduced);
        let (places, rows) = match (along, terms) {
            // So many results that every invocation has its own.
            _ if kept >= WORKGROUPS * WORKGROUP && terms <= 4 * TERMS => (SMALL_WORKGROUP, 1),
            (_, 0..=8) => (SMALL_WORKGROUP, 1),
            (true, _) => (32, 8),
            (false, 9..=64) => (8, 32),
            (false, _) => (1, WORKGROUP),
        };
        let workgroups = kept.div_ceil(places);
        let wanted = WORKGROUPS.div_ceil(workgroups.max(1));
        let segments = wanted.min(terms / (rows * TERMS)).max(1);
        Shares { places, rows, segments }
    }

    fn reduction(&self, Shares { places, rows, segments }: Shares) -> Result<Vec<Source>> {
        let (kept, terms) = (self.count(&self.nest.kept), self.count(&self.nest.reduced));
        let size = places * rows;
        let workgroups = kept.div_ceil(places);
        let groups = groups(workgroups * segments);
        let reductions = &self.kernel.reductions;
        let body = Body { kernel: self.kernel, layout: &self.layout, given: None };
        let mut text = String::new();
        if rows > 1 {
            text += &format!("var<workgroup> shared_: array<F, {size}>;\n");
        }
        let subgroups = self.subgroups && places == 1 && rows > 1;
        text += &if subgroups { entry_in_subgroups(size) } else { entry(size) };
        text += &self.layout.bases();
        text += &format!("let number = group.x + group.y * {}u;\n", groups[0]);
        text += &format!("let segment = number / {}u;\n", workgroups.max(1));
        text += &format!("let id = (number % {}u) * {places}u + local % {places}u;\n", workgroups.max(1));
        text += &format!("let row = local / {places}u;\n");
        text += &format!("let here = id < {kept}u && segment < {segments}u;\n");
        text += &self.indices("id", &self.nest.kept);
        for (number, reduction) in reductions.iter().enumerate() {
            text += &format!("var sum{number} = {};\n", nothing(reduction.kind));
        }
        let each = terms.div_ceil(segments);
        // A sum of nothing has no indices to take apart.
        if terms > 0 {
            text += "if (here) {\n";
            text += &format!("let stop = min((segment + 1u) * {each}u, {terms}u);\n");
            text += &format!("for (var t = segment * {each}u + row; t < stop; t += {rows}u) {{\n");
            text += &self.indices("t", &self.nest.reduced);
            text += &self.work()?;
            for (number, reduction) in reductions.iter().enumerate() {
                let sum = format!("sum{number}");
                text += &format!("{sum} = {};\n", combine(reduction.kind, &sum, &format!("v{}", reduction.value)));
            }
            text += "}\n}\n";
        }
        for (number, reduction) in reductions.iter().enumerate() {
            text += &match reduction.kind {
                ReduceKind::Sum if subgroups => sum_of_subgroups(number),
                kind => self.gather(number, kind, places, rows),
            };
        }
        text += "if (here && row == 0u) {\n";
        let reduced_vector = self.kernel.vector.is_some_and(|v| self.kernel.axes[v].reduced) && self.layout.width == 4;
        let width = if reduced_vector { 1 } else { self.layout.width };
        let partial = |number: usize| format!("{number}u * {segments}u * {kept}u + segment * {kept}u + id");
        for (number, reduction) in reductions.iter().enumerate() {
            if reduced_vector {
                let lane = |l: usize| format!("sum{number}[{l}]");
                let pairs = [(0, 1), (2, 3)].map(|(a, b)| combine_scalar(reduction.kind, &lane(a), &lane(b)));
                text += &format!("let total{number} = {};\n", combine_scalar(reduction.kind, &pairs[0], &pairs[1]));
            } else {
                text += &format!("let total{number} = sum{number};\n");
            }
            if segments == 1 {
                text += &self.result(&body, reduction, &format!("total{number}"), reduced_vector);
                continue;
            }
            // The scratch's place is the record's last parameter.
            let base = format!("p{}", self.layout.regions.len() - 1);
            for l in 0..width {
                let lane = if width == 4 { format!("[{l}]") } else { String::new() };
                let at = format!("{base} + i32(({}) * {width}u) + {l}", partial(number));
                text += &format!("a1_set({at}, bitcast<u32>(total{number}{lane}));\n");
            }
        }
        text += "}\n}\n";
        let scratch = if segments == 1 { 0 } else { reductions.len() * segments * kept * width };
        let mut sources = vec![Source { text: self.layout.complete(&text), groups, scratch }];
        if segments > 1 {
            sources.push(self.segments(segments, kept * width, width, &body)?);
        }
        Ok(sources)
    }

    /// Adds up what the rows of a workgroup have come to: in row 0.
    fn gather(&self, number: usize, kind: ReduceKind, places: usize, rows: usize) -> String {
        let mut text = String::new();
        if rows == 1 {
            return text;
        }
        text += &format!("shared_[local] = sum{number};\nworkgroupBarrier();\n");
        let mut half = rows / 2;
        while half > 0 {
            let other = format!("shared_[local + {}u]", half * places);
            text += &format!("if (row < {half}u) {{ shared_[local] = {}; }}\n", combine(kind, "shared_[local]", &other));
            text += "workgroupBarrier();\n";
            half /= 2;
        }
        text += &format!("sum{number} = shared_[local];\nworkgroupBarrier();\n");
        text
    }

    /// The store of a finished reduction.
    fn result(&self, body: &Body<'_>, reduction: &Reduction, value: &str, scalar: bool) -> String {
        if !scalar {
            return body.write(&reduction.access, None, value, DType::F32, StoreMode::Set);
        }
        let region = self.layout.region(reduction.access.param).letter();
        let at = body.affine(&reduction.access.at);
        format!("{region}1_set(p{} + {at}, bitcast<u32>({value}));\n", reduction.access.param)
    }

    /// The shader that adds up segments: one invocation a result.
    fn segments(&self, segments: usize, results: usize, width: usize, body: &Body<'_>) -> Result<Source> {
        let layout = Layout { width: 1, vectors: vec![], ..self.layout.clone() };
        let groups = groups(results.div_ceil(SMALL_WORKGROUP));
        let mut text = entry(SMALL_WORKGROUP);
        text += &layout.bases();
        text += &format!("let id = (group.x + group.y * {}u) * {SMALL_WORKGROUP}u + local;\n", groups[0]);
        text += &format!("if (id >= {results}u) {{ return; }}\n");
        let along = |k: &usize| self.kernel.axes[*k].extent;
        let axes: Vec<(String, usize)> = self.nest.kept.iter().map(|k| (format!("i{k}"), along(k))).collect();
        debug_assert!(width == 1 || self.nest.kept.last() == self.kernel.vector.as_ref());
        text += &digits("id", &axes);
        let base = format!("p{}", layout.regions.len() - 1);
        for (number, reduction) in self.kernel.reductions.iter().enumerate() {
            let first = number * segments * results;
            let term = |s: &str| format!("bitcast<f32>(a1({base} + i32({first}u + {s} * {results}u + id)))");
            text += &format!("var sum{number} = {};\n", nothing(reduction.kind));
            text += &format!("for (var s = 0u; s < {segments}u; s++) {{\n");
            let sum = format!("sum{number}");
            text += &format!("{sum} = {};\n}}\n", combine(reduction.kind, &sum, &term("s")));
            text += &self.result(body, reduction, &sum, true);
        }
        text += "}\n";
        Ok(Source { text: layout.complete(&text), groups, scratch: 0 })
    }
}

impl Options {
    /// Tests cut even short reductions.
    fn shares(&self, shares: Shares) -> Shares {
        match self.segments {
            Some(segments) => Shares { segments, ..shares },
            None => shares,
        }
    }
}

/// The shape of a grid of this many workgroups: along one dimension there are no more than the portable limit.
pub fn groups(count: usize) -> [usize; 3] {
    const MOST: usize = 65_535;
    if count <= MOST { [count.max(1), 1, 1] } else { [MOST, count.div_ceil(MOST), 1] }
}

/// The beginning of an entry point.
pub fn entry(size: usize) -> String {
    format!(
        "@compute @workgroup_size({size})\nfn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {{\n"
    )
}

/// The beginning of an entry point whose invocations know their subgroup.
fn entry_in_subgroups(size: usize) -> String {
    let builtins = "@builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, \
                    @builtin(subgroup_invocation_id) lane: u32";
    entry(size).replace(") {\n", &format!(", {builtins}) {{\n"))
}

/// Adds up what all invocations of a workgroup have come to: within subgroups, then the few that these leave. Not for maxima, of which the
/// device's own may lose a NaN.
fn sum_of_subgroups(number: usize) -> String {
    let sum = format!("sum{number}");
    let mut text = format!("{sum} = subgroupAdd({sum});\nif (lane == 0u) {{ shared_[subgroup] = {sum}; }}\n");
    text += &format!("workgroupBarrier();\n{sum} = shared_[0];\n");
    text += &format!("for (var s = 1u; s < subgroups; s++) {{ {sum} += shared_[s]; }}\nworkgroupBarrier();\n");
    text
}

fn nothing(kind: ReduceKind) -> &'static str {
    match kind {
        ReduceKind::Sum => "F(0.0)",
        ReduceKind::Max => "-infinity()",
    }
}

fn combine(kind: ReduceKind, old: &str, new: &str) -> String {
    match kind {
        ReduceKind::Sum => format!("{old} + {new}"),
        ReduceKind::Max => format!("max_({old}, {new})"),
    }
}

fn combine_scalar(kind: ReduceKind, a: &str, b: &str) -> String {
    match kind {
        ReduceKind::Sum => format!("({a} + {b})"),
        ReduceKind::Max => format!("max({a}, {b})"),
    }
}

/// A contraction with few rows or columns as a nest: its product is a reduction.
pub fn product(spec: &crate::plan::DotSpec) -> Kernel {
    let mut kernel = Kernel { params: 3, ..Kernel::default() };
    let mut coefs: [Vec<i64>; 3] = Default::default();
    let mut axis = |extent: usize, strides: [isize; 3], reduced: bool| {
        kernel.axes.push(Axis { extent, reduced, sequential: false });
        coefs.iter_mut().zip(strides).for_each(|(coefs, stride)| coefs.push(stride as i64));
    };
    spec.batch.iter().for_each(|x| axis(x.extent, [x.a, x.b, x.c], false));
    spec.m.iter().for_each(|x| axis(x.extent, [x.a, 0, x.c], false));
    spec.n.iter().for_each(|x| axis(x.extent, [0, x.b, x.c], false));
    let kept = kernel_len(&coefs);
    let mut axis = |extent: usize, strides: [isize; 2]| {
        kernel.axes.push(Axis { extent, reduced: true, sequential: false });
        coefs.iter_mut().zip([strides[0], strides[1], 0]).for_each(|(coefs, stride)| coefs.push(stride as i64));
    };
    spec.k.iter().for_each(|x| axis(x.extent, [x.a, x.b]));
    let contiguous = |k: usize| coefs.iter().take(2).filter(|c| c[k] == 1).count();
    // Along the axis that most of the operands are contiguous in, the innermost of its kind.
    let candidates = [kept.checked_sub(1), kernel.axes.len().checked_sub(1).filter(|last| *last >= kept)];
    kernel.vector = candidates.into_iter().flatten().max_by_key(|k| contiguous(*k));
    let access = |param: usize| Access { param, at: Affine { offset: 0, coefs: coefs[param].clone() } };
    kernel.body = vec![
        Inst::Load(access(0), DType::F32),
        Inst::Load(access(1), DType::F32),
        Inst::Binary(crate::ir::OpKind::Mul, DType::F32, 0, 1),
    ];
    kernel.reductions = vec![Reduction { kind: ReduceKind::Sum, value: 2, access: access(2) }];
    kernel
}

fn kernel_len(coefs: &[Vec<i64>; 3]) -> usize {
    coefs[0].len()
}
