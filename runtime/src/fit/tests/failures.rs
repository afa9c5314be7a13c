//! What cannot be written: before training, while it runs, at its end. And what a run removes.

use std::fs;
use std::path::Path;

use super::{Fake, files, into, run};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::fit::Fit;

fn steps_of_checkpoints(root: &Path) -> Vec<u64> {
    let names = files(root).into_keys().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_string();
        name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()
    });
    names.collect()
}

#[test]
fn a_run_keeps_its_newest_checkpoints_also_over_a_resume_and_touches_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    run(&mut Fake::new(), &into(&root).keep(2)).unwrap();
    assert_eq!(steps_of_checkpoints(&root), [30, 40]);
    // The newest is damaged: the run goes on from 30 and leaves it until it is written anew.
    fs::write(root.join("checkpoints/step-00000040.safetensors"), "damaged").unwrap();
    fs::write(root.join("checkpoints/best.safetensors"), "by hand").unwrap();
    let mut stopped = Fake::new();
    run(&mut stopped, &into(&root).checkpoint_every(2).keep(1).resume()).unwrap();
    assert_eq!(steps_of_checkpoints(&root), [40]);
    assert!(Checkpoint::read(root.join("checkpoints/step-00000040.safetensors")).is_ok());
    assert!(root.join("checkpoints/best.safetensors").exists());
    // Another run into the same folder: the first is aside, whole.
    run(&mut Fake::new(), &into(&root).keep(1)).unwrap();
    assert_eq!(steps_of_checkpoints(&folder.path().join("fake.1")), [40]);
    // Ten stay unless told otherwise; all where that is asked for.
    run(&mut Fake::new(), &into(&root).checkpoint_every(2)).unwrap();
    assert_eq!(steps_of_checkpoints(&root), (11..=20).map(|k| 2 * k).collect::<Vec<u64>>());
    run(&mut Fake::new(), &into(&root).checkpoint_every(2).keep(usize::MAX)).unwrap();
    assert_eq!(steps_of_checkpoints(&root).len(), 20);
    assert!(matches!(run(&mut Fake::new(), &into(&root).keep(0)), Err(Error::Setting { setting: "keep", .. })));
}

#[test]
fn checkpoints_beyond_the_step_a_run_stands_at_are_not_counted_as_its_newest() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    run(&mut Fake::new(), &into(&root)).unwrap();
    for step in [30, 40] {
        fs::write(root.join(format!("checkpoints/step-{step:08}.safetensors")), "damaged").unwrap();
    }
    // From step 20, and stopped at 25: the good one must not give way to damaged ones with higher numbers.
    let mut model = Fake::new();
    run(&mut model, &Fit::steps(25).into_dir(&root).checkpoint_every(5).keep(1).quiet().resume()).unwrap();
    assert_eq!(steps_of_checkpoints(&root), [25, 30, 40]);
    assert_eq!(Checkpoint::read(root.join("checkpoints/step-00000025.safetensors")).unwrap().step, 25);
}

/// Makes a path unusable before a step: a file where a folder has to be, or a folder where a file has to be.
fn sabotaged(step: u64, change: impl Fn() + 'static) -> Fake {
    let change = move |at: u64| {
        if at == step {
            change();
        }
    };
    Fake { before_step: Some(Box::new(change)), ..Fake::new() }
}

#[test]
fn pictures_that_cannot_be_written_are_one_warning_and_training_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let samples = root.join("samples");
    let mut model = sabotaged(3, move || fs::write(&samples, "in the way").unwrap());
    let report = run(&mut model, &into(&root).grid_every(5)).unwrap();
    let said = report.warnings.iter().filter(|warning| warning.contains("the samples could not be written")).count();
    assert_eq!((report.step, said), (40, 1), "{:?}", report.warnings);
    assert_eq!(steps_of_checkpoints(&root), [10, 20, 30, 40]);
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_older_ones_and_ends_the_run_only_if_it_is_the_last() {
    let folder = tempfile::tempdir().unwrap();
    for (until, lost) in [(Some(35), false), (None, true)] {
        let root = folder.path().join(format!("lost-{lost}"));
        let (checkpoints, aside) = (root.join("checkpoints"), root.join("elsewhere"));
        let change = move |step: u64| {
            if step == 15 {
                fs::rename(&checkpoints, &aside).unwrap();
                fs::write(&checkpoints, "in the way").unwrap();
            }
            if until == Some(step) {
                fs::remove_file(&checkpoints).unwrap();
                fs::rename(&aside, &checkpoints).unwrap();
            }
        };
        let mut model = Fake { before_step: Some(Box::new(change)), ..Fake::new() };
        let outcome = run(&mut model, &into(&root).keep(1));
        assert_eq!(model.step, 40);
        if lost {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("step 40 is not saved") && error.contains("step-00000010"), "{error}");
            assert!(Checkpoint::read(root.join("elsewhere/step-00000010.safetensors")).is_ok());
            assert!(fs::read_to_string(root.join("events.jsonl")).unwrap().contains("\"failed\""));
        } else {
            let warnings = outcome.unwrap().warnings;
            assert!(warnings.iter().any(|warning| warning.contains("no checkpoint of step 20")), "{warnings:?}");
            assert_eq!(steps_of_checkpoints(&root), [40]);
        }
    }
}

/// What the test below starts as a process of its own, under a limit on the size of files; alone it does nothing.
#[test]
fn child_on_a_full_disk() {
    let Some(root) = std::env::var_os("SADDLEPOINT_FULL_DISK") else { return };
    let fit = Fit::steps(4_000).into_dir(root).log_every(1).grid_every(4_000).checkpoint_every(1_000).quiet();
    let report = run(&mut Fake::new(), &fit).unwrap();
    println!("reached {}, warned {:?}", report.step, report.warnings);
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_no_longer_fits_holds_whole_lines_only_and_training_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let program = std::env::current_exe().unwrap();
    // Files end at 64 blocks: the log does not fit, the checkpoints do.
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact fit::tests::failures::child_on_a_full_disk --nocapture";
    let mut shell = std::process::Command::new("sh");
    let output = shell.args(["-c", limited]).arg(program).env("SADDLEPOINT_FULL_DISK", &root).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(out.contains("reached 4000") && out.matches("the log could not be written").count() == 1, "{out}");
    let log = fs::read_to_string(root.join("metrics.jsonl")).unwrap();
    assert!(log.len() > 20_000 && log.ends_with('\n'), "{}", log.len());
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert_eq!(steps_of_checkpoints(&root), [1_000, 2_000, 3_000, 4_000]);
}
