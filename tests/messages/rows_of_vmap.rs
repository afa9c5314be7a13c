//! `vmap` computes all entries at once: what would need one after the other, or all together, is refused.

use saddlepoint::prelude::*;

gan! {
    pub model Rows {
        data x: [4, 2];
        noise z: normal([2]);
        net G(z: [2]) -> [2] { z.dense(2) }
        net D(x: [2]) -> [1] { x.dense(8).tanh().dense(1) }
        net Pooled(x: [2]) -> [1] { replay(x, 50).dense(1) }
        let fake = G(z);
        player D minimizes { E[vmap(x, |row| grad(D(row + fake), fake).norm())] + E[vmap(x, |row| D(replay(row, 50)))] }
        player G minimizes { E[vmap(x, |row| E[D(fake) * row.sum()])] }
        player Pooled minimizes { E[Pooled(fake)] }
        train { D, G, Pooled: adam(1e-4); }
        output old(x: [2]) = replay(x, 50);
    }
}

fn main() {}
