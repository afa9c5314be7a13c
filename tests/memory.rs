//! Training holds its memory: ten thousand steps need no more than a thousand.
#![cfg(target_os = "linux")]

use saddlepoint::prelude::*;

gan! {
    /// Small enough to step ten thousand times in a test.
    pub model Small {
        data  x: [2];
        noise z: normal([4]);
        net G(z: [4]) -> [2] { z.dense(16).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(16).relu().dense(1) }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(1e-4, beta1 = 0.5); }
        metric gap = E[D(x)] - E[D(G(z))];
    }
}

/// Resident memory of this process, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel's account of this process");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("resident memory is listed");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of kilobytes")
}

#[test]
fn ten_thousand_steps_need_no_more_memory_than_a_thousand() {
    let points = Tensor::new([512, 2], (0..1024).map(|i| (i as f32).sin()).collect()).expect("points");
    let mut model = Small::build(Config::new().batch(32).seed(1)).expect("the model builds");
    model.fit(&points, Fit::steps(1_000).quiet()).expect("training");
    let before = resident();
    model.fit(&points, Fit::steps(9_000).quiet()).expect("training");
    let grown = resident().saturating_sub(before);
    assert!(grown < 1_024, "memory grew by {grown} kB over 9,000 steps");
}
