// Mathematics over F: one float or four, as the shader says. Errors are a few units of the last place; NaN goes through, and
// the ends of the range have their limits. Nothing here relies on a fused multiply-add being fused.
//
// An empty line ends a function, and nothing else: a shader is given those that it calls.

fn infinity() -> F { return F(bitcast<f32>(args.words.x)); }

fn nan() -> F { return F(bitcast<f32>(args.words.y)); }

fn bits(x: F) -> U { return bitcast<U>(x); }

fn is_nan(x: F) -> B { return (bits(x) & U(0x7fffffffu)) > U(0x7f800000u); }

// The same number, which compilers of drivers do not know. Some of them make n·a + n·b one product n·(a + b), which takes from a
// reduction in two parts what the parts are for: every part has an n of its own.
fn second(n: F) -> F { return bitcast<F>(bits(n) ^ U(args.words.z)); }

fn third(n: F) -> F { return bitcast<F>(bits(n) ^ U(args.words.w)); }

// 2ⁿ for −126 ≤ n ≤ 127.
fn power_of_two(n: I) -> F { return bitcast<F>((n + I(127)) << U(23u)); }

// (eʳ − 1 − r)/r² for |r| ≤ ½·ln 2.
fn exp_tail(r: F) -> F {
    var p = fma(r, F(1.38825167e-3), F(8.3665475e-3));
    p = fma(p, r, F(4.16672006e-2));
    p = fma(p, r, F(1.66665435e-1));
    return fma(p, r, F(4.9999997e-1));
}

fn exp_(x: F) -> F {
    let y = clamp(x, F(-104.0), F(89.0));
    let n = floor(fma(y, F(1.44269504), F(0.5)));
    var r = fma(n, F(-0.693359375), y);
    r = fma(second(n), F(2.12194440e-4), r);
    let p = fma(exp_tail(r), r * r, r) + F(1.0);
    // In two factors, so that neither over- nor underflows before the product does.
    let whole = I(n);
    let half = whole >> U(1u);
    let value = p * power_of_two(half) * power_of_two(whole - half);
    return select(value, x, is_nan(x));
}

// ln(2ᵉ·(1 + f)) for a whole e and f³·p, p being the polynomial's value at f.
fn log_sum(f: F, e: F, p: F) -> F {
    let z = f * f;
    var y = p * (f * z);
    y = fma(second(e), F(-2.12194440e-4), y);
    y = fma(F(-0.5), z, y);
    return fma(e, F(0.693359375), f + y);
}

fn log_(x: F) -> F {
    let small = x < F(1.17549435e-38);
    let normal = select(x, x * F(8388608.0), small);
    // x = m·2ᵉ with m in [√½, √2).
    let above = bitcast<I>(normal) - I(0x3f3504f3);
    let exponent = (above >> U(23u)) - select(I(0), I(23), small);
    let m = bitcast<F>((above & I(0x007fffff)) + I(0x3f3504f3));
    let f = m - F(1.0);
    var p = fma(f, F(7.0376836e-2), F(-1.151461e-1));
    p = fma(p, f, F(1.16769987e-1));
    p = fma(p, f, F(-1.2420141e-1));
    p = fma(p, f, F(1.4249323e-1));
    p = fma(p, f, F(-1.6668058e-1));
    p = fma(p, f, F(2.0000715e-1));
    p = fma(p, f, F(-2.4999994e-1));
    p = fma(p, f, F(3.3333331e-1));
    var y = log_sum(f, F(exponent), p);
    y = select(x, y, x < infinity());
    y = select(y, -infinity(), x == F(0.0));
    y = select(y, nan(), x < F(0.0));
    return select(y, x, is_nan(x));
}

fn tanh_(x: F) -> F {
    let a = abs(x);
    let s = x * x;
    var p = fma(s, F(-5.7049887e-3), F(2.0639089e-2));
    p = fma(p, s, F(-5.3739716e-2));
    p = fma(p, s, F(1.3331442e-1));
    p = fma(p, s, F(-3.333328e-1));
    let small = fma(p * s, a, a);
    let large = F(1.0) - F(2.0) / (exp_(F(2.0) * min(a, F(10.0))) + F(1.0));
    let value = select(large, small, a < F(0.625));
    let signed = bitcast<F>(bits(value) | (bits(x) & U(0x80000000u)));
    return select(signed, x, is_nan(x));
}

