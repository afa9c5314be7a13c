use saddlepoint::prelude::*;

gan! {
    model Small {
        data pair { x: [1, 8, 8], y: class(10) }
        noise z: normal([16]);
        net G(z: [16]) -> [1, 8, 8] { z.dense(64).reshape([1, 8, 8]).tanh() }
        net D(x: [1, 8, 8]) -> [1] { x.flatten().dense(1) }
        net C(x: [1, 8, 8]) -> [9] { x.flatten().dense(9) }
        player D minimizes { E[D(G(z))] - E[D(x)] }
        player C minimizes { E[cross_entropy(C(x), y)] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G, C: adam(2e-4); }
        output sample = G(z);
    }
}

// The skeleton stands beside the errors: using it adds none.
fn main() -> saddlepoint::Result<()> {
    let model = Small::build(Config::new().batch(8).seed(1))?;
    println!("{}", model.explain());
    Ok(())
}
