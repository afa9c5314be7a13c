// Items of a model with a generator `G` and a score `V`.
use saddlepoint::prelude::*;

gan! {
    model Divergent {
        data x: [2];
        noise z: normal([2]);
        net G(z: [2]) -> [2] { z.dense(2) }
        net V(x: [2]) -> [1] { x.dense(1) }
        // the snippet
        metric own = E[js2.activation(V(x))];
        train { G, V: adam(1e-4); }
    }
}