// max(x, 0) + ln(1 + e^−|x|).
fn softplus_(x: F) -> F {
    let t = exp_(-abs(x));
    // 1 + t is not formed, as that would round t: below ½ it is 1 + f with f = t, from there on 2·(1 + f) with f = (t − 1)/2.
    let large = t >= F(0.5);
    let f = select(t, fma(t, F(0.5), F(-0.5)), large);
    var p = fma(f, F(-4.2887338e-2), F(1.01808123e-1));
    p = fma(p, f, F(-1.3066417e-1));
    p = fma(p, f, F(1.4493158e-1));
    p = fma(p, f, F(-1.6659452e-1));
    p = fma(p, f, F(1.9991678e-1));
    p = fma(p, f, F(-2.4999756e-1));
    p = fma(p, f, F(3.3333409e-1));
    let tail = log_sum(f, select(F(0.0), F(1.0), large), p);
    let value = select(x, F(0.0), x < F(0.0)) + tail;
    return select(value, x, is_nan(x));
}

fn sine_of(r: F, quadrant: I) -> F {
    let z = r * r;
    var s = fma(z, F(-1.9515296e-4), F(8.3321609e-3));
    s = fma(s, z, F(-1.6666655e-1));
    s = fma(s * z, r, r);
    var c = fma(z, F(2.4433157e-5), F(-1.3887316e-3));
    c = fma(c, z, F(4.1666646e-2));
    c = fma(c * z, z, fma(z, F(-0.5), F(1.0)));
    let value = select(s, c, (quadrant & I(1)) != I(0));
    return select(value, -value, (quadrant & I(2)) != I(0));
}

// x modulo π/2 for one large x > 0, after Payne and Hanek: 2/π to as many digits as the product with a float's 24 can need, in
// whole numbers. The first word is the quadrant, the second the bits of the rest.
const TWO_OVER_PI = array<u32, 8>(
    0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);

fn reduce_large(x: f32) -> vec2<u32> {
    let word = bitcast<u32>(x);
    // x = m·2ᵉ; the bits of 2/π that matter begin e − 2 bits behind the point.
    let m = (word & 0x007fffffu) | 0x00800000u;
    let e = i32((word >> 23u) & 0xffu) - 150;
    var digits = TWO_OVER_PI;
    // Words of m·2/π·2ᵉ: two bits before the point are the quadrant.
    let first = u32(max(e + 30, 0)) / 32u;
    let shift = u32(max(e + 30, 0)) % 32u;
    var w: array<u32, 4>;
    for (var i = 0u; i < 4u; i++) { w[i] = digits[min(first + i, 7u)]; }
    if (shift != 0u) {
        for (var i = 0u; i < 3u; i++) { w[i] = (w[i] << shift) | (w[i + 1u] >> (32u - shift)); }
    }
    // The product's upper bits beyond the quadrant fall away by themselves.
    let low = multiply_high(m, w[2]);
    let middle = m * w[1] + low;
    let carry = select(0u, 1u, middle < low);
    let high = m * w[0] + multiply_high(m, w[1]) + carry;
    let quadrant = (high >> 30u) + ((high >> 29u) & 1u);
    // The rest as a number of 2⁻³⁰ quadrants, signed: from −½ to ½ of one.
    var top = (high << 2u) | (middle >> 30u);
    var rest = middle << 2u;
    let negative = (top & 0x80000000u) != 0u;
    if (negative) {
        rest = ~rest + 1u;
        top = ~top + select(0u, 1u, rest == 0u);
    }
    // To one word of 32 significant bits and its power.
    let zeros = countLeadingZeros(top);
    var significant = top;
    if (zeros > 0u && zeros < 32u) { significant = (top << zeros) | (rest >> (32u - zeros)); }
    if (zeros == 32u) { significant = rest; }
    let r = f32(significant) * bitcast<f32>((127u - 32u - min(zeros, 60u)) << 23u) * 1.57079633;
    return vec2<u32>(quadrant, bitcast<u32>(select(r, -r, negative)));
}

fn multiply_high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let middle = ah * bl + ((al * bl) >> 16u);
    let other = al * bh + (middle & 0xffffu);
    return ah * bh + (middle >> 16u) + (other >> 16u);
}

// Philox 4x32-10.
fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0; round < 10; round++) {
        c = vec4<u32>(
            multiply_high(0xcd9e8d57u, c.z) ^ c.y ^ k.x, 0xcd9e8d57u * c.z,
            multiply_high(0xd2511f53u, c.x) ^ c.w ^ k.y, 0xd2511f53u * c.x);
        k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// The middle of its cell of width 2⁻²³ in (0, 1).
fn uniform_(words: U) -> F {
    return F(words >> U(9u)) * F(1.1920929e-7) + F(5.9604645e-8);
}

fn sign_(x: F) -> F {
    return select(select(F(0.0), F(-1.0), x < F(0.0)), F(1.0), x > F(0.0));
}

// The larger; b where either is NaN.
fn max_(a: F, b: F) -> F { return select(b, a, b < a); }

// Towards zero, saturating; NaN is 0.
fn integer_(x: F) -> I {
    let inside = I(clamp(x, F(-2147483648.0), F(2147483520.0)));
    let value = select(inside, I(2147483647), x >= F(2147483648.0));
    return select(value, I(0), is_nan(x));
}
