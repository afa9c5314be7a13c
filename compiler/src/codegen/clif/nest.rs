//! The loop nest of a kernel in Cranelift IR.
//!
//! In: a [`Kernel`]. Out: a function `(buffers: *const *mut u8, begin: i64, end: i64)` that runs iterations `begin..end` of the
//! kernel's parallel axis. Every value lives in a 128-bit register: along the vector axis four elements are taken at once, the
//! rest one at a time in lane 0, so both go through the same arithmetic and give the same bits.
//!
//! Each instruction is emitted at the outermost depth of the nest where all it depends on is known. Addresses are kept
//! incrementally: one running pointer for each distinct (buffer, coefficients), advanced where an axis is entered.
//!
//! A reduction that keeps the vector axis goes down the reduced axis once for each of its registers. On a long axis that would
//! fetch every row of memory as often; so it goes down a *strip* of rows at a time, for all registers, and carries the sums from strip
//! to strip in the result's own place. Sums are added up in the same order either way.

use super::math::{Math, cast, lanes};
use crate::ir::{DType, Literal, OpKind};
use crate::plan::{Access, Inst, Kernel, ReduceKind, Reduction, StoreMode};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::{FunctionBuilder, Variable};

/// The register type of an element type.
pub fn vector_type(dtype: DType) -> Type {
    match dtype {
        DType::F32 => types::F32X4,
        DType::I32 | DType::Bool => types::I32X4,
    }
}

fn scalar_type(dtype: DType) -> Type {
    match dtype {
        DType::F32 => types::F32,
        DType::I32 | DType::Bool => types::I32,
    }
}

/// Memory of the plan is mapped, so accesses do not trap; rows need not be aligned to 16 bytes.
fn memory() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// Elements of one operand of a strip: a few operands of as many stay in a first-level cache.
const STRIP: usize = 2048;

/// The rows of a reduced axis that are gone through at a time.
#[derive(Clone, Copy)]
struct Strip {
    /// Bounds on the axis (i64).
    start: Value,
    stop: Value,
    /// Whether there is no strip before it (a truth value of an integer comparison).
    first: Value,
}

/// Accumulators of one reduction.
struct Accumulator {
    vectors: Vec<Variable>,
    /// Elements after the last whole vector of a reduced vector axis; only lane 0 counts.
    tail: Variable,
}

/// Emits one kernel.
pub struct Emitter<'k, 'b, 'f> {
    pub(super) b: &'b mut FunctionBuilder<'f>,
    pub(super) kernel: &'k Kernel,
    pub(super) fma: bool,
    begin: Value,
    end: Value,
    /// For each instruction: how many outer axes it needs.
    depth: Vec<usize>,
    /// For each instruction: whether it differs along the vector axis.
    varies: Vec<bool>,
    /// Current value of every axis entered (i64).
    index: Vec<Value>,
    /// Distinct (buffer, coefficients) with their running pointers.
    sites: Vec<(usize, Vec<i64>)>,
    pointers: Vec<Value>,
    values: Vec<Vec<Value>>,
    accumulators: Vec<Accumulator>,
    /// The strip that code is being emitted in, if any.
    strip: Option<Strip>,
    /// Elements of the vector axis that one register holds here: 4 or 1.
    lanes: usize,
    /// Registers side by side along the vector axis.
    copies: usize,
    /// An op that has no code here.
    pub(super) unknown: Option<OpKind>,
}

