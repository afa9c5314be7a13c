// A loop of the host around a model that answers sentences; `human` is whoever scores them.
use saddlepoint::prelude::*;

gan! {
    model Chat {
        const V: usize;
        const T: usize = 5;
        data turn { c: [T] of class(V), said: [T] of class(V), reward: [] }
        net Word(c: [T] of class(V)) -> [T, V] { c.embed(8).dense(V) }
        player Bot updates Word maximizes { E[(reward - E[reward]) * log_prob(Word(c), said).sum()] }
        train { Bot: adam(1e-4); }
        output reply(c) = sample(Word(c));
    }
}

fn human(_asked: &[i32], _said: &[i32]) -> f32 {
    1.0
}

fn talk(source: &Classes, vocabulary: &[String]) -> saddlepoint::Result<()> {
    let mut prompts = source.draws(3);
    // the snippet
    Ok(())
}
