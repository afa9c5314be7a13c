//! The instructions of a kernel's body in Cranelift IR.

use super::math::{cast, lanes};
use super::nest::{Emitter, vector_type};
use super::philox;
use crate::ir::{DType, OpKind};
use crate::plan::{Access, Affine, Inst};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};

impl Emitter<'_, '_, '_> {
    /// The value of one instruction for one register of the vector axis.
    pub(super) fn instruction(&mut self, inst: &Inst, copy: usize) -> Value {
        match inst {
            Inst::Const(literal) => self.constant(*literal),
            Inst::Index(at) => self.index_value(at, copy),
            Inst::Load(access, dtype) => self.load(access, *dtype, copy),
            Inst::LoadAt { access, index, stride, limit, dtype } => {
                let index = Some((*index, *stride, *limit));
                self.load_at(access, index, *dtype, copy)
            }
            Inst::Rng { stream, key, at } => self.uniform(*stream, *key, at, copy),
            Inst::Cast(from, to, a) => {
                let a = self.value(*a, copy);
                self.convert(*from, *to, a)
            }
            Inst::Unary(op, dtype, a) => {
                let a = self.value(*a, copy);
                self.unary(*op, *dtype, a)
            }
            Inst::Binary(OpKind::Add, DType::F32, a, b) if self.negated(*b).or(self.negated(*a)).is_some() => {
                let (a, b) = self.negated(*b).map_or((*b, self.negated(*a).unwrap_or(*a)), |b| (*a, b));
                let (a, b) = (self.value(a, copy), self.value(b, copy));
                self.b.ins().fsub(a, b)
            }
            Inst::Binary(op, dtype, a, b) => {
                let (a, b) = (self.value(*a, copy), self.value(*b, copy));
                self.binary(*op, *dtype, a, b)
            }
            Inst::Fma(a, b, c) => {
                // Of an operand that is negated the machine has forms of its own.
                let [a, b, c] = [*a, *b, *c].map(|v| match self.negated(v) {
                    Some(inner) => {
                        let inner = self.value(inner, copy);
                        self.b.ins().fneg(inner)
                    }
                    None => self.value(v, copy),
                });
                self.math().mul_add(a, b, c)
            }
            Inst::Select(_, c, a, b) => {
                let [c, a, b] = [*c, *a, *b].map(|v| self.value(v, copy));
                self.math().select(c, a, b)
            }
        }
    }

    /// What a float is the negative of, if it is computed as one.
    fn negated(&self, id: usize) -> Option<usize> {
        match self.kernel.body[id] {
            Inst::Unary(OpKind::Neg, DType::F32, inner) => Some(inner),
            _ => None,
        }
    }

    fn index_value(&mut self, at: &Affine, copy: usize) -> Value {
        let first = self.affine(at);
        let first = self.b.ins().ireduce(types::I32, first);
        let splat = self.b.ins().splat(types::I32X4, first);
        let step = self.kernel.vector.map_or(0, |v| at.coefs[v]) as i32;
        if step == 0 {
            return splat;
        }
        let offsets = [0, 1, 2, 3].map(|lane| (step * (4 * copy as i32 + lane)) as u32);
        let offsets = lanes(self.b, types::I32X4, offsets);
        self.b.ins().iadd(splat, offsets)
    }

    fn load(&mut self, access: &Access, dtype: DType, copy: usize) -> Value {
        let stride = self.stride(access);
        if stride == 0 {
            let (pointer, bytes) = self.place(access, 0, 0);
            let scalar = self.load_scalar(dtype, pointer, bytes);
            return self.b.ins().splat(vector_type(dtype), scalar);
        }
        if stride == 1 && self.current_lanes() == 4 {
            let (pointer, bytes) = self.place(access, copy, 0);
            return self.load_vector(dtype, pointer, bytes);
        }
        self.load_at(access, None, dtype, copy)
    }

    pub(super) fn load_at(
        &mut self,
        access: &Access,
        index: Option<(usize, i64, usize)>,
        dtype: DType,
        copy: usize,
    ) -> Value {
        let stride = self.stride(access);
        let scattered = index.is_some_and(|(id, ..)| self.differs(id));
        // What is the same along the vector axis may be wanted in all lanes, even where this is emitted before entering it.
        if !scattered && (stride == 0 || stride == 1 && self.current_lanes() == 4) {
            let (pointer, bytes) = self.place(access, copy, 0);
            let pointer = self.indexed(pointer, index, copy, 0);
            if stride == 1 {
                return self.load_vector(dtype, pointer, bytes);
            }
            let scalar = self.load_scalar(dtype, pointer, bytes);
            return self.b.ins().splat(vector_type(dtype), scalar);
        }
        let mut vector = None;
        for lane in 0..self.current_lanes() {
            let (pointer, bytes) = self.place(access, copy, lane);
            let pointer = self.indexed(pointer, index, copy, lane);
            let scalar = self.load_scalar(dtype, pointer, bytes);
            vector = Some(match vector {
                None => self.b.ins().scalar_to_vector(vector_type(dtype), scalar),
                Some(v) => self.b.ins().insertlane(v, scalar, lane as u8),
            });
        }
        vector.unwrap_or_else(|| self.constant(crate::ir::Literal::F32(0.0)))
    }

    /// Uniform numbers. Along a contiguous, aligned vector axis the four words of a block are the four lanes.
    fn uniform(&mut self, stream: u32, key: [usize; 4], at: &Affine, copy: usize) -> Value {
        let key = key.map(|k| {
            let value = self.value(k, copy);
            self.b.ins().extractlane(value, 0)
        });
        let stride = self.kernel.vector.map_or(0, |v| at.coefs[v]);
        let first = self.affine(at);
        let others = at.coefs.iter().enumerate().filter(|(k, _)| self.kernel.vector != Some(*k));
        let aligned = at.offset % 4 == 0 && others.clone().all(|(_, c)| c % 4 == 0);
        let stream = self.b.ins().iconst(types::I32, stream as i32 as i64);
        let block = |e: &mut Self, element: Value| {
            let number = e.b.ins().ushr_imm_s(element, 2);
            let number = e.b.ins().ireduce(types::I32, number);
            philox::block(e.b, [number, key[2], key[3], stream], [key[0], key[1]])
        };
        let gather = |e: &mut Self, words: &[Value]| {
            let mut vector = e.b.ins().scalar_to_vector(types::I32X4, words[0]);
            for (lane, word) in words.iter().enumerate().skip(1) {
                vector = e.b.ins().insertlane(vector, *word, lane as u8);
            }
            vector
        };
        let words = if self.current_lanes() == 4 && stride == 1 && aligned {
            let element = self.b.ins().iadd_imm_s(first, 4 * copy as i64);
            let words = block(self, element);
            gather(self, &words)
        } else {
            let lanes = if stride == 0 { 1 } else { self.current_lanes() };
            let mut chosen = Vec::with_capacity(4);
            for lane in 0..lanes {
                let element = self.b.ins().iadd_imm_s(first, stride * (4 * copy + lane) as i64);
                let words = block(self, element);
                let which = self.b.ins().band_imm_s(element, 3);
                let mut word = words[0];
                for (w, candidate) in words.iter().enumerate().skip(1) {
                    let here = self.b.ins().icmp_imm_s(IntCC::Equal, which, w as i64);
                    word = self.b.ins().select(here, *candidate, word);
                }
                chosen.push(word);
            }
            match stride {
                0 => self.b.ins().splat(types::I32X4, chosen[0]),
                _ => gather(self, &chosen),
            }
        };
        philox::uniform(self.b, words)
    }

    fn convert(&mut self, from: DType, to: DType, a: Value) -> Value {
        match (from, to) {
            (DType::Bool, DType::F32) => {
                let one = self.math().splat(1.0);
                let one = cast(self.b, types::I32X4, one);
                let bits = self.b.ins().band(a, one);
                cast(self.b, types::F32X4, bits)
            }
            (DType::Bool, DType::I32) => {
                let one = self.math().splat_int(1);
                self.b.ins().band(a, one)
            }
            (DType::I32, DType::F32) => self.b.ins().fcvt_from_sint(types::F32X4, a),
            (DType::F32, DType::I32) => self.b.ins().fcvt_to_sint_sat(types::I32X4, a),
            (DType::I32, DType::Bool) => {
                let zero = self.math().splat_int(0);
                self.b.ins().icmp(IntCC::NotEqual, a, zero)
            }
            (DType::F32, DType::Bool) => {
                let zero = self.math().splat(0.0);
                self.b.ins().fcmp(FloatCC::NotEqual, a, zero)
            }
            _ => a,
        }
    }

    /// Stands in for an op that was forgotten here; [`Emitter::emit`] reports it.
    fn without_code(&mut self, op: OpKind, a: Value) -> Value {
        self.unknown = Some(op);
        a
    }

    fn unary(&mut self, op: OpKind, dtype: DType, a: Value) -> Value {
        match (op, dtype) {
            (OpKind::Neg, DType::F32) => self.math().neg(a),
            (OpKind::Neg, _) => self.b.ins().ineg(a),
            (OpKind::Floor, _) => self.b.ins().floor(a),
            (OpKind::Sqrt, _) => self.b.ins().sqrt(a),
            (OpKind::Sign, _) => self.math().sign(a),
            (OpKind::Exp, _) => self.math().exp(a),
            (OpKind::Log, _) => self.math().log(a),
            (OpKind::Sin, _) => self.math().sin(a),
            (OpKind::Tanh, _) => self.math().tanh(a),
            (OpKind::Softplus, _) => self.math().softplus(a),
            // Only differentiation sees it.
            (OpKind::StopGrad | OpKind::Hold, _) => a,
            (op, _) => self.without_code(op, a),
        }
    }

    fn binary(&mut self, op: OpKind, dtype: DType, a: Value, b: Value) -> Value {
        let float = dtype == DType::F32;
        match (op, float) {
            (OpKind::Add, true) => self.b.ins().fadd(a, b),
            (OpKind::Add, false) => self.b.ins().iadd(a, b),
            (OpKind::Mul, true) => self.b.ins().fmul(a, b),
            (OpKind::Mul, false) => self.b.ins().imul(a, b),
            (OpKind::Div, _) => self.b.ins().fdiv(a, b),
            (OpKind::Lt, true) => self.b.ins().fcmp(FloatCC::LessThan, a, b),
            (OpKind::Lt, false) => self.b.ins().icmp(IntCC::SignedLessThan, a, b),
            (OpKind::Eq, true) => self.b.ins().fcmp(FloatCC::Equal, a, b),
            (OpKind::Eq, false) => self.b.ins().icmp(IntCC::Equal, a, b),
            (OpKind::Max, true) => {
                let less = self.b.ins().fcmp(FloatCC::LessThan, b, a);
                self.math().select(less, a, b)
            }
            (OpKind::Max, false) => self.b.ins().smax(a, b),
            (op, _) => self.without_code(op, a),
        }
    }
}
