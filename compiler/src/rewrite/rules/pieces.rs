//! Slices, pads and concatenations of each other.

use crate::Result;
use crate::ir::{NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

pub const RULES: &[Rule] = &[
    Rule {
        name: "slice-of-slice",
        equation: "slice(slice(x)) = slice(x)",
        holds: "always",
        roots: &[Slice],
        apply: slice_of_slice,
    },
    Rule {
        name: "slice-of-pad",
        equation: "slice(pad(x)) = slice(x), where the slice meets no padding",
        holds: "always",
        roots: &[Slice],
        apply: slice_of_pad,
    },
    Rule {
        name: "slice-of-padding",
        equation: "slice(pad(x, v)) = v, where the slice meets nothing but padding at the ends",
        holds: "always",
        roots: &[Slice],
        apply: slice_of_padding,
    },
    Rule {
        name: "sum-of-neighbours",
        equation: "pad(x) + pad(y) = pad(concat(x, y)), where y begins at the place where x ends",
        holds: "for padding by 0 along one axis, up to the sign of zeros",
        roots: &[Add],
        apply: sum_of_neighbours,
    },
    Rule {
        name: "slice-of-concat",
        equation: "slice(concat(..., x, ...)) = slice(x), where the slice lies within one part",
        holds: "always",
        roots: &[Slice],
        apply: slice_of_concat,
    },
    Rule {
        name: "concat-of-concat",
        equation: "concat(concat(x, y), z) = concat(x, y, z)",
        holds: "always, along one axis",
        roots: &[Concat],
        apply: concat_of_concat,
    },
    Rule {
        name: "concat-of-slices",
        equation: "concat(x[a..b], x[b..c]) = x[a..c]",
        holds: "always, for steps of 1",
        roots: &[Concat],
        apply: concat_of_slices,
    },
    Rule {
        name: "pad-of-pad",
        equation: "pad(pad(x)) = pad(x)",
        holds: "for one padding value and nothing between neighbours",
        roots: &[Pad],
        apply: pad_of_pad,
    },
];

fn slice_of_slice(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Slice { start, stop, step }, Some((Op::Slice { start: s0, step: d0, .. }, inner))) = (op, r.view(args[0]))
    else {
        return Ok(None);
    };
    let x = inner[0];
    let (mut first, mut last, mut stride) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..start.len() {
        let n = (stop[i] - start[i]).div_ceil(step[i]);
        if n == 0 {
            return Ok(None);
        }
        first.push(s0[i] + start[i] * d0[i]);
        stride.push(step[i] * d0[i]);
        last.push(first[i] + (n - 1) * stride[i] + 1);
    }
    r.add(Op::Slice { start: first, stop: last, step: stride }, &[x]).map(Some)
}

fn slice_of_pad(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Slice { start, stop, step }, Some((Op::Pad { lo, interior, .. }, inner))) = (op, r.view(args[0])) else {
        return Ok(None);
    };
    let x = inner[0];
    let shape = r.graph.shape(x);
    let (mut first, mut last, mut stride) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..start.len() {
        let n = (stop[i] - start[i]).div_ceil(step[i]);
        let pitch = interior[i] + 1;
        let aligned = n > 0 && start[i] >= lo[i] && (start[i] - lo[i]).is_multiple_of(pitch);
        if !aligned || (n > 1 && !step[i].is_multiple_of(pitch)) {
            return Ok(None);
        }
        first.push((start[i] - lo[i]) / pitch);
        stride.push((step[i] / pitch).max(1));
        last.push(first[i] + (n - 1) * stride[i] + 1);
        if last[i] > shape[i] {
            return Ok(None);
        }
    }
    r.add(Op::Slice { start: first, stop: last, step: stride }, &[x]).map(Some)
}

fn slice_of_padding(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Slice { start, stop, step }, Some((Op::Pad { lo, interior, .. }, inner))) = (op, r.view(args[0])) else {
        return Ok(None);
    };
    let value = inner[1];
    let shape = r.graph.shape(inner[0]);
    let outside = |i: usize| {
        let reach = shape[i] + shape[i].saturating_sub(1) * interior[i];
        start[i] < stop[i] && (stop[i] <= lo[i] || start[i] >= lo[i] + reach)
    };
    if !(0..start.len()).any(outside) {
        return Ok(None);
    }
    let shape = (0..start.len()).map(|i| (stop[i] - start[i]).div_ceil(step[i])).collect();
    r.add(Op::Broadcast { shape, dims: Vec::new() }, &[value]).map(Some)
}

