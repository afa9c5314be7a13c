//! `SADDLEPOINT_EMIT` writes every stage, and what it writes is the same in every process.

use saddlepoint::compiler::ir::Graph;
use saddlepoint::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

gan! {
    /// A critic of two batches, with a penalty of second order and batch statistics: every stage has something to do.
    model Small {
        data  x: [1, 8, 8];
        noise z: normal([4]);
        net G(z: [4]) -> [1, 8, 8] {
            z.dense(8 * 4 * 4).reshape([8, 4, 4]).batch_norm().relu().conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 8, 8]) -> [1] { x.conv(6, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2).flatten().dense(1) }
        let fake = G(z);
        let mid = mix(x, fake, uniform([1]));
        player D minimizes { E[D(fake)] - E[D(x)] + 10.0 * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player G minimizes { -E[D(fake)] }
        train { D, G: adam(1e-3); }
        output sample = G(z);
    }
}

fn built() -> saddlepoint::Result<Small> {
    Small::build(Config::new().batch(6).seed(3).workers(2))
}

/// What another process does; see below. Prints the parameters' bits after two steps.
#[test]
fn build_and_step() {
    if std::env::var_os("SADDLEPOINT_EMIT").is_none() {
        return;
    }
    let mut model = built().expect("it builds");
    let x = Tensor::new([6, 1, 8, 8], (0..384).map(|i| (i as f32 * 0.37).sin()).collect()).expect("pictures");
    for _ in 0..2 {
        model.step(&[SmallBatch { x: x.clone() }]).expect("a step");
    }
    for name in ["D.conv_0.weight", "D.dense_0.weight", "G.dense_0.weight"] {
        let bits: Vec<u32> = model.parameter(name).expect("a parameter").as_slice().iter().map(|v| v.to_bits()).collect();
        println!("bits {name} {bits:x?}");
    }
}

/// The files that a process of its own writes, by name, and what it prints.
fn emitted(kinds: &str, folder: &Path) -> (BTreeMap<String, String>, String) {
    let output = Command::new(std::env::current_exe().expect("a path"))
        .args(["build_and_step", "--exact", "--nocapture", "--test-threads=1"])
        .env("SADDLEPOINT_EMIT", format!("{kinds}{}", folder.display()))
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(entry.path()).expect("text"))
    };
    let files = std::fs::read_dir(folder).expect("the folder").map(|entry| text(entry.expect("an entry"))).collect();
    let printed =
        String::from_utf8_lossy(&output.stdout).lines().filter(|l| l.contains("bits ")).collect::<Vec<_>>().join("\n");
    (files, printed)
}

#[test]
fn every_stage_of_every_program_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let (files, _) = emitted("", folder.path());
    let stages = [
        "0-lowered",
        "1-dead-code",
        "2-graph-rules",
        "3-directed-rules",
        "4-shared-weight-batching",
        "5-equality-saturation",
    ];
    for program in ["turn-D", "turn-G", "output-sample"] {
        for stage in stages {
            let text = &files[&format!("Small.{program}.{stage}.ir")];
            assert_eq!(text.parse::<Graph>().expect("it can be read back").to_string(), *text);
            assert!(files[&format!("Small.{program}.{stage}.dot")].starts_with("digraph"));
        }
        assert!(files[&format!("Small.{program}.plan")].contains("kernel"));
        assert!(files[&format!("Small.{program}.clif")].contains("function"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (files, _) = emitted("plan:", folder.path());
    assert!(!files.is_empty() && files.keys().all(|name| name.ends_with(".plan")), "{:?}", files.keys());
}

#[test]
fn twenty_processes_build_the_same_programs_and_compute_the_same_bits() {
    let run = || emitted("", tempfile::tempdir().expect("a folder").path());
    let (files, printed) = run();
    assert!(printed.contains("bits G.dense_0.weight"), "{printed}");
    for _ in 1..20 {
        let (others, other) = run();
        assert_eq!(printed, other);
        assert!(files == others, "files differ");
    }
}

#[test]
fn the_explanation_names_programs_stages_and_rules() {
    let model = built().expect("it builds");
    let text = model.explain();
    for word in ["model Small", "turn D", "output sample", "lowered", "directed rules", "dot-of-broadcast", "saved"] {
        assert!(text.contains(word), "{word:?} is missing:\n{text}");
    }
    let page = model.explain_html();
    for word in ["<!DOCTYPE html>", "turn D", "peak memory", "<code>dot-of-broadcast</code>"] {
        assert!(page.contains(word), "{word:?} is missing:\n{page}");
    }
}
