use saddlepoint::prelude::*;

gan! {
    model Small {
        data x: [1, 8, 8];
        noise z: normal([16]);
        net G(z: [16]) -> [1, 8, 8] { return z.dense(64).reshape([1, 8, 8]).tanh() }
        net D(x: [1, 8, 8]) -> [1] {
            let unit = _;
            let h = &x;
            if h.mean() > 0.0 { return h; }
            h.flatten().dense(1) as f32
        }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
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
