use saddlepoint::prelude::*;

gan! {
    model Small {
        data x: [3, 8, 8];
        noise z: normal([16]);
        net G(z: [16]) -> [3, 8, 8] { z.dense(192).reshape([3, 8, 8]) + z.dense(3) }
        net D(x: [3, 8, 8]) -> [1] { x.flatten().dense(1) }
        fn apart(a, b) { square(a - b).mean() }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] + E[apart(x, z)] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        output sample = G(z);
    }
}

// The skeleton stands beside the errors: using it adds none.
fn main() -> saddlepoint::Result<()> {
    let model = Small::build(Config::new().batch(8).seed(1))?;
    println!("{}", model.explain());
    Ok(())
}
