use saddlepoint::prelude::*;

gan! {
    model Small {
        data pair { x: [1, 8, 8], y: class(10) }
        noise z: normal([16]);
        net G(z: [16], y: [10]) -> [1, 8, 8] { concat(z, y).dense(64).reshape([1, 8, 8]).tanh() }
        net D(x: [1, 8, 8]) -> [1] { x.flatten().dense(1) }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z, y)))] }
        player G minimizes { E[softplus(-D(G(z, y.one_hot())))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        output sample(y) = G(z, y.one_hot());
    }
}

// The skeleton stands beside the errors: using it adds none.
fn main() -> saddlepoint::Result<()> {
    let model = Small::build(Config::new().batch(8).seed(1))?;
    println!("{}", model.explain());
    Ok(())
}
