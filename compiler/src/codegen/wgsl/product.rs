//! Products as compute shaders: C = A·B with tiles in workgroup memory and in registers.
//!
//! In: three [`Operand`]s, which say in text where an element is; what is a product of matrices and what a convolution (an implicit
//! one, whose left matrix is never written out) differs in nothing else. A workgroup computes one tile of C; its invocations
//! bring blocks of 4×4 elements of A and B to workgroup memory, transposing them on the way where memory runs along the summed
//! axis, and keep 8×8 (or 4×4) elements of C in registers. Few tiles with long sums are cut along the sum into segments, which
//! a second shader adds up in order.

use super::body::Body;
use super::kernel::{entry, groups};
use super::text::{Layout, Region};
use super::tile::{Tile, WORKGROUPS};
use super::{Options, Source};
use crate::Result;
use crate::plan::Kernel;

/// Along which of an operand's two axes memory can be read four elements at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// The axis that the result has.
    Free,
    /// The axis that is summed over.
    Summed,
    /// None.
    Neither,
}

/// One of the two factors, in text.
#[derive(Clone, Debug)]
pub struct Operand {
    /// The parameter it is read from.
    pub param: usize,
    /// Statements that compute the address `at: i32`, relative to the parameter's first element, from `batch`, `free` and
    /// `term`, all `u32`; they return `none` where the element is 0.
    pub address: String,
    /// Where vectors of four lie.
    pub along: Along,
}

/// What a product is in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A contraction.
    Dot,
    /// A convolution.
    Conv,
}

/// A product.
#[derive(Clone, Debug)]
pub struct Product {
    /// What it is in the plan.
    pub kind: Kind,
    /// Number of products of this form.
    pub batch: usize,
    /// Rows and columns of the result, and terms of the sums.
    pub size: [usize; 3],
    /// A, whose free axis are the rows.
    pub left: Operand,
    /// B, whose free axis are the columns.
    pub right: Operand,
    /// Statements that compute the address `at: i32` in C from `batch`, `row` and `column`; they return
    /// [`NOWHERE`] for a place that there is not.
    pub target: String,
    /// The parameter that C is written to.
    pub param: usize,
    /// Whether four columns from a multiple of four on are a vector of memory.
    pub vectors: bool,
    /// Whether the product is added to what is there.
    pub accumulate: bool,
    /// What is done with the result at once.
    pub finish: Option<Finish>,
}

/// A kernel that is computed on the result before it is written.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The kernel; its parameters stand behind the product's three.
    pub kernel: Kernel,
    /// Which of them is the result.
    pub param: usize,
    /// Elements from the beginning of the result's buffer to the place of address 0.
    pub offset: i64,
    /// Whether the result itself is written as well.
    pub kept: bool,
}

impl Finish {
    /// The coefficients by which the kernel's axes go through the result.
    fn coefs(&self) -> Option<&[i64]> {
        self.kernel.body.iter().find_map(|inst| match inst {
            crate::plan::Inst::Load(access, _) if access.param == self.param => Some(&access.at.coefs[..]),
            _ => None,
        })
    }

    /// Whether four neighbouring columns can be finished at once.
    fn wide(&self) -> bool {
        let Some((v, coefs)) = self.kernel.vector.zip(self.coefs()) else { return false };
        let along = self.kernel.stores.iter().all(|store| store.access.at.coefs[v] == 1);
        coefs[v] == 1 && self.kernel.axes[v].extent.is_multiple_of(4) && along
    }

    /// The statements that compute the kernel where the result's element `relative` has the value `given_`.
    fn statements(&self, layout: &Layout) -> Result<String> {
        let body = Body { kernel: &self.kernel, layout, given: Some(self.param) };
        let mut text = format!("let place_ = u32(relative + {});\n", self.offset);
        for (k, (axis, coef)) in self.kernel.axes.iter().zip(self.coefs().unwrap_or_default()).enumerate() {
            text += &format!("let i{k} = i32(place_ / {coef}u % {}u);\n", axis.extent);
        }
        for id in 0..self.kernel.body.len() {
            text += &body.instruction(id)?;
        }
        for (number, store) in self.kernel.stores.iter().enumerate() {
            text += &body.store(store, number);
        }
        Ok(text)
    }
}

/// The address of a place that there is not.
pub const NOWHERE: &str = "-2147483647";

/// Terms that a tile takes at a time.
const TERMS: usize = 16;

