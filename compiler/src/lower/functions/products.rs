//! Products of the values of one sample: matmul, cosine, attention.

use super::reduce::softmax;
use crate::ir::{DotDims, Expr};
use saddlepoint_language::Typed;

/// `[k]·[k]`, `[n,k]·[k]`, `[k]·[k,m]`, `[n,k]·[k,m]`, for each sample where an operand has a batch axis.
pub fn matmul(a: &Typed<Expr>, b: &Typed<Expr>) -> Expr {
    let (la, lb) = (usize::from(a.ty.per_sample), usize::from(b.ty.per_sample));
    let (ra, rb) = (a.ty.shape.len(), b.ty.shape.len());
    let both = la == 1 && lb == 1;
    let dims = DotDims {
        lhs_batch: if both { vec![0] } else { vec![] },
        rhs_batch: if both { vec![0] } else { vec![] },
        lhs_contract: vec![la + ra - 1],
        rhs_contract: vec![lb],
    };
    let product = a.tensor.dot(&b.tensor, dims);
    // A batch axis of the right operand alone comes after the left's free axis: bring it to the front.
    if la == 0 && lb == 1 && ra == 2 {
        let mut perm: Vec<usize> = vec![1, 0];
        perm.extend(2..product.rank());
        debug_assert!(rb <= 2);
        return product.transpose(&perm);
    }
    product
}

/// a·b / (|a|·|b|); the norms carry 10⁻¹² inside the root.
pub fn cosine(a: &Expr, b: &Expr) -> Expr {
    let last = [a.rank() - 1];
    let norm = |x: &Expr| x.square().sum(&last).shift(1e-12).sqrt();
    (a * b).sum(&last) / (norm(a) * norm(b))
}

/// softmax(q·kᵀ/√e)·v over `[batch, t, e]`, `[batch, s, e]`, `[batch, s, f]` (Vaswani et al. 2017, eq. 1).
pub fn attention(q: &Expr, k: &Expr, v: &Expr) -> Expr {
    let each = |l, r| DotDims { lhs_batch: vec![0], rhs_batch: vec![0], lhs_contract: vec![l], rhs_contract: vec![r] };
    let e = q.shape().last().copied().unwrap_or(1);
    let scores = q.dot(k, each(2, 2)).scale(1.0 / (e as f32).sqrt());
    softmax(&scores, 2).dot(v, each(2, 1))
}
