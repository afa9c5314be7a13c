// A model with everything that names a generated type or method: open consts, groups, a hyper, phases, outputs.
use saddlepoint::prelude::*;
use saddlepoint::{Result, Source};

gan! {
    pub model Duo {
        const V: usize;
        data pair { x: [4], y: class(V) }
        data free { x: [4] }
        hyper lambda: f32 = 1.0;
        net Body(x: [4]) -> [8] { x.dense(8).relu() }
        net D(x: [4]) -> [1] { Body(x).dense(1) }
        net C(x: [4]) -> [V] { Body(x).dense(V) }
        player D updates (D, Body) minimizes { lambda * E[softplus(-D(free.x))] }
        player C updates (C, Body) minimizes { E[cross_entropy(C(pair.x), y)] }
        train { D, C: adam(1e-4); }
        phase warm: C;
        phase play: D, C;
        output classify(x: [4]) = argmax(C(x));
        output both(x: [4]) = (D(x), C(x));
    }
}

// what the snippet declares