impl Product {
    /// The shaders, in order.
    ///
    /// # Errors
    /// An op without code in the epilogue.
    pub fn sources(&self, mut layout: Layout, options: &Options) -> Result<Vec<Source>> {
        let [m, n, k] = self.size;
        let tile = self.tile(options);
        let longest = k.div_ceil(4 * TERMS).max(1);
        // By size alone, whatever the tile, so that every tile gives the same sums.
        let cut = WORKGROUPS / self.workgroups(self.suggested()).max(1);
        let segments = options.segments.unwrap_or(cut.clamp(1, longest));
        let results = self.batch * m * n;
        if segments > 1 {
            // The partial results.
            layout.regions.push(Region::Arena);
            layout.aligned.push(true);
        }
        let wide = self.vectors && self.finish.as_ref().is_none_or(Finish::wide);
        let whole = n.is_multiple_of(4) && (segments > 1 || wide);
        if segments == 1 && whole && self.finish.is_some() {
            layout.width = 4;
        }
        // A region is seen in vectors where all that is written to it is whole vectors.
        let mut scalar = Vec::new();
        if segments > 1 {
            scalar.extend((!whole).then_some(Region::Arena));
        } else {
            scalar.extend((!whole && self.keeps()).then_some(layout.regions[self.param]));
            for (finish, store) in
                self.finish.iter().flat_map(|finish| finish.kernel.stores.iter().map(move |s| (finish, s)))
            {
                let param = store.access.param;
                let vector = whole && Body::aligned(&finish.kernel, &store.access, layout.aligned[param]);
                scalar.extend((!vector).then_some(layout.regions[param]));
            }
        }
        layout.vectors = Region::ALL.into_iter().filter(|region| !scalar.contains(region)).collect();
        let mut sources = vec![self.main(&layout, tile, segments, whole, options)?];
        if segments > 1 {
            sources[0].scratch = segments * results;
            sources.push(self.combine(layout, segments, results)?);
        }
        Ok(sources)
    }

    fn main(&self, layout: &Layout, tile: Tile, segments: usize, whole: bool, options: &Options) -> Result<Source> {
        let [m, n, k] = self.size;
        let (rows4, columns4, blocks) = (tile.rows / 4, tile.columns / 4, tile.blocks);
        let threads = tile.invocations();
        let each = k.div_ceil(segments).next_multiple_of(TERMS);
        let mut text = format!("var<workgroup> left_: array<vec4<f32>, {}>;\n", TERMS * rows4);
        text += &format!("var<workgroup> right_: array<vec4<f32>, {}>;\n", TERMS * columns4);
        let exact = |extent: usize, unit: usize| extent.is_multiple_of(unit);
        text += &self.left.functions("left", layout, m, k, [exact(m, tile.rows), exact(k, TERMS)]);
        text += &self.right.functions("right", layout, n, k, [exact(n, tile.columns), exact(k, TERMS)]);
        text += &self.target_function();
        text += &entry(threads);
        text += &format!("let batch = group.z / {segments}u;\nlet segment = group.z % {segments}u;\n");
        text += &format!("let row0 = group.x * {}u;\nlet column0 = group.y * {}u;\n", tile.rows, tile.columns);
        let across = columns4 / blocks;
        text += &format!("let y = local / {across}u;\nlet x = local % {across}u;\n");
        let each_block = || (0..blocks).flat_map(move |i| (0..4).flat_map(move |r| (0..blocks).map(move |j| (i, r, j))));
        for (i, r, j) in each_block() {
            text += &format!("var c{i}{r}{j} = vec4<f32>(0.0);\n");
        }
        text += &format!("let stop = min({k}u, (segment + 1u) * {each}u);\n");
        text += &format!("for (var k0 = segment * {each}u; k0 < stop; k0 += {TERMS}u) {{\n");
        let (left_blocks, right_blocks) = (rows4 * TERMS / 4, columns4 * TERMS / 4);
        if left_blocks + right_blocks == threads {
            text +=
                &format!("if (local < {left_blocks}u) {{\n{}}} else {{\n", self.left.stage("left", "row0", rows4, "local"));
            let own = format!("(local - {left_blocks}u)");
            text += &format!("{}}}\n", self.right.stage("right", "column0", columns4, &own));
        } else {
            let sides = [
                (&self.left, "left", "row0", rows4, left_blocks),
                (&self.right, "right", "column0", columns4, right_blocks),
            ];
            for (operand, name, first, places, blocks) in sides {
                for round in 0..blocks.div_ceil(threads) {
                    let own = format!("(local + {}u)", round * threads);
                    let guard = match (round + 1) * threads > blocks {
                        true => format!("if ({own} < {blocks}u) "),
                        false => String::new(),
                    };
                    text += &format!("{guard}{{\n{}}}\n", operand.stage(name, first, places, &own));
                }
            }
        }
        text += "workgroupBarrier();\n";
        let unroll = options.unroll.clamp(1, TERMS);
        text += &format!("for (var t = 0u; t < {TERMS}u; t += {unroll}u) {{\n");
        for u in 0..unroll {
            text += "{\n";
            for i in 0..blocks {
                let at = format!("(t + {u}u) * {rows4}u + {}u + y", i * rows4 / blocks);
                text += &format!("let a{i} = left_[{at}];\n");
            }
            for j in 0..blocks {
                let at = format!("(t + {u}u) * {columns4}u + {}u + x", j * columns4 / blocks);
                text += &format!("let b{j} = right_[{at}];\n");
            }
            for (i, r, j) in each_block() {
                text += &format!("c{i}{r}{j} = fma(vec4<f32>(a{i}[{r}]), b{j}, c{i}{r}{j});\n");
            }
            text += "}\n";
        }
        text += "}\nworkgroupBarrier();\n}\n";
        for (i, r, j) in each_block() {
            let row = format!("row0 + ({}u + y) * 4u + {r}u", i * rows4 / blocks);
            let column = format!("column0 + ({}u + x) * 4u", j * columns4 / blocks);
            text += &format!("store(batch, segment, {row}, {column}, c{i}{r}{j});\n");
        }
        text += "}\n";
        if segments == 1 {
            text += &self.finish_function(layout)?;
        }
        text += &self.store_function(layout, segments, whole);
        let z = self.batch * segments;
        let groups = [m.div_ceil(tile.rows), n.div_ceil(tile.columns), z];
        Ok(Source { text: layout.complete(&text), groups, scratch: 0 })
    }

