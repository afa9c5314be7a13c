use saddlepoint::prelude::*;

gan! {
    model Small {
        data x: [4];
        noise z: normal([4]);
        net G(z: [4]) -> [4] {
            let mut h = z;
            for _ in 0..100_000 {
                h = h + z;
            }
            h.dense(4)
        }
        net D(x: [4]) -> [1] { x.repeat(70_000, |a, _| a + 1.0).dense(1) }
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