impl<'k, 'b, 'f> Emitter<'k, 'b, 'f> {
    /// Emits the whole function body into the builder's current block, whose parameters are the function's.
    /// Gives back an op of the body that has no code here, if there is one; the function is then of no use.
    pub fn emit(b: &'b mut FunctionBuilder<'f>, kernel: &'k Kernel, fma: bool, arguments: [Value; 3]) -> Option<OpKind> {
        let mut depth = Vec::with_capacity(kernel.body.len());
        let mut varies = Vec::with_capacity(kernel.body.len());
        for inst in &kernel.body {
            let own = inst.affine().map_or(0, |a| a.coefs.iter().rposition(|c| *c != 0).map_or(0, |k| k + 1));
            let operands = inst.operands();
            depth.push(operands.iter().map(|o| depth[*o]).fold(own, usize::max));
            let own = kernel.vector.is_some_and(|v| inst.affine().is_some_and(|a| a.coefs[v] != 0));
            varies.push(own || operands.iter().any(|o| varies[*o]));
        }
        let mut sites: Vec<(usize, Vec<i64>)> = Vec::new();
        let accesses = kernel.body.iter().filter_map(|inst| match inst {
            Inst::Load(access, _) | Inst::LoadAt { access, .. } => Some(access),
            _ => None,
        });
        let stored = kernel.stores.iter().map(|s| &s.access).chain(kernel.reductions.iter().map(|r| &r.access));
        for access in accesses.chain(stored) {
            if !sites.iter().any(|(p, c)| *p == access.param && *c == access.at.coefs) {
                sites.push((access.param, access.at.coefs.clone()));
            }
        }
        let [buffers, begin, end] = arguments;
        let flags = memory().with_readonly();
        let bases: Vec<Value> = (0..kernel.params).map(|p| b.ins().load(types::I64, flags, buffers, 8 * p as i32)).collect();
        let pointers = sites.iter().map(|(p, _)| bases[*p]).collect();
        let values = vec![Vec::new(); kernel.body.len()];
        let mut emitter = Emitter {
            b,
            kernel,
            fma,
            begin,
            end,
            depth,
            varies,
            index: Vec::new(),
            sites,
            pointers,
            values,
            accumulators: Vec::new(),
            strip: None,
            lanes: 1,
            copies: 1,
            unknown: None,
        };
        emitter.nest(0);
        emitter.unknown
    }

    /// Everything inside of the first `depth` axes.
    fn nest(&mut self, depth: usize) {
        for id in 0..self.kernel.body.len() {
            if self.depth[id] == depth {
                let copies = if self.varies[id] { self.copies } else { 1 };
                self.values[id] = (0..copies).map(|copy| self.instruction(&self.kernel.body[id], copy)).collect();
            }
        }
        let first_reduced = self.kernel.axes.iter().position(|a| a.reduced);
        if first_reduced == Some(depth) {
            self.start_reductions(depth);
        }
        if depth == self.kernel.axes.len() {
            self.stores();
            self.accumulate();
        } else {
            self.axis(depth);
        }
        if first_reduced == Some(depth) {
            self.finish_reductions(depth);
        }
    }

    /// The loops over one axis: for the vector axis several registers, one register, one element at a time.
    fn axis(&mut self, depth: usize) {
        let extent = self.kernel.axes[depth].extent as i64;
        let whole = self.kernel.parallel != Some(depth);
        if self.kernel.vector != Some(depth) {
            let (lo, hi) = match self.strip {
                Some(strip) if self.kernel.vector == depth.checked_sub(1) => (strip.start, strip.stop),
                _ => self.bounds(depth),
            };
            self.run(depth, lo, hi, 1, whole && extent > 0);
            return;
        }
        match self.rows_of_strip(depth) {
            Some(rows) if self.strip.is_none() => self.strips(depth, rows),
            _ => self.vectors(depth),
        }
    }

    /// The first index of an axis and the one behind its last.
    fn bounds(&mut self, depth: usize) -> (Value, Value) {
        if self.kernel.parallel == Some(depth) {
            return (self.begin, self.end);
        }
        let extent = self.kernel.axes[depth].extent as i64;
        (self.b.ins().iconst(types::I64, 0), self.b.ins().iconst(types::I64, extent))
    }

    /// How many rows of the reduced axis behind the vector axis make a strip; `None` where strips gain nothing.
    fn rows_of_strip(&self, vector: usize) -> Option<i64> {
        let axes = &self.kernel.axes;
        let reduced = axes.get(vector + 1).filter(|axis| axis.reduced && !axes[vector].reduced)?;
        let inner: usize = axes[vector + 2..].iter().map(|axis| axis.extent).product();
        let rows = (STRIP / (axes[vector].extent * inner).max(1)).max(1);
        let once = axes[vector].extent <= 4 * self.unroll();
        (!once && rows < reduced.extent).then_some(rows as i64)
    }

    /// The vector axis for one strip of the reduced axis behind it after the other. There is a first strip, if only an empty one: its
    /// results are wanted.
    fn strips(&mut self, depth: usize, rows: i64) {
        let (lo, hi) = self.bounds(depth + 1);
        let (body, exit) = (self.b.create_block(), self.b.create_block());
        let start = self.b.append_block_param(body, types::I64);
        self.b.ins().jump(body, &[BlockArg::Value(lo)]);
        self.b.switch_to_block(body);
        let next = self.b.ins().iadd_imm_s(start, rows);
        let stop = self.b.ins().smin(next, hi);
        let first = self.b.ins().icmp(IntCC::Equal, start, lo);
        self.strip = Some(Strip { start, stop, first });
        self.vectors(depth);
        self.strip = None;
        let more = self.b.ins().icmp(IntCC::SignedLessThan, next, hi);
        self.b.ins().brif(more, body, &[BlockArg::Value(next)], exit, &[]);
        self.b.seal_block(body);
        self.b.seal_block(exit);
        self.b.switch_to_block(exit);
    }

