//! Signals while training: a process that trains, and another one that sends them.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use std::{fs, thread};

use super::{Fake, run};
use crate::checkpoint::Checkpoint;
use crate::fit::Fit;

/// What the tests below start as a process of its own; alone it does nothing.
#[test]
fn child() {
    let Some(root) = std::env::var_os("SADDLEPOINT_SIGNALLED_CHILD").map(PathBuf::from) else { return };
    let hangs = std::env::var_os("SADDLEPOINT_HANGING_CHILD").is_some();
    let marker = root.with_extension("hangs");
    let step = move |step: u64| {
        if hangs && step == 5 {
            fs::write(&marker, "").unwrap();
            // Far longer than the test waits: only a signal ends it.
            thread::sleep(Duration::from_secs(600));
        }
    };
    let mut model = Fake { naps: true, before_step: Some(Box::new(step)), ..Fake::new() };
    // It ends by itself where no signal comes through.
    let fit = Fit::steps(10_000).into_dir(root).log_every(1);
    let report = run(&mut model, &fit).unwrap();
    println!("interrupted: {}, step: {}", report.interrupted, report.step);
}

/// Whether this process ignores the signal of Ctrl-C, where the kernel says so.
fn interrupts_are_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 0b10 != 0)
}

fn start(root: &Path, hangs: bool) -> Child {
    let program = std::env::current_exe().unwrap();
    // A process started in the background may have to ignore the signal, and its children with it: `env` undoes that.
    let mut command = match interrupts_are_ignored() {
        true => {
            let mut command = Command::new("env");
            command.args(["--default-signal=INT"]).arg(program);
            command
        }
        false => Command::new(program),
    };
    if hangs {
        command.env("SADDLEPOINT_HANGING_CHILD", "1");
    }
    command
        .args(["--exact", "fit::tests::signals::child", "--nocapture"])
        .env("SADDLEPOINT_SIGNALLED_CHILD", root)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_until(child: &mut Child, done: impl Fn() -> bool) {
    while !done() {
        assert!(child.try_wait().unwrap().is_none(), "the child ended before its signal");
        thread::sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn end(child: Child) -> (Output, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

fn saves_and_returns(signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let mut child = start(&root, false);
    // Training has begun, so the handler is in place, once there are lines in the log.
    wait_until(&mut child, || fs::read_to_string(root.join("metrics.jsonl")).is_ok_and(|log| log.lines().count() > 3));
    send(&child, signal);
    let (output, out, err) = end(child);
    assert!(output.status.success() && out.contains("interrupted: true"), "{out}{err}");
    assert!(err.contains("stopped after step") && err.contains(".resume()"), "{err}");
    let checkpoints: Vec<_> = fs::read_dir(root.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(checkpoints.len(), 1);
    let saved = Checkpoint::read(&checkpoints[0]).unwrap();
    assert!(out.contains(&format!("step: {}", saved.step)), "{out}");
    assert!(fs::read_to_string(root.join("events.jsonl")).unwrap().contains("\"event\":\"interrupted\""));
}

#[test]
fn the_signal_of_ctrl_c_ends_the_step_saves_and_returns() {
    saves_and_returns("-INT");
}

#[test]
fn the_request_to_terminate_ends_the_step_saves_and_returns() {
    saves_and_returns("-TERM");
}

#[test]
fn a_second_signal_ends_the_process_in_the_midst_of_a_step() {
    use std::os::unix::process::ExitStatusExt;
    for signals in [["-INT", "-INT"], ["-INT", "-TERM"], ["-TERM", "-TERM"]] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("fake");
        let mut child = start(&root, true);
        wait_until(&mut child, || root.with_extension("hangs").exists());
        send(&child, signals[0]);
        // The first one only asks: the step that hangs goes on.
        thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none(), "the first signal ended the process");
        send(&child, signals[1]);
        let (output, out, err) = end(child);
        let expected = if signals[1] == "-INT" { (Some(130), None) } else { (None, Some(15)) };
        assert_eq!((output.status.code(), output.status.signal()), expected, "{out}{err}");
    }
}
