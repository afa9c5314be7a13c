//! The report of a run folder: there from the first pictures on, and right however the run ends.
#![cfg(feature = "report")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Breaks, Fake, into, run};

fn report(root: &Path) -> String {
    fs::read_to_string(root.join("report.html")).unwrap()
}

#[test]
fn a_report_is_written_with_every_grid_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let (seen, at) = (root.clone(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let log = at.clone();
    let look = move |step: u64| {
        if step == 19 || step == 20 {
            log.lock().unwrap().push(fs::read_to_string(seen.join("report.html")).ok());
        }
    };
    let mut model = Fake { before_step: Some(Box::new(look)), ..Fake::new() };
    run(&mut model, &into(&root)).unwrap();
    let seen = at.lock().unwrap();
    assert!(seen[0].is_none());
    assert!(seen[1].as_ref().unwrap().contains("step 20 of 40"));
    let end = report(&root);
    assert!(end.contains("Finished") && end.contains("step 40 of 40") && end.contains("step-00000040.safetensors"));
    // Two pictures of the output that is a picture, with a slider; warnings of collapse.
    assert_eq!(end.matches("Samples of the output sample after step").count(), 2);
    assert!(end.contains("all but the same"));
}

#[test]
fn interrupted_resumed_and_diverged_runs_have_reports_that_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let flag = Arc::new(AtomicBool::new(false));
    let mut stopped = Fake { stops: Some((24, flag.clone())), ..Fake::new() };
    run(&mut stopped, &into(&root).stop_when(flag)).unwrap();
    assert!(report(&root).contains("Interrupted") && report(&root).contains("step 25 of 40"));
    let mut breaking = Fake { breaks: Some((33, Breaks::Objective)), ..Fake::new() };
    run(&mut breaking, &into(&root).resume()).unwrap_err();
    let text = report(&root);
    let top = &text[..text.find("<h2>").unwrap()];
    assert!(top.contains("Diverged") && top.contains("its objective is NaN") && top.contains("step-00000030"), "{top}");
    // Steps logged before and after the interruption are in one curve.
    assert!(text.contains("at step 4 to"), "{text}");
    run(&mut Fake::new(), &into(&root).resume()).unwrap();
    let text = report(&root);
    assert!(text[..text.find("<h2>").unwrap()].contains("Finished"));
    assert!(text.contains("diverged") && text.contains("resumed"));
}