    /// Whether the result itself is written.
    fn keeps(&self) -> bool {
        self.finish.as_ref().is_none_or(|finish| finish.kept)
    }

    /// A function that takes one element of the result, or four, to where it belongs, through the epilogue if there is one.
    fn finish_function(&self, layout: &Layout) -> Result<String> {
        let Some(finish) = &self.finish else { return Ok(String::new()) };
        let mut text = String::from("fn finish(relative: i32, given_: F) {\n");
        text += &layout.bases();
        if finish.kept {
            let letter = layout.regions[self.param].letter();
            text += &format!("{letter}{}_set(p{} + relative, bitcast<U>(given_));\n", layout.width, self.param);
        }
        Ok(text + &finish.statements(layout)? + "}\n")
    }

    fn target_function(&self) -> String {
        format!("fn place(batch: u32, row: u32, column: u32) -> i32 {{\n{}return at;\n}}\n", self.target)
    }

    /// A function that stores four columns of a row.
    fn store_function(&self, layout: &Layout, segments: usize, whole: bool) -> String {
        let [m, n, _] = self.size;
        let mut text = String::from("fn store(batch: u32, segment: u32, row: u32, column: u32, value: vec4<f32>) {\n");
        text += &format!("if (row >= {m}u || column >= {n}u) {{ return; }}\n");
        if segments > 1 {
            let last = layout.regions.len() - 1;
            let base = format!("args.at[{}][{}]", last / 4, last % 4);
            let place = format!("((segment * {}u + batch) * {m}u + row) * {n}u + column", self.batch);
            text += &format!("let at = {base} + i32({place});\n");
            text += &four_or_each(n, whole);
            return text + "}\n";
        }
        let letter = layout.regions[self.param].letter().to_string();
        let base = format!("args.at[{}][{}]", self.param / 4, self.param % 4);
        let old = |width: usize, ty: &str| match self.accumulate {
            true => format!(" + bitcast<{ty}>({letter}{width}({base} + relative))"),
            false => String::new(),
        };
        let put = |width: usize, ty: &str, words: &str, value: &str| {
            let value = format!("{value}{}", old(width, ty));
            match self.finish {
                Some(_) => format!("finish(relative, {value});\n"),
                None => format!("{letter}{width}_set({base} + relative, bitcast<{words}>({value}));\n"),
            }
        };
        if whole {
            text += &format!("let relative = place(batch, row, column);\nif (relative == {NOWHERE}) {{ return; }}\n");
            return text + &put(4, "vec4<f32>", "vec4<u32>", "value") + "}\n";
        }
        for lane in 0..4 {
            text += &format!("if (column + {lane}u < {n}u) {{\n");
            text += &format!("let relative = place(batch, row, column + {lane}u);\n");
            let put = put(1, "f32", "u32", &format!("value[{lane}]"));
            text += &format!("if (relative != {NOWHERE}) {{ {put} }}\n}}\n");
        }
        text + "}\n"
    }

