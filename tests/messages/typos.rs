use saddlepoint::prelude::*;

gan! {
    model Typos {
        data pair { picture: [4], label: class(3) }
        noise code: normal([8]);
        latent style: [4] per pari;
        hyper weight: f32 = 1.0;
        hyper later: f32 = wieght * 2.0;
        #[frozne]
        net Fixed(x: [4]) -> [4] { x }
        net Maker(z: [8]) -> [4] { z.dense(4, bais = false) }
        net Judge(x: [4]) -> [1] { Fixed(x).dense(1) }
        fn score(value) { softplus(vlaue) }
        divergence js(u) = u * ln(u);
        let fake = Maker(code);
        player Judge updates (Jugde, style) minimizes { E[scroe(Judge(picture))] + js.bond(Judge(fkae), Judge(pair.pictures)) }
        player Maker minimizes { later * E[square(Judeg(Maker(coed)))] }
        playr Third minimizes { 1.0 }
        train { Jugde: adam(1e-4); Maker: adma(1e-4), stpes = 2; }
        phase all: Judge, Makre;
        output made = Mkaer(code);
    }
}

// The skeleton stands beside the errors: using it adds none.
fn main() -> saddlepoint::Result<()> {
    let model = Typos::build(Config::new().batch(8).seed(1))?;
    println!("{}", model.explain());
    Ok(())
}