/// The gradient of a value of which pieces are used: without this every piece would be padded to the whole.
fn sum_of_neighbours(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    for [first, second] in [[args[0], args[1]], [args[1], args[0]]] {
        let (Some((Op::Pad { lo, hi, interior }, a)), Some((Op::Pad { lo: l1, hi: h1, interior: i1 }, b))) =
            (r.view(first), r.view(second))
        else {
            return Ok(None);
        };
        if a[1] != b[1] || r.number(a[1]) != Some(0.0) || interior.iter().chain(i1).any(|i| *i != 0) {
            return Ok(None);
        }
        let differ: Vec<usize> = (0..lo.len()).filter(|i| lo[*i] != l1[*i] || hi[*i] != h1[*i]).collect();
        let [axis] = differ[..] else { return Ok(None) };
        if lo[axis] + r.graph.shape(a[0])[axis] != l1[axis] {
            continue;
        }
        let (x, y, zero) = (a[0], b[0], a[1]);
        let mut hi = hi.clone();
        hi[axis] = h1[axis];
        let whole = Op::Pad { lo: lo.clone(), hi, interior: interior.clone() };
        let joined = r.add(Op::Concat { axis }, &[x, y])?;
        return r.add(whole, &[joined, zero]).map(Some);
    }
    Ok(None)
}

fn slice_of_concat(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Slice { start, stop, step }, Some((Op::Concat { axis }, parts))) = (op, r.view(args[0])) else {
        return Ok(None);
    };
    let (axis, parts) = (*axis, parts.to_vec());
    let mut offset = 0;
    for part in parts {
        let n = r.graph.shape(part)[axis];
        if start[axis] >= offset && stop[axis] <= offset + n && start[axis] < stop[axis] {
            let (mut start, mut stop) = (start.clone(), stop.clone());
            start[axis] -= offset;
            stop[axis] -= offset;
            return r.add(Op::Slice { start, stop, step: step.clone() }, &[part]).map(Some);
        }
        offset += n;
    }
    Ok(None)
}

fn concat_of_concat(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let mut parts = Vec::new();
    for a in args {
        match r.view(*a) {
            Some((inner, inner_args)) if inner == op => parts.extend(inner_args),
            _ => parts.push(*a),
        }
    }
    if parts.len() == args.len() { Ok(None) } else { r.add(op.clone(), &parts).map(Some) }
}

fn concat_of_slices(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Op::Concat { axis } = op else { return Ok(None) };
    for i in 1..args.len() {
        let (Some((Op::Slice { start: s0, stop: e0, step: d0 }, a)), Some((Op::Slice { start: s1, stop: e1, step: d1 }, b))) =
            (r.view(args[i - 1]), r.view(args[i]))
        else {
            continue;
        };
        let adjacent = a[0] == b[0] && e0[*axis] == s1[*axis] && d0.iter().chain(d1).all(|d| *d == 1);
        if adjacent && (0..s0.len()).all(|k| k == *axis || (s0[k] == s1[k] && e0[k] == e1[k])) {
            let mut stop = e0.clone();
            stop[*axis] = e1[*axis];
            let (whole, x) = (Op::Slice { start: s0.clone(), stop, step: d0.clone() }, a[0]);
            let joined = r.add(whole, &[x])?;
            let parts = [&args[..i - 1], &[joined], &args[i + 1..]].concat();
            return r.add(op.clone(), &parts).map(Some);
        }
    }
    Ok(None)
}

fn pad_of_pad(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Pad { lo, hi, interior }, Some((Op::Pad { lo: l0, hi: h0, interior: i0 }, inner))) = (op, r.view(args[0]))
    else {
        return Ok(None);
    };
    if inner[1] != args[1] || interior.iter().chain(i0).any(|i| *i != 0) {
        return Ok(None);
    }
    let add = |a: &[usize], b: &[usize]| a.iter().zip(b).map(|(x, y)| x + y).collect::<Vec<_>>();
    let (both, x) = (Op::Pad { lo: add(lo, l0), hi: add(hi, h0), interior: interior.clone() }, inner[0]);
    r.add(both, &[x, args[1]]).map(Some)
}