    /// The loops over the vector axis.
    fn vectors(&mut self, depth: usize) {
        let extent = self.kernel.axes[depth].extent as i64;
        let whole = self.kernel.parallel != Some(depth);
        let unroll = self.unroll() as i64;
        let mut at = if whole { self.b.ins().iconst(types::I64, 0) } else { self.begin };
        let mut done = 0;
        let variants = [(4, unroll), (4, 1), (1, 1)];
        for (lanes, copies) in variants.into_iter().skip(usize::from(unroll == 1)) {
            let step = lanes * copies;
            let (stop, certain) = if whole {
                let stop = done + (extent - done) / step * step;
                if stop == done {
                    continue;
                }
                done = stop;
                (self.b.ins().iconst(types::I64, stop), true)
            } else if step == 1 {
                (self.end, false)
            } else {
                let left = self.b.ins().isub(self.end, at);
                let steps = self.b.ins().band_imm_s(left, -step);
                (self.b.ins().iadd(at, steps), false)
            };
            (self.lanes, self.copies) = (lanes as usize, copies as usize);
            self.run(depth, at, stop, step, certain);
            at = stop;
        }
        (self.lanes, self.copies) = (1, 1);
    }

    /// One loop `for index in (lo..hi).step_by(step)`; `certain` when it runs at least once.
    fn run(&mut self, depth: usize, lo: Value, hi: Value, step: i64, certain: bool) {
        let (body, exit) = (self.b.create_block(), self.b.create_block());
        let index = self.b.append_block_param(body, types::I64);
        if certain {
            self.b.ins().jump(body, &[BlockArg::Value(lo)]);
        } else {
            let any = self.b.ins().icmp(IntCC::SignedLessThan, lo, hi);
            self.b.ins().brif(any, body, &[BlockArg::Value(lo)], exit, &[]);
        }
        self.b.switch_to_block(body);
        self.index.push(index);
        let outer = self.pointers.clone();
        for site in 0..self.sites.len() {
            let coef = self.sites[site].1[depth];
            if coef != 0 {
                let bytes = self.b.ins().imul_imm_s(index, 4 * coef);
                self.pointers[site] = self.b.ins().iadd(self.pointers[site], bytes);
            }
        }
        self.nest(depth + 1);
        self.pointers = outer;
        self.index.pop();
        let next = self.b.ins().iadd_imm_s(index, step);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, next, hi);
        self.b.ins().brif(more, body, &[BlockArg::Value(next)], exit, &[]);
        self.b.seal_block(body);
        self.b.seal_block(exit);
        self.b.switch_to_block(exit);
    }

    /// Registers taken side by side: many for short bodies, few for long ones, so that sixteen registers suffice; but two at least, so
    /// that of two chains of operations, as those of a function, one goes on while the other waits.
    fn unroll(&self) -> usize {
        let work: usize = self.kernel.body.iter().map(crate::plan::work_of).sum::<usize>() + self.kernel.stores.len();
        let most = match self.kernel.reductions.len() {
            0 => 4,
            1 => 4,
            2 | 3 => 2,
            _ => 1,
        };
        most.min(match work {
            0..=8 => 4,
            _ => 2,
        })
    }

    pub(super) fn value(&self, id: usize, copy: usize) -> Value {
        if self.varies[id] { self.values[id][copy] } else { self.values[id][0] }
    }

    pub(super) fn differs(&self, id: usize) -> bool {
        self.varies[id]
    }

    pub(super) fn current_lanes(&self) -> usize {
        self.lanes
    }

    /// The running pointer of an access and the bytes to add for a copy and lane.
    pub(super) fn place(&mut self, access: &Access, copy: usize, lane: usize) -> (Value, i32) {
        let site = self.sites.iter().position(|(p, c)| *p == access.param && *c == access.at.coefs);
        let pointer = self.pointers[site.unwrap_or(0)];
        let along = self.kernel.vector.map_or(0, |v| access.at.coefs[v]);
        let bytes = 4 * (access.at.offset + along * (4 * copy + lane) as i64);
        match i32::try_from(bytes) {
            Ok(bytes) => (pointer, bytes),
            Err(_) => (self.b.ins().iadd_imm_s(pointer, bytes), 0),
        }
    }

    pub(super) fn stride(&self, access: &Access) -> i64 {
        self.kernel.vector.map_or(0, |v| access.at.coefs[v])
    }

    /// The i64 value of an affine function at the current place; the first lane of the first copy along the vector axis.
    pub(super) fn affine(&mut self, at: &crate::plan::Affine) -> Value {
        let mut sum = self.b.ins().iconst(types::I64, at.offset);
        for (axis, coef) in at.coefs.iter().enumerate() {
            if *coef != 0 {
                let term = self.b.ins().imul_imm_s(self.index[axis], *coef);
                sum = self.b.ins().iadd(sum, term);
            }
        }
        sum
    }

    pub(super) fn load_scalar(&mut self, dtype: DType, pointer: Value, bytes: i32) -> Value {
        self.b.ins().load(scalar_type(dtype), memory(), pointer, bytes)
    }

    pub(super) fn load_vector(&mut self, dtype: DType, pointer: Value, bytes: i32) -> Value {
        self.b.ins().load(vector_type(dtype), memory(), pointer, bytes)
    }

    pub(super) fn math(&mut self) -> Math<'_, 'f> {
        Math { b: self.b, fma: self.fma }
    }

    pub(super) fn constant(&mut self, literal: Literal) -> Value {
        match literal {
            Literal::F32(v) => lanes(self.b, types::F32X4, [v.to_bits(); 4]),
            Literal::I32(v) => lanes(self.b, types::I32X4, [v as u32; 4]),
            Literal::Bool(v) => lanes(self.b, types::I32X4, [if v { u32::MAX } else { 0 }; 4]),
        }
    }

    fn stores(&mut self) {
        for store in &self.kernel.stores {
            let copies = self.copies;
            for copy in 0..copies {
                let value = self.value(store.value, copy);
                let contiguous = self.stride(&store.access) == 1 && store.index.is_none_or(|(i, ..)| !self.varies[i]);
                if self.lanes == 4 && contiguous {
                    let (pointer, bytes) = self.place(&store.access, copy, 0);
                    let pointer = self.indexed(pointer, store.index, copy, 0);
                    let value = match store.mode {
                        StoreMode::Set => value,
                        StoreMode::Add => {
                            let old = self.b.ins().load(types::F32X4, memory(), pointer, bytes);
                            self.b.ins().fadd(old, value)
                        }
                    };
                    self.b.ins().store(memory(), value, pointer, bytes);
                    continue;
                }
                for lane in 0..self.lanes {
                    let (pointer, bytes) = self.place(&store.access, copy, lane);
                    let pointer = self.indexed(pointer, store.index, copy, lane);
                    let mut scalar = self.b.ins().extractlane(value, lane as u8);
                    if store.mode == StoreMode::Add {
                        let old = self.b.ins().load(types::F32, memory(), pointer, bytes);
                        scalar = self.b.ins().fadd(old, scalar);
                    }
                    self.b.ins().store(memory(), scalar, pointer, bytes);
                }
            }
        }
    }

    /// Adds a clamped index to a pointer.
    pub(super) fn indexed(&mut self, pointer: Value, index: Option<(usize, i64, usize)>, copy: usize, lane: usize) -> Value {
        let Some((id, stride, limit)) = index else { return pointer };
        let lane = if self.varies[id] { lane } else { 0 };
        let index = self.value(id, copy);
        let index = self.b.ins().extractlane(index, lane as u8);
        let index = self.b.ins().sextend(types::I64, index);
        let zero = self.b.ins().iconst(types::I64, 0);
        let last = self.b.ins().iconst(types::I64, limit as i64 - 1);
        let index = self.b.ins().smax(index, zero);
        let index = self.b.ins().smin(index, last);
        let bytes = self.b.ins().imul_imm_s(index, 4 * stride);
        self.b.ins().iadd(pointer, bytes)
    }

    fn start_reductions(&mut self, depth: usize) {
        // A vector axis inside the reduced suffix has its own registers; outside, the current ones.
        let inside = self.kernel.vector.is_some_and(|v| v >= depth);
        let registers = if inside { self.unroll() } else { self.copies };
        let reductions: &'k [Reduction] = &self.kernel.reductions;
        self.accumulators = reductions.iter().map(|reduction| self.start_reduction(reduction, registers)).collect();
    }

    /// Accumulators that hold nothing yet, or what the strips before this one have come to.
    fn start_reduction(&mut self, reduction: &Reduction, registers: usize) -> Accumulator {
        let nothing = if reduction.kind == ReduceKind::Sum { 0.0 } else { f32::NEG_INFINITY };
        let nothing = self.constant(Literal::F32(nothing));
        let vectors = (0..registers).map(|copy| {
            let initial = match self.strip {
                None => nothing,
                Some(strip) => {
                    let before = self.load_at(&reduction.access, None, DType::F32, copy);
                    self.b.ins().select(strip.first, nothing, before)
                }
            };
            self.accumulator(initial)
        });
        let vectors = vectors.collect();
        Accumulator { vectors, tail: self.accumulator(nothing) }
    }

    fn accumulator(&mut self, initial: Value) -> Variable {
        let variable = self.b.declare_var(types::F32X4);
        self.b.def_var(variable, initial);
        variable
    }

    fn combine(&mut self, kind: ReduceKind, old: Value, new: Value) -> Value {
        match kind {
            ReduceKind::Sum => self.b.ins().fadd(old, new),
            ReduceKind::Max => {
                let less = self.b.ins().fcmp(FloatCC::LessThan, new, old);
                self.math().select(less, old, new)
            }
        }
    }

    fn accumulate(&mut self) {
        let inside = self.reduces_vector_axis();
        for (r, reduction) in self.kernel.reductions.iter().enumerate() {
            for copy in 0..self.copies {
                let accumulator = &self.accumulators[r];
                let variable = if inside && self.lanes == 1 { accumulator.tail } else { accumulator.vectors[copy] };
                let old = self.b.use_var(variable);
                let new = self.value(reduction.value, copy);
                let sum = self.combine(reduction.kind, old, new);
                self.b.def_var(variable, sum);
            }
        }
    }

    fn reduces_vector_axis(&self) -> bool {
        self.kernel.vector.is_some_and(|v| self.kernel.axes[v].reduced)
    }

    fn finish_reductions(&mut self, _depth: usize) {
        let accumulators = std::mem::take(&mut self.accumulators);
        let reductions: &'k [Reduction] = &self.kernel.reductions;
        for (reduction, accumulator) in reductions.iter().zip(accumulators) {
            let kind = reduction.kind;
            if self.reduces_vector_axis() {
                let mut parts: Vec<Value> = accumulator.vectors.iter().map(|v| self.b.use_var(*v)).collect();
                while parts.len() > 1 {
                    parts =
                        parts.chunks(2).map(|p| if p.len() == 2 { self.combine(kind, p[0], p[1]) } else { p[0] }).collect();
                }
                let vector = parts[0];
                let swapped = self.swap_halves(vector);
                let pairs = self.combine(kind, vector, swapped);
                let odd = self.b.ins().extractlane(pairs, 1);
                let odd = self.b.ins().scalar_to_vector(types::F32X4, odd);
                let total = self.combine(kind, pairs, odd);
                let tail = self.b.use_var(accumulator.tail);
                let total = self.combine(kind, total, tail);
                let (pointer, bytes) = self.place(&reduction.access, 0, 0);
                let scalar = self.b.ins().extractlane(total, 0);
                self.b.ins().store(memory(), scalar, pointer, bytes);
                continue;
            }
            for (copy, variable) in accumulator.vectors.iter().enumerate() {
                let value = self.b.use_var(*variable);
                if self.lanes == 4 && self.stride(&reduction.access) == 1 {
                    let (pointer, bytes) = self.place(&reduction.access, copy, 0);
                    self.b.ins().store(memory(), value, pointer, bytes);
                    continue;
                }
                for lane in 0..self.lanes {
                    let (pointer, bytes) = self.place(&reduction.access, copy, lane);
                    let scalar = self.b.ins().extractlane(value, lane as u8);
                    self.b.ins().store(memory(), scalar, pointer, bytes);
                }
            }
        }
    }

    /// Lanes 2, 3, 0, 1.
    fn swap_halves(&mut self, v: Value) -> Value {
        let wide = cast(self.b, types::I64X2, v);
        let high = self.b.ins().extractlane(wide, 1);
        let high = self.b.ins().scalar_to_vector(types::I64X2, high);
        cast(self.b, types::F32X4, high)
    }
}
