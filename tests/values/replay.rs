//! Replay pools: what they hold and give back over several turns, against a pool kept by hand.

use crate::support::{Lowered, assert_close, writes};
use saddlepoint::compiler::ir::philox::draw;
use saddlepoint::prelude::*;

const SLOTS: usize = 7;
const BATCH: usize = 3;

gan! {
    /// D sees earlier samples, E the labels of earlier samples, in pools of their own; `both` is one pool of two turns.
    pub model Pools {
        data pair { x: [2], y: class(5) }
        net D(x: [2]) -> [1] { x.dense(1, bias = false) }
        net C(y: class(5)) -> [1] { y.embed(1) }
        net B(x: [2]) -> [1] { x.dense(1, bias = false) }
        fn old(x) { replay(x, SLOTS) }
        let both = replay(x, 4);
        player D minimizes { E[D(old(x))] }
        player C minimizes { E[C(old(y))] + 0.0 * E[B(old(x))] }
        player B minimizes { E[B(both)] }
        player Other updates D minimizes { E[D(both)] }
        train { D, C, B, Other: sgd(0.0); }
        metric unchanged = E[both];
    }
}

/// A pool of numbered samples and the draws that move it, as the language describes it.
struct Pool {
    slots: Vec<f64>,
    size: usize,
}

impl Pool {
    fn give(&mut self, batch: &[f64], key: [u32; 4], stream: u32) -> Vec<f64> {
        if self.slots.len() < self.size {
            let room = self.size - self.slots.len();
            self.slots.extend(batch.iter().take(room));
            return batch.to_vec();
        }
        let rotation = (draw(key, stream, 1)[0] * self.size as f32) as usize;
        let coins = draw(key, stream + 1, batch.len());
        let mut given = batch.to_vec();
        for (i, shown) in given.iter_mut().enumerate() {
            if coins[i] < 0.5 {
                std::mem::swap(shown, &mut self.slots[(rotation + i) % self.size]);
            }
        }
        given
    }
}

#[test]
fn pools_fill_and_then_exchange() {
    let lowered = Lowered::of_with::<Pools>(BATCH, &[SLOTS as f64]);
    for (player, field) in [("D", "x"), ("C", "y")] {
        let graph = &lowered.turn(player).graph;
        let pool = format!("replay.player.{player}.0");
        let mut point = lowered.point(graph, 5);
        point.set(graph, &format!("{pool}.filled"), &[0.0]);
        point.set(graph, &format!("rate.{player}"), &[0.0]);
        let weights = match player {
            "D" => lowered.point(graph, 5).state(graph, "D.dense_0.weight"),
            _ => lowered.point(graph, 5).state(graph, "C.embed_0.weight"),
        };
        let mut kept = Pool { slots: Vec::new(), size: SLOTS };
        for turn in 0..12u32 {
            let numbers: Vec<f64> = (0..BATCH).map(|i| f64::from(turn) * 0.25 + i as f64 * 0.0625 + 1.0).collect();
            let numbers: Vec<f64> = match player {
                "D" => numbers,
                _ => (0..BATCH).map(|i| f64::from((turn + i as u32) * 3 % 5)).collect(),
            };
            let key = [3, 1, turn, 0];
            point.set(graph, "key", &key.map(f64::from));
            let values: Vec<f64> = match player {
                "D" => numbers.iter().flat_map(|v| [*v, -*v]).collect(),
                _ => numbers.clone(),
            };
            point.set(graph, &format!("data.pair.{field}"), &values);
            let outcome = point.run(graph);
            let given = kept.give(&numbers, key, 0);
            let wanted = given.iter().map(|v| match player {
                "D" => v * (weights[0] - weights[1]),
                _ => weights[*v as usize],
            });
            let wanted = wanted.sum::<f64>() / BATCH as f64;
            let loss = outcome.output(&format!("loss.{player}")).expect("the loss").to_f64s();
            assert_close(&format!("turn {turn} of {player}"), &loss, &[wanted], 1e-6);
            let written = writes(graph, &outcome);
            let filled = &written[&format!("{pool}.filled")];
            assert_eq!(filled, &[kept.slots.len() as f64], "turn {turn} of {player}");
            let samples = &written[&format!("{pool}.samples")];
            let step = samples.len() / SLOTS;
            let held: Vec<f64> = samples.iter().step_by(step).take(kept.slots.len()).copied().collect();
            assert_eq!(held, kept.slots, "turn {turn} of {player}");
            outcome.store(&mut point.states);
        }
    }
}

#[test]
fn a_pool_of_a_let_belongs_to_all_turns_that_use_it_and_metrics_leave_it() {
    let mut model = Pools::build(Config::new().batch(BATCH).seed(4)).expect("it builds");
    let batch = |from: f32| {
        let x = (0..BATCH).flat_map(|i| [from + i as f32, 0.0]).collect();
        let y = Classes::new([BATCH], 5, vec![0, 1, 2]).expect("classes");
        PoolsBatch { pair: PoolsPair { x: Tensor::new([BATCH, 2], x).expect("a batch"), y } }
    };
    let samples = |model: &Pools| model.parameter("replay.let.both.0.samples").expect("the pool").as_slice().to_vec();
    model.turn(PoolsPlayer::B, &batch(1.0)).expect("a turn");
    assert_eq!(samples(&model), [1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
    model.turn(PoolsPlayer::Other, &batch(10.0)).expect("a turn");
    let held = samples(&model);
    assert_eq!(held, [1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 10.0, 0.0], "the turn of another player goes on filling it");
    model.metrics().expect("metrics");
    model.turn(PoolsPlayer::D, &batch(20.0)).expect("a turn");
    assert_eq!(samples(&model), held, "metrics and turns that do not use it leave it");
    for step in 0..8 {
        model.turn(PoolsPlayer::B, &batch(100.0 + 10.0 * step as f32)).expect("a turn");
    }
    assert_ne!(samples(&model), held, "it exchanges once it is full");
    // It is a part of the state.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pools.safetensors");
    model.save(&path).expect("a checkpoint");
    let mut other = Pools::build(Config::new().batch(BATCH).seed(4)).expect("it builds");
    other.load(&path).expect("the same model");
    assert_eq!(samples(&other), samples(&model));
    for model in [&mut model, &mut other] {
        model.step(&[batch(500.0)]).expect("a step");
    }
    assert_eq!(samples(&other), samples(&model));
}

#[test]
fn a_pool_smaller_than_a_batch_is_refused_at_its_place() {
    let error = Pools::build(Config::new().batch(5)).err().expect("four slots for five samples").to_string();
    assert!(error.contains("replay.rs:") && error.contains("4 slots") && error.contains("5 samples"), "{error}");
}
