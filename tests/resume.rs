//! A run that is killed at random moments and resumed ends with the same bits as one that never stopped.

use saddlepoint::prelude::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

gan! {
    /// Everything that a resume must carry: moments, running statistics, an average, several inner steps, random draws, a
    /// schedule over the whole run.
    pub model Small {
        data  x: [6];
        noise z: normal([3]);
        hyper blur: f32 = 0.5 * (1.0 - progress);
        #[ema(0.9)]
        net G(z: [3]) -> [6] { z.dense(8).batch_norm().relu().dense(6).tanh() }
        net D(x: [6]) -> [1] { (x + 0.1 * uniform([6])).dense(8).leaky_relu(0.2).dense(1) }
        player D minimizes { E[softplus(-D(x + blur * normal([6])))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D: adam(1e-3 * (1.0 - 0.5 * progress), beta1 = 0.5), steps = 2; G: rmsprop(1e-3); }
        metric gap = E[D(x)] - E[D(G(z))];
        output sample = G(z);
    }
}

const STEPS: u64 = 600;
const KILLS: usize = 12;
const FOLDER: &str = "SADDLEPOINT_TEST_RESUME_FOLDER";

fn train(folder: &Path) -> saddlepoint::Result<Report> {
    let points = Tensor::new([100, 6], (0..600).map(|i| (i as f32 * 0.37).sin()).collect())?;
    let mut model = Small::build(Config::new().batch(16).seed(5).workers(2))?;
    let fit = Fit::steps(STEPS).into_dir(folder).log_every(20).grid_every(10_000).checkpoint_every(15);
    model.fit(&points, fit.resume().quiet())
}

/// The newest checkpoint's bytes and the lines of the metrics.
fn outcome(folder: &Path) -> (Vec<u8>, String) {
    let mut checkpoints: Vec<PathBuf> = std::fs::read_dir(folder.join("checkpoints"))
        .expect("checkpoints were written")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    checkpoints.sort();
    let newest = checkpoints.last().expect("at least one checkpoint");
    let metrics = std::fs::read_to_string(folder.join("metrics.jsonl")).expect("metrics were written");
    (std::fs::read(newest).expect("a readable checkpoint"), metrics)
}

/// Lines of the metrics so far.
fn logged(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

/// Not a test of its own: what the killed processes run.
#[test]
fn killed_process() {
    if let Ok(folder) = std::env::var(FOLDER) {
        train(Path::new(&folder)).expect("training goes on from any moment");
    }
}

#[test]
fn killed_at_random_moments_and_resumed_gives_the_same_bits() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (whole, broken) = (place.path().join("whole"), place.path().join("broken"));
    train(&whole).expect("training");
    let mut kills = 0;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    loop {
        let mut child = Command::new(std::env::current_exe().expect("this test's program"))
            .args(["killed_process", "--exact", "--nocapture"])
            .env(FOLDER, &broken)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the test's program starts");
        // Wherever it is hit: between steps, in the middle of writing a checkpoint, a line, a picture. Each life gets a few
        // lines further than the last one.
        let reached = logged(&broken);
        let wanted = reached + (kills + 1) % 4;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut status = child.try_wait().expect("the child's status");
        while status.is_none() && (kills >= KILLS || logged(&broken) < wanted) {
            std::thread::sleep(Duration::from_micros(200));
            status = child.try_wait().expect("the child's status");
        }
        std::thread::sleep(Duration::from_micros(state % 3_000));
        match status {
            Some(status) => {
                assert!(status.success(), "the resumed run failed");
                break;
            }
            None => {
                child.kill().expect("the child can be killed");
                child.wait().expect("the child is gone");
                kills += 1;
            }
        }
    }
    assert!(kills > 0, "the run was never killed");
    println!("killed {kills} times");
    let ((whole_bytes, whole_metrics), (broken_bytes, broken_metrics)) = (outcome(&whole), outcome(&broken));
    assert!(whole_bytes == broken_bytes, "after {kills} kills the last checkpoint differs");
    let steady = |text: &str| -> Vec<String> {
        // How fast a step was is not part of the result.
        let strip = |line: &str| {
            let mut value: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            if let Some(object) = value.as_object_mut() {
                object.retain(|key, _| !key.contains("second"));
            }
            value.to_string()
        };
        text.lines().map(strip).collect()
    };
    assert_eq!(steady(&whole_metrics), steady(&broken_metrics), "after {kills} kills the metrics differ");
}
