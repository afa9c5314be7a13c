use saddlepoint::prelude::*;

gan! {
    model Small {
        data x: [2];
        noise z: normal([4]);
        net G(z: [4]) -> [2] { z.dense(2) }
        net V(x: [2]) -> [1] { x.dense(1) }
        divergence d(u) = square(u - 1) * square(u - 3);
        divergence unsolved(u) = u * ln(u) + square(u) + pow(u, 3);
        min G, max V { d.bound(V(x), V(G(z))) + E[unsolved.conjugate(V(x))] }
        metric real = E[d.treshold() * V(x)];
        train { V, G: adam(2e-4); }
        output sample = G(z);
    }
}

// The skeleton stands beside the errors: using it adds none.
fn main() -> saddlepoint::Result<()> {
    let model = Small::build(Config::new().batch(8).seed(1))?;
    println!("{}", model.explain());
    Ok(())
}