    /// The shader that adds up segments: one invocation a result.
    fn combine(&self, layout: Layout, segments: usize, results: usize) -> Result<Source> {
        const SIZE: usize = 64;
        let [m, n, _] = self.size;
        let layout = Layout { width: 1, vectors: vec![], ..layout };
        let groups = groups(results.div_ceil(SIZE));
        let letter = layout.regions[self.param].letter();
        let last = layout.regions.len() - 1;
        let mut text = self.target_function() + &self.finish_function(&layout)?;
        text += &entry(SIZE);
        text += &layout.bases();
        text += &format!("let id = (group.x + group.y * {}u) * {SIZE}u + local;\n", groups[0]);
        text += &format!("if (id >= {results}u) {{ return; }}\n");
        text += &format!("let column = id % {n}u;\nlet row = id / {n}u % {m}u;\nlet batch = id / {}u;\n", n * m);
        text += &format!("let at = place(batch, row, column);\nif (at == {NOWHERE}) {{ return; }}\nvar sum = 0.0;\n");
        text += &format!("for (var s = 0u; s < {segments}u; s++) {{ ");
        text += &format!("sum += bitcast<f32>(a1(p{last} + i32(s * {results}u + id))); }}\n");
        let old = if self.accumulate { format!(" + bitcast<f32>({letter}1(p{} + at))", self.param) } else { String::new() };
        text += &match self.finish {
            Some(_) => format!("finish(at, sum{old});\n}}\n"),
            None => format!("{letter}1_set(p{} + at, bitcast<u32>(sum{old}));\n}}\n", self.param),
        };
        Ok(Source { text: layout.complete(&text), groups, scratch: 0 })
    }
}

/// Stores four columns of partial results at `at`: as one vector, or each of those that there are.
fn four_or_each(columns: usize, whole: bool) -> String {
    if whole {
        return "a4_set(at, bitcast<vec4<u32>>(value));\n".into();
    }
    let each = |lane: usize| {
        format!("if (column + {lane}u < {columns}u) {{ a1_set(at + {lane}, bitcast<u32>(value[{lane}])); }}\n")
    };
    (0..4).map(each).collect()
}

impl Operand {
    /// Functions that read one element, and four along the axis that memory runs in. `exact`: whether the free and the summed axis
    /// have no place outside in any tile.
    fn functions(&self, name: &str, layout: &Layout, free: usize, terms: usize, exact: [bool; 2]) -> String {
        let letter = layout.regions[self.param].letter();
        let base = format!("args.at[{}][{}]", self.param / 4, self.param % 4);
        let (width, ty, call) = match self.along {
            Along::Neither => (1, "f32", format!("bitcast<f32>({letter}1({base} + at))")),
            _ => (4, "vec4<f32>", format!("bitcast<vec4<f32>>({letter}4({base} + at))")),
        };
        let mut text = format!("fn {name}{width}(batch: u32, free: u32, term: u32) -> {ty} {{\nlet none = {ty}(0.0);\n");
        let outside = [("free", free, exact[0]), ("term", terms, exact[1])];
        for (index, extent, _) in outside.into_iter().filter(|(_, _, exact)| !exact) {
            text += &format!("if ({index} >= {extent}u) {{ return none; }}\n");
        }
        text + &self.address + &format!("return {call};\n}}\n")
    }

    /// Brings a block of 4×4 to workgroup memory, where four free places of one term are one vector.
    fn stage(&self, name: &str, first: &str, places: usize, index: &str) -> String {
        let blocks = TERMS / 4;
        let (place, term) = match self.along {
            Along::Summed => (format!("{index} / {blocks}u"), format!("{index} % {blocks}u")),
            _ => (format!("{index} % {places}u"), format!("{index} / {places}u")),
        };
        let mut text = format!("let f4 = {place};\nlet k4 = {term};\nlet f = {first} + f4 * 4u;\nlet k = k0 + k4 * 4u;\n");
        let to = |q: usize| format!("{name}_[(k4 * 4u + {q}u) * {places}u + f4]");
        for q in 0..4 {
            text += &match self.along {
                Along::Free => format!("{} = {name}4(batch, f, k + {q}u);\n", to(q)),
                Along::Summed => format!("let r{q} = {name}4(batch, f + {q}u, k);\n"),
                Along::Neither => {
                    let one = |j: usize| format!("{name}1(batch, f + {j}u, k + {q}u)");
                    format!("{} = vec4<f32>({});\n", to(q), [0, 1, 2, 3].map(one).join(", "))
                }
            };
        }
        if self.along == Along::Summed {
            for q in 0..4 {
                text += &format!("{} = vec4<f32>(r0[{q}], r1[{q}], r2[{q}], r3[{q}]);\n", to(q));
            }
        }
        text
    }
}
