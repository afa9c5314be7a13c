//! Products of matrices and vectors, densities of the normal distribution.

use crate::function::Function;
use crate::signature::arguments::{agree, written};
use crate::signature::{Bound, Plan, Problem, Signature, elementwise, function};

pub(super) const TABLE: &[Signature] = &[
    function("matmul", &["a", "b"], matmul),
    function("cosine", &["a", "b"], cosine),
    function("attention", &["q", "k", "v"], attention),
    function("kl_normal", &["mu", "s"], |b| summed(b, Function::KlNormal, 2)),
    function("normal_log_prob", &["x", "mu", "s"], |b| summed(b, Function::NormalLogProb, 3)),
];

fn matmul(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (left, right) = (b.float(0)?, b.float(1)?);
    let shape = match (&left.shape[..], &right.shape[..]) {
        ([k], [l]) if agree(*k, *l) => vec![],
        ([n, k], [l]) if agree(*k, *l) => vec![*n],
        ([k], [l, m]) if agree(*k, *l) => vec![*m],
        ([n, k], [l, m]) if agree(*k, *l) => vec![*n, *m],
        (a, c) if (1..=2).contains(&a.len()) && (1..=2).contains(&c.len()) => {
            return Err(format!(
                "`matmul` of {left} and {right}: the last axis of the first ({}) must equal the first of the second ({})",
                a[a.len() - 1],
                c[0]
            )
            .into());
        }
        _ => return Err(format!("`matmul` takes vectors and matrices, got {left} and {right}").into()),
    };
    Ok(Plan::one(Function::Matmul, 2, b.result(shape)))
}

fn cosine(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (left, right) = (b.float(0)?, b.float(1)?);
    match (&left.shape[..], &right.shape[..]) {
        ([n], [m]) if agree(*n, *m) => Ok(Plan::one(Function::Cosine, 2, b.result(vec![]))),
        _ => Err(format!("`cosine` takes two vectors of one length, got {left} and {right}; flatten them first").into()),
    }
}

fn attention(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (q, k, v) = (b.float(0)?, b.float(1)?, b.float(2)?);
    match (&q.shape[..], &k.shape[..], &v.shape[..]) {
        ([t, e], [s, e2], [s2, f]) if agree(*e, *e2) && agree(*s, *s2) => {
            Ok(Plan::one(Function::Attention, 3, b.result(vec![*t, *f])))
        }
        _ => Err(format!("`attention` takes q [t, e], k [s, e] and v [s, f], got {q}, {k} and {v}").into()),
    }
}

fn summed(b: &Bound<'_>, function: Function, operands: usize) -> Result<Plan, Problem> {
    let first = b.float(0)?.shape;
    for index in 1..operands {
        let other = b.float(index)?.shape;
        let combined = elementwise::combine(&first, &other)?;
        if combined.len() != first.len() || !combined.iter().zip(&first).all(|(a, c)| agree(*a, *c)) {
            let name = b.signature.name;
            return b.problem(
                index,
                format!("`{name}` sums over the elements of {}, got {} beside it", written(&first), written(&other)),
            );
        }
    }
    Ok(Plan::one(function, operands, b.result(vec![])))
}
