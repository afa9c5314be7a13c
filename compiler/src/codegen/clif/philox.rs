//! Philox 4x32-10: the counter-based generator, one block of four words at a time, exactly as [`Op::Rng`](crate::ir::Op::Rng)
//! documents it.

use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;

const MULTIPLIERS: [i64; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [i64; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// The four words (i32) of the block with this counter (four i32 values) under this key (two).
pub fn block(b: &mut FunctionBuilder, counter: [Value; 4], key: [Value; 2]) -> [Value; 4] {
    let mut c = counter;
    let mut k = key;
    for round in 0..10 {
        if round > 0 {
            k = [0, 1].map(|i| b.ins().iadd_imm_s(k[i], WEYL[i] as i32 as i64));
        }
        let products = [0, 1].map(|i| {
            let wide = b.ins().uextend(types::I64, c[2 * i]);
            let factor = b.ins().iconst(types::I64, MULTIPLIERS[i]);
            b.ins().imul(wide, factor)
        });
        let low = products.map(|p| b.ins().ireduce(types::I32, p));
        let high = products.map(|p| {
            let shifted = b.ins().ushr_imm_s(p, 32);
            b.ins().ireduce(types::I32, shifted)
        });
        let mix = |b: &mut FunctionBuilder, high: Value, c: Value, k: Value| {
            let x = b.ins().bxor(high, c);
            b.ins().bxor(x, k)
        };
        let first = mix(b, high[1], c[1], k[0]);
        let third = mix(b, high[0], c[3], k[1]);
        c = [first, low[1], third, low[0]];
    }
    c
}

/// `(w >> 9)·2⁻²³ + 2⁻²⁴` for each lane of an I32X4.
pub fn uniform(b: &mut FunctionBuilder, words: Value) -> Value {
    let top = b.ins().ushr_imm_s(words, 9);
    let float = b.ins().fcvt_from_sint(types::F32X4, top);
    let mut math = super::math::Math { b, fma: false };
    let (scale, half) = (math.splat(f32::from_bits(0x3400_0000)), math.splat(f32::from_bits(0x3380_0000)));
    let scaled = b.ins().fmul(float, scale);
    b.ins().fadd(scaled, half)
}
