// Items of a model beside the Rust function that they call.
use saddlepoint::prelude::*;

fn hinge(margin: Expr) -> Expr {
    (1.0 - margin).relu()
}

gan! {
    model Hinged {
        data x: [2];
        noise z: normal([8]);
        net G(z: [8]) -> [2] { z.dense(2) }
        net D(x: [2]) -> [1] { x.dense(1) }
        // the snippet
        train { D, G: adam(1e-4); }
    }
}
