//! Vector mathematics in Cranelift IR: four floats at a time, inlined where used.
//!
//! All functions propagate NaN and have the right limits at the ends of the range. Worst errors over every finite float in units of the
//! last place, against f64 and with fused multiply-add, as the ignored tests of `tests/vector_math.rs` measure them:
//!
//! | function | ulp |
//! |---|---|
//! | `exp` | 1.06 |
//! | `log` | 0.85 |
//! | `tanh` | 1.35 |
//! | `softplus` | 1.68 |
//! | `sin`, \|x\| ≤ 2²⁸ | 0.53 |
//!
//! Beyond 2²⁸ `sin` is within 4·10⁻⁸ up to 2⁴⁰; from 2⁴⁸ on it is 0. Without fused multiply-add it is as accurate up to 2²⁸, and off by
//! up to \|x\|·2⁻⁵³ or so from there on.

// Coefficients stand as their sources give them.
#![allow(clippy::excessive_precision)]

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{ConstantData, Endianness, InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::FunctionBuilder;

/// Emits mathematics at the builder's current place.
pub struct Math<'a, 'f> {
    /// Where to.
    pub b: &'a mut FunctionBuilder<'f>,
    /// Whether fused multiply-add is one instruction.
    pub fma: bool,
}

/// Reinterprets a vector of 128 bits.
pub fn cast(b: &mut FunctionBuilder, to: types::Type, v: Value) -> Value {
    if b.func.dfg.value_type(v) == to {
        return v;
    }
    b.ins().bitcast(to, MemFlagsData::new().with_endianness(Endianness::Little), v)
}

/// A vector constant of four 32-bit lanes.
pub fn lanes(b: &mut FunctionBuilder, ty: types::Type, words: [u32; 4]) -> Value {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let constant = b.func.dfg.constants.insert(ConstantData::from(bytes));
    b.ins().vconst(ty, constant)
}

impl Math<'_, '_> {
    /// The same float in all lanes.
    pub fn splat(&mut self, v: f32) -> Value {
        lanes(self.b, types::F32X4, [v.to_bits(); 4])
    }

    /// The same integer in all lanes.
    pub fn splat_int(&mut self, v: i32) -> Value {
        lanes(self.b, types::I32X4, [v as u32; 4])
    }

    fn splat_double(&mut self, v: f64) -> Value {
        let bytes: Vec<u8> = [v.to_bits(); 2].iter().flat_map(|w| w.to_le_bytes()).collect();
        let constant = self.b.func.dfg.constants.insert(ConstantData::from(bytes));
        self.b.ins().vconst(types::F64X2, constant)
    }

    /// a·b + c.
    pub fn mul_add(&mut self, a: Value, b: Value, c: Value) -> Value {
        if self.fma {
            return self.b.ins().fma(a, b, c);
        }
        let product = self.b.ins().fmul(a, b);
        self.b.ins().fadd(product, c)
    }

    /// Where the mask is set `a`, else `b`.
    pub fn select(&mut self, mask: Value, a: Value, b: Value) -> Value {
        let ty = self.b.func.dfg.value_type(a);
        let mask = cast(self.b, ty, mask);
        self.b.ins().bitselect(mask, a, b)
    }

    fn polynomial(&mut self, x: Value, coefficients: &[f32]) -> Value {
        let mut sum = self.splat(coefficients[0]);
        for c in &coefficients[1..] {
            let c = self.splat(*c);
            sum = self.mul_add(sum, x, c);
        }
        sum
    }

    /// (eʳ − 1 − r)/r² for |r| ≤ ½·ln 2, scaled: the coefficient of rᵏ times `scale`ᵏ⁺¹. Minimax of the error relative to eʳ − 1.
    fn exp_tail(&mut self, r: Value, square: Value, scale: f32) -> Value {
        let [c0, c1, c2, c3, c4] =
            [0.499_999_97, 0.166_665_435, 4.166_720_06e-2, 8.366_547_5e-3, 1.388_251_67e-3].map(f64::from);
        let scale = f64::from(scale);
        let [c0, c1, c2, c3, c4] =
            [c0 * scale, c1 * scale.powi(2), c2 * scale.powi(3), c3 * scale.powi(4), c4 * scale.powi(5)]
                .map(|c| self.splat(c as f32));
        // By pairs: the chain of operations that wait for one another is what takes the time.
        let high = self.mul_add(c4, r, c3);
        let middle = self.mul_add(c2, r, c1);
        let sum = self.mul_add(high, square, middle);
        self.mul_add(sum, r, c0)
    }

    /// eˣ.
    pub fn exp(&mut self, x: Value) -> Value {
        // Outside of these the result is 0 or ∞, which the two-step scaling below produces at the ends. NaN passes.
        let (low, high) = (self.splat(-104.0), self.splat(89.0));
        let x = self.at_least(low, x);
        let x = self.at_most(high, x);
        // n = round(x / ln 2) by adding 1.5·2²³, whose low mantissa bits then hold n; and twice the bias of exponents for below.
        let (log2e, magic) = (self.splat(std::f32::consts::LOG2_E), self.splat(12_582_912.0 + 254.0));
        let shifted = self.mul_add(x, log2e, magic);
        let n = self.b.ins().fsub(shifted, magic);
        let (hi, lo) = (self.splat(-0.693_359_4), self.splat(2.121_944_4e-4));
        let r = self.mul_add(n, hi, x);
        let r = self.mul_add(n, lo, r);
        let square = self.b.ins().fmul(r, r);
        let p = self.exp_tail(r, square, 1.0);
        let p = self.mul_add(p, square, r);
        let one = self.splat(1.0);
        let p = self.b.ins().fadd(p, one);
        // Scaling by 2ⁿ in two factors, so that neither over- nor underflows before the product does. Half of n + 254 has the bias
        // of an exponent, and so has the rest; all bits above the exponent's are shifted out.
        let bits = cast(self.b, types::I32X4, shifted);
        let half = self.b.ins().sshr_imm_s(bits, 1);
        let rest = self.b.ins().isub(bits, half);
        let half = self.b.ins().ishl_imm_s(half, 23);
        let rest = self.b.ins().ishl_imm_s(rest, 23);
        let (half, rest) = (cast(self.b, types::F32X4, half), cast(self.b, types::F32X4, rest));
        let p = self.b.ins().fmul(p, half);
        self.b.ins().fmul(p, rest)
    }

    /// max(x, low); NaN where x is. The operands stand as the machine's instruction wants them.
    fn at_least(&mut self, low: Value, x: Value) -> Value {
        let under = self.b.ins().fcmp(FloatCC::LessThan, x, low);
        self.select(under, low, x)
    }

    /// min(x, high); NaN where x is.
    fn at_most(&mut self, high: Value, x: Value) -> Value {
        let over = self.b.ins().fcmp(FloatCC::LessThan, high, x);
        self.select(over, high, x)
    }

    /// −x.
    pub fn neg(&mut self, x: Value) -> Value {
        let sign = self.splat(-0.0);
        self.b.ins().bxor(x, sign)
    }

    /// The sign of x as a bit, and |x|.
    fn sign_and_magnitude(&mut self, x: Value) -> (Value, Value) {
        let minus_zero = self.splat(-0.0);
        let sign = self.b.ins().band(x, minus_zero);
        (sign, self.b.ins().bxor(x, sign))
    }

    /// Natural logarithm.
    pub fn log(&mut self, x: Value) -> Value {
        let (least, two23, zero) = (self.splat(f32::MIN_POSITIVE), self.splat(8_388_608.0), self.splat(0.0));
        let small = self.b.ins().fcmp(FloatCC::LessThan, x, least);
        let raised = self.b.ins().fmul(x, two23);
        let normal = self.select(small, raised, x);
        let minus23 = self.splat_int(-23);
        let adjust = self.b.ins().band(small, minus23);
        // x = m·2ᵉ with m in [√½, √2).
        let bits = cast(self.b, types::I32X4, normal);
        let base = self.splat_int(0x3f35_04f3);
        let above = self.b.ins().isub(bits, base);
        let e = self.b.ins().sshr_imm_s(above, 23);
        let mantissa = self.splat_int(0x007f_ffff);
        let m = self.b.ins().band(above, mantissa);
        let m = self.b.ins().iadd(m, base);
        let m = cast(self.b, types::F32X4, m);
        let e = self.b.ins().iadd(e, adjust);
        let e = self.b.ins().fcvt_from_sint(types::F32X4, e);
        let one = self.splat(1.0);
        let f = self.b.ins().fsub(m, one);
        let y = self.log_reduced(
            f,
            e,
            &[
                7.037_683_6e-2,
                -1.151_461e-1,
                1.167_699_87e-1,
                -1.242_014_1e-1,
                1.424_932_3e-1,
                -1.666_805_8e-1,
                2.000_071_5e-1,
                -2.499_999_4e-1,
                3.333_333_1e-1,
            ],
        );
        // ln 0 = −∞, ln ∞ = ∞, ln of NaN or a negative is NaN.
        let infinity = self.splat(f32::INFINITY);
        let (minus_infinity, nan) = (self.splat(f32::NEG_INFINITY), self.splat(f32::NAN));
        let finite = self.b.ins().fcmp(FloatCC::LessThan, x, infinity);
        let y = self.select(finite, y, x);
        let is_zero = self.b.ins().fcmp(FloatCC::Equal, x, zero);
        let y = self.select(is_zero, minus_infinity, y);
        let negative = self.b.ins().fcmp(FloatCC::LessThan, x, zero);
        self.select(negative, nan, y)
    }

    /// ln(2ᵉ·(1 + f)) = e·ln 2 + f − f²/2 + f³·P(f) for a whole e and a small f, P by its coefficients.
    fn log_reduced(&mut self, f: Value, e: Value, coefficients: &[f32]) -> Value {
        let p = self.polynomial(f, coefficients);
        let z = self.b.ins().fmul(f, f);
        let cube = self.b.ins().fmul(f, z);
        let y = self.b.ins().fmul(p, cube);
        // ln 2 in two parts, of which the first times e is exact; all that is small is summed first.
        let (lo, hi, half) = (self.splat(-2.121_944_4e-4), self.splat(0.693_359_4), self.splat(-0.5));
        let y = self.mul_add(e, lo, y);
        let y = self.mul_add(half, z, y);
        let y = self.b.ins().fadd(f, y);
        self.mul_add(e, hi, y)
    }

    /// Hyperbolic tangent: of small x by a polynomial, of others 1 − 2/(e^2|x| + 1).
    pub fn tanh(&mut self, x: Value) -> Value {
        let (sign, magnitude) = self.sign_and_magnitude(x);
        // From 9.01 on the result is 1. 2|x| = n·ln 2 + 2r; n as in `exp`, here with the bias of the exponent of 2ⁿ⁺¹.
        let limit = self.splat(10.0);
        let y = self.at_most(limit, magnitude);
        let (twice_log2e, magic) = (self.splat(2.0 * std::f32::consts::LOG2_E), self.splat(12_582_912.0 + 128.0));
        let shifted = self.mul_add(y, twice_log2e, magic);
        let n = self.b.ins().fsub(shifted, magic);
        let r = if self.fma {
            let half_ln2 = self.splat(-0.5 * std::f32::consts::LN_2);
            self.mul_add(n, half_ln2, y)
        } else {
            let (hi, lo) = (self.splat(-0.346_679_7), self.splat(1.060_972_2e-4));
            let r = self.mul_add(n, hi, y);
            self.mul_add(n, lo, r)
        };
        // ½·e²ʳ = ½ + r + r²·P.
        let square = self.b.ins().fmul(r, r);
        let p = self.exp_tail(r, square, 2.0);
        let (half, one, two) = (self.splat(0.5), self.splat(1.0), self.splat(2.0));
        let sum = self.b.ins().fadd(r, half);
        let p = self.mul_add(p, square, sum);
        let bits = cast(self.b, types::I32X4, shifted);
        let factor = self.b.ins().ishl_imm_s(bits, 23);
        let factor = cast(self.b, types::F32X4, factor);
        let denominator = self.mul_add(p, factor, one);
        let quotient = self.b.ins().fdiv(two, denominator);
        let large = self.b.ins().fsub(one, quotient);
        let s = self.b.ins().fmul(x, x);
        let p = self.polynomial(s, &[-5.704_988_7e-3, 2.063_908_9e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1]);
        let p = self.b.ins().fmul(p, s);
        let small = self.mul_add(p, magnitude, magnitude);
        let border = self.splat(0.625);
        let is_small = self.b.ins().fcmp(FloatCC::LessThan, magnitude, border);
        let value = self.select(is_small, small, large);
        self.b.ins().bor(value, sign)
    }

    /// ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|).
    pub fn softplus(&mut self, x: Value) -> Value {
        let zero = self.splat(0.0);
        let one = self.splat(1.0);
        let minus_zero = self.splat(-0.0);
        let down = self.b.ins().bor(x, minus_zero);
        let t = self.exp(down);
        // 1 + t is not formed, as that would round t. Below ½ it is 1 + f with f = t, from there on 2·(1 + f) with f = (t − 1)/2,
        // which is exact.
        let (half, minus_half) = (self.splat(0.5), self.splat(-0.5));
        let large = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, t, half);
        let halved = self.mul_add(t, half, minus_half);
        let f = self.select(large, halved, t);
        let one = cast(self.b, types::I32X4, one);
        let e = self.b.ins().band(large, one);
        let e = cast(self.b, types::F32X4, e);
        // Minimax in f of the error relative to the result, over [−¼, ½].
        let tail = self.log_reduced(
            f,
            e,
            &[
                -4.288_733_8e-2,
                1.018_081_23e-1,
                -1.306_641_7e-1,
                1.449_315_8e-1,
                -1.665_945_2e-1,
                1.999_167_8e-1,
                -2.499_975_6e-1,
                3.333_340_9e-1,
            ],
        );
        let negative = self.b.ins().fcmp(FloatCC::LessThan, x, zero);
        let head = self.select(negative, zero, x);
        self.b.ins().fadd(head, tail)
    }

    /// Sine, by reduction modulo π/2 and two polynomials in f64, two lanes at a time.
    pub fn sin(&mut self, x: Value) -> Value {
        // From 2⁴⁸ on, where neighbouring floats lie millions of periods apart, the reduction would run out of digits: there 0
        // of the sign of x, and NaN for ∞, both as 0·x.
        let (_, magnitude) = self.sign_and_magnitude(x);
        let limit = self.splat(281_474_976_710_656.0);
        let beyond = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, magnitude, limit);
        let zero = self.splat(0.0);
        let nothing = self.b.ins().fmul(zero, x);
        let x = self.select(beyond, nothing, x);
        let low = self.b.ins().fvpromote_low(x);
        let low = self.sin_pair(low);
        let upper = cast(self.b, types::I64X2, x);
        let upper = self.b.ins().extractlane(upper, 1);
        let upper = self.b.ins().scalar_to_vector(types::I64X2, upper);
        let upper = cast(self.b, types::F32X4, upper);
        let high = self.b.ins().fvpromote_low(upper);
        let high = self.sin_pair(high);
        let (low, high) = (self.b.ins().fvdemote(low), self.b.ins().fvdemote(high));
        let (low, high) = (cast(self.b, types::I64X2, low), cast(self.b, types::I64X2, high));
        let high = self.b.ins().extractlane(high, 0);
        let both = self.b.ins().insertlane(low, high, 1);
        cast(self.b, types::F32X4, both)
    }

    fn sin_pair(&mut self, x: Value) -> Value {
        let magic = self.splat_double(6_755_399_441_055_744.0);
        let per_quadrant = self.splat_double(std::f64::consts::FRAC_2_PI);
        let shifted = self.mul_add(x, per_quadrant, magic);
        let n = self.b.ins().fsub(shifted, magic);
        // −π/2 in two parts. Fused, the first difference is exact: its digits end where those of the first part do. Otherwise
        // n times the first part must be, which has zeros at its end for n below 2²⁸.
        let (first, second) = if self.fma {
            (-std::f64::consts::FRAC_PI_2, -6.123_233_995_736_766e-17)
        } else {
            (-1.570_796_310_901_641_8, -1.589_325_477_352_819_7e-8)
        };
        let (first, second) = (self.splat_double(first), self.splat_double(second));
        let r = self.mul_add(n, first, x);
        let r = self.mul_add(n, second, r);
        let z = self.b.ins().fmul(r, r);
        let double = |m: &mut Self, coefficients: &[f64]| {
            let mut sum = m.splat_double(coefficients[0]);
            for c in &coefficients[1..] {
                let c = m.splat_double(*c);
                sum = m.mul_add(sum, z, c);
            }
            sum
        };
        let sine = double(self, &[2.755_731_921e-6, -1.984_126_984e-4, 8.333_333_333e-3, -0.166_666_666_666_666_66, 1.0]);
        let sine = self.b.ins().fmul(sine, r);
        let cosine = double(self, &[-2.755_731_9e-7, 2.480_158_73e-5, -1.388_888_889e-3, 4.166_666_666_6e-2, -0.5, 1.0]);
        let quadrant = cast(self.b, types::I64X2, shifted);
        let odd = self.b.ins().ishl_imm_s(quadrant, 63);
        let zero = self.b.ins().iconst(types::I64, 0);
        let zero = self.b.ins().splat(types::I64X2, zero);
        let odd = self.b.ins().icmp(IntCC::SignedLessThan, odd, zero);
        let value = self.select(odd, cosine, sine);
        // Bit 1 of the quadrant is the sign.
        let sign = self.b.ins().ushr_imm_s(quadrant, 1);
        let sign = self.b.ins().ishl_imm_s(sign, 63);
        let value = cast(self.b, types::I64X2, value);
        let value = self.b.ins().bxor(value, sign);
        cast(self.b, types::F64X2, value)
    }

    /// −1, 0 or 1.
    pub fn sign(&mut self, x: Value) -> Value {
        let (zero, one, minus) = (self.splat(0.0), self.splat(1.0), self.splat(-1.0));
        let positive = self.b.ins().fcmp(FloatCC::GreaterThan, x, zero);
        let negative = self.b.ins().fcmp(FloatCC::LessThan, x, zero);
        let below = self.select(negative, minus, zero);
        self.select(positive, one, below)
    }
}
