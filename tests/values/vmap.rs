//! `vmap` gives what a `for` over the entries gives, whatever its closure looks at; draws and batch statistics count the entries
//! as samples.

use crate::support::difference::check;
use crate::support::{Lowered, assert_close};
use saddlepoint::prelude::*;

/// A model whose outputs come in pairs: `vmap`, and the same by `for`.
macro_rules! pairs {
    ($($name:ident($($argument:ident),*) over $over:expr, $n:literal, $entry:pat => $body:expr;)*) => {
        gan! {
            #[allow(dead_code)] // only the text of the model is used
            pub model Pairs {
                data pair { x: [2, 3], v: [3], y: class(4), w: [2] of class(4) }
                latent table: [2, 3];
                net N(x: [3]) -> [2] { x.dense(4).tanh().dense(2) }
                net Two(x: [3], y: class(4)) -> ([2], [3]) { let h = concat(x, y.embed(2)).dense(3).tanh(); (h.dense(2), h) }
                fn scale(h, by) { h * by }
                fn stack_of(h, y) { let mut all = list(); all.push(h); all.push(h * one_hot(y).sum()); stack(all) }
                fn chain(h, n) { let mut h = h; for i in 0..n { h = tanh(h + 0.1 * i); } h }
                player N updates (N, Two, table) minimizes { E[N(v)] + E[Two(v, y).0] + table.sum() }
                train { N: sgd(1.0); }
                $(output $name($($argument),*) = vmap($over, |$entry| $body);)*
            }
        }
        gan! {
            #[allow(dead_code)] // only the text of the model is used
            pub model Loops {
                data pair { x: [2, 3], v: [3], y: class(4), w: [2] of class(4) }
                latent table: [2, 3];
                net N(x: [3]) -> [2] { x.dense(4).tanh().dense(2) }
                net Two(x: [3], y: class(4)) -> ([2], [3]) { let h = concat(x, y.embed(2)).dense(3).tanh(); (h.dense(2), h) }
                fn scale(h, by) { h * by }
                fn stack_of(h, y) { let mut all = list(); all.push(h); all.push(h * one_hot(y).sum()); stack(all) }
                fn chain(h, n) { let mut h = h; for i in 0..n { h = tanh(h + 0.1 * i); } h }
                player N updates (N, Two, table) minimizes { E[N(v)] + E[Two(v, y).0] + table.sum() }
                train { N: sgd(1.0); }
                $(output $name($($argument),*) = { let mut all = list(); for i in 0..$n { let $entry = $over[i]; all.push($body); } stack(all) };)*
            }
        }
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

pairs! {
    per_sample(x) over x, 2, row => row.sum();
    net(x) over x, 2, row => N(row);
    captured(x, v, y) over x, 2, row => N(row + v) * Two(v, y).0;
    batch_free() over table, 2, row => 2.0 * row + row.sum();
    batch_free_with_samples(v) over table, 2, row => N(row) + v.sum() * row[0];
    through_a_fn(x, v) over x, 2, row => scale(chain(row, 3), v);
    classes_of_samples(v, w) over w, 2, k => Two(v, k).1;
    all_classes(v) over classes(4), 4, k => Two(v, k).0;
    chosen(x, y) over x, 2, row => select(row > 0.0, row, y.one_hot().sum());
    nested(x) over x, 2, row => vmap(row, |e| e * row).sum(axis = 1);
    nested_over_another(x, v) over x, 2, row => vmap(v, |e| e * row.sum());
    nested_batch_free(x) over x, 2, row => vmap(table, |t| matmul(t, row));
    nested_twice_free() over table, 2, row => vmap(table, |t| cosine(t, row));
    nested_in_samples(v) over table, 2, row => vmap(v, |e| e * row);
    constant(x) over x, 2, row => ones([2]) + 0.0 * row[0];
    free_of_the_entry(v) over table, 2, _ => v;
    slope(x) over x, 2, row => grad(square(N(row)), row);
    normed(x) over x, 2, row => row.softmax() / row.norm() + amax(row) * log_softmax(row);
    repeated(x, y) over x, 2, row => copies(row, 2) + stack_of(row, y);
}

#[test]
fn a_for_over_the_entries_gives_the_same() {
    // Parameters of the two models have the same names, and so the same values.
    let (pairs, loops) = (Lowered::of::<Pairs>(3), Lowered::of::<Loops>(3));
    for name in NAMES {
        let run = |lowered: &Lowered| {
            let graph = lowered.output(name);
            let outcome = lowered.point(graph, 5).run(graph);
            let value = outcome.outputs[0].1.clone();
            (value.ty.shape.clone(), value.to_f64s())
        };
        let (found, wanted) = (run(&pairs), run(&loops));
        assert_eq!(found.0, wanted.0, "shape of {name}");
        assert_close(name, &found.1, &wanted.1, 1e-12);
    }
}

#[allow(dead_code)] // only the text of the models is used
mod penalised {
    use saddlepoint::prelude::*;

    gan! {
        /// Layers inside, latents and samples over which it runs, a penalty on a derivative.
        pub model Penalised {
            data x: [2, 3];
            latent table: [2, 3];
            net Inside(x: [2, 3]) -> [2, 2] { vmap(x, |row| row.dense(4).tanh().dense(2)) }
            net Normalised(x: [2, 3]) -> [2, 2] { vmap(x, |row| row.dense(4).batch_norm().tanh().dense(2)) }
            net Outside(x: [3]) -> [1] { x.dense(4).tanh().dense(1) }
            fn penalised(y, x) { E[y] + E[square(grad(y, x).norm() - 1.0)] }
            player Inside minimizes { penalised(exp(0.5 * Inside(x)), x) }
            player Normalised minimizes { penalised(exp(0.5 * Normalised(x)), x) }
            player Outside minimizes {
                E[vmap(x, |row| square(grad(exp(Outside(row)), row).norm() - 1.0))] + E[square(vmap(table, |t| Outside(t)))]
            }
            player table minimizes { E[square(vmap(table, |t| Outside(t + x[0])))] + square(vmap(table, |t| t.norm())).sum() }
            train { Inside, Normalised, Outside, table: sgd(1.0); }
        }
    }
}

#[test]
fn it_differentiates_twice() {
    check::<penalised::Penalised>(3);
}

/// Adds each row its place among all rows, and says how many there are by failing on any other number.
fn numbered(x: Expr) -> Expr {
    let n = x.shape()[0];
    x.reshape(&[n, 3]) * x.scalar(n as f32)
}

gan! {
    /// What sees the rows themselves: draws, batch statistics, other samples, Rust functions.
    pub model Rows {
        data x: [2, 1];
        net N(x: [2, 1]) -> [2, 1] { vmap(x, |e| e.batch_norm()) }
        player N minimizes { E[N(x)] }
        train { N: sgd(0.0); }
        metric equal = E[vmap(x, |_| normal([1]) == normal([1]))];
        let drawn = vmap(x, |e| e * 0.0 + uniform([1]));
        metric entries = E[drawn[0] == drawn[1]];
        let free = vmap(ones([2, 1]), |_| uniform([1]));
        metric free_entries = E[free[0] == free[1]];
        metric free_samples = E[free == other_sample(free)];
        metric thrown = E[vmap(x, |e| other_sample(e)) == x];
        metric kept = E[vmap(x, |e| other_sample(e))];
        metric numbered = E[vmap(x, |e| crate::vmap::numbered(e.spread_out()))];
        fn spread_out(e) { concat(e, e, e) }
        output drawn_in_an_output(x) = vmap(x, |e| e * 0.0 + uniform([1]));
    }
}

#[test]
fn entries_are_rows_beside_those_of_the_batch() {
    let mut model = Rows::build(Config::new().batch(3).seed(2)).expect("it builds");
    let x = [0.5f32, 10.0, 1.5, 20.0, 2.5, 30.0];
    let batch = RowsBatch { x: Tensor::new([3, 2, 1], x.to_vec()).expect("a batch") };
    model.step(&[batch]).expect("a step");
    let metrics = model.metrics().expect("metrics");
    assert_eq!((metrics.equal, metrics.entries, metrics.free_entries, metrics.free_samples), (0.0, 0.0, 0.0, 0.0));
    // The same entry of another sample.
    let mean = x.iter().sum::<f32>() / 6.0;
    assert_eq!(metrics.thrown, 0.0);
    assert!((metrics.kept - mean).abs() < 1e-5, "{metrics:?}");
    // Six rows: three samples of two entries.
    assert!((metrics.numbered - 6.0 * mean).abs() < 1e-4, "{metrics:?}");
    // Statistics of all six together: mean 10.75.
    let running = model.parameter("N.batch_norm_0.running_mean").expect("a statistic").as_slice()[0];
    assert!((running - 0.1 * mean).abs() < 1e-5, "{running}");
    let drawn = model.drawn_in_an_output(&Tensor::new([3, 2, 1], x.to_vec()).expect("samples")).expect("an output");
    let mut values = drawn.as_slice().to_vec();
    values.sort_by(f32::total_cmp);
    values.dedup();
    assert_eq!(values.len(), 6, "a draw for each sample and entry: {drawn:?}");
}
