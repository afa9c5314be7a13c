//! The rule of general products: each operand's cotangent is a product of the result's with the other operand.

use super::Site;
use crate::ir::{DotDims, Expr};

/// y = a · b, with axes (batch, free of a, free of b).
pub(super) fn dot(dims: &DotDims, site: &Site, g: &Expr) -> Vec<Option<Expr>> {
    let (a, b) = (&site.args[0], &site.args[1]);
    let batch = dims.lhs_batch.len();
    let a_free = DotDims::free(a.rank(), &dims.lhs_batch, &dims.lhs_contract);
    let b_free = DotDims::free(b.rank(), &dims.rhs_batch, &dims.rhs_contract);
    let a_places: Vec<usize> = (batch..batch + a_free.len()).collect();
    let b_places: Vec<usize> = (batch + a_free.len()..g.rank()).collect();
    let lhs = Side { batch: &dims.lhs_batch, contract: &dims.lhs_contract, free: &a_free, places: &a_places };
    let rhs = Side { batch: &dims.rhs_batch, contract: &dims.rhs_contract, free: &b_free, places: &b_places };
    vec![site.when(0, || side(g, b, &lhs, &rhs)), site.when(1, || side(g, a, &rhs, &lhs))]
}

/// One operand's axes by role.
struct Side<'a> {
    batch: &'a [usize],
    contract: &'a [usize],
    free: &'a [usize],
    /// The places of the free axes in the result.
    places: &'a [usize],
}

/// The cotangent of the operand `own`: g and the operand `other`, summed over the other's free axes.
fn side(g: &Expr, other: &Expr, own: &Side, others: &Side) -> Expr {
    let batch: Vec<usize> = (0..own.batch.len()).collect();
    // What is left of the other operand are its contracted axes, ascending: where they belong in the own operand.
    let mut pairs: Vec<(usize, usize)> = others.contract.iter().copied().zip(own.contract.iter().copied()).collect();
    pairs.sort_unstable();
    let contracted: Vec<usize> = pairs.into_iter().map(|(_, own)| own).collect();
    // Result axes of both orders of the operands, as axes of the own operand; the one that needs no transpose is taken.
    let forward = [own.batch, own.free, &contracted].concat();
    let backward = [own.batch, &contracted, own.free].concat();
    let ordered = |axes: &[usize]| axes.iter().enumerate().all(|(i, a)| i == *a);
    let (product, axes) = match ordered(&backward) && !ordered(&forward) {
        false => {
            let dims = DotDims {
                lhs_batch: batch,
                rhs_batch: others.batch.to_vec(),
                lhs_contract: others.places.to_vec(),
                rhs_contract: others.free.to_vec(),
            };
            (g.dot(other, dims), forward)
        }
        true => {
            let dims = DotDims {
                lhs_batch: others.batch.to_vec(),
                rhs_batch: batch,
                lhs_contract: others.free.to_vec(),
                rhs_contract: others.places.to_vec(),
            };
            (other.dot(g, dims), backward)
        }
    };
    super::movement::transpose(&axes, &product)
}
