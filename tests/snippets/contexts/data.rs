// Readers of data, and models that are fitted to them.
use saddlepoint::prelude::*;

gan! {
    model Faces {
        data x: [3, 64, 64];
        net D(x: [3, 64, 64]) -> [1] { x.flatten().dense(1) }
        player D minimizes { E[softplus(-D(x))] }
        train { D: adam(1e-4); }
    }
}

gan! {
    model Cycle {
        data a: [3, 64, 64];
        data b: [3, 64, 64];
        net D(x: [3, 64, 64]) -> [1] { x.flatten().dense(1) }
        player D minimizes { E[softplus(-D(a))] + E[softplus(D(b))] }
        train { D: adam(1e-4); }
    }
}

fn read(
    gan: &mut Faces,
    cycle: &mut Cycle,
    (n, values): (usize, Vec<f32>),
    (horses, zebras): (Tensor, Tensor),
) -> saddlepoint::Result<()> {
    // the snippet
    Ok(())
}
