//! Event files of runs, also of one that was interrupted.
#![cfg(feature = "tensorboard")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Fake, into, run};
use crate::fit::tensorboard::tags;

#[test]
fn a_run_taken_up_again_goes_on_in_a_second_file_that_voids_later_steps() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let flag = Arc::new(AtomicBool::new(false));
    let mut stopped = Fake { stops: Some((24, flag.clone())), ..Fake::new() };
    run(&mut stopped, &into(&root).stop_when(flag)).unwrap();
    run(&mut Fake::new(), &into(&root).resume()).unwrap();
    let mut files: Vec<_> = fs::read_dir(root.join("tensorboard")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let events: Vec<_> = files.iter().map(|file| tags(file)).collect();
    assert_eq!(events.len(), 2);
    // The fake's third value is never known.
    assert_eq!(events[0][1], (4, vec!["objectives/D".to_string(), "objectives/G".to_string()]));
    assert!(events[0].contains(&(20, vec!["samples/sample".to_string()])));
    assert_eq!(events[1][1], (26, vec!["start".to_string()]));
    let logged = |file: usize| {
        let scalars = events[file].iter().filter(|event| event.1.iter().any(|tag| tag.starts_with("objectives/")));
        scalars.map(|event| event.0).collect::<Vec<_>>()
    };
    assert_eq!((logged(0), logged(1)), (vec![4, 8, 12, 16, 20, 24], vec![28, 32, 36, 40]));
}
