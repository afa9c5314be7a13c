#![deny(unused_variables, dead_code)]

use saddlepoint::prelude::*;

gan! {
    model Small {
        data pair { x: [4], y: class(3) }
        noise z: normal([4]);
        noise w: normal([4]);
        hyper weight: f32 = 1.0;
        net G(z: [4]) -> [4] { z.dense(4) }
        net D(x: [4]) -> [1] { let h = x.dense(8); x.dense(1) }
        fn loss(a) { square(a) }
        let fake = G(z);
        let _real = x;
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(fake))] }
        player G minimizes { E[softplus(-D(fake))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        output sample = G(z);
    }
}

gan! {
    /// Silenced like any other code.
    #[allow(unused_variables)]
    model Silent {
        data x: [4];
        noise z: normal([4]);
        net D(x: [4]) -> [1] { x.dense(1) }
        player D minimizes { E[D(x)] }
        train { D: sgd(0.1); }
    }
}

fn main() -> saddlepoint::Result<()> {
    let model = Small::build(Config::new().batch(8).seed(1))?;
    let silent = Silent::build(Config::new().batch(8).seed(1))?;
    println!("{} {}", model.explain(), silent.explain());
    Ok(())
}
