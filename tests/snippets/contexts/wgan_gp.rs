// Items of a model with data, noise and both nets.
use saddlepoint::prelude::*;

gan! {
    model Critic {
        data x: [2];
        noise z: normal([8]);
        net G(z: [8]) -> [2] { z.dense(2) }
        net D(x: [2]) -> [1] { x.dense(1) }
        // the snippet
    }
}
