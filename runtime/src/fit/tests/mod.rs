//! The training loop, driven against a model that is a handful of numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::RngExt;

mod failures;
mod report;
mod signals;
mod tensorboard;

use super::{Fit, Report, Training, drive};
use crate::array::{Column, Kind};
use crate::checkpoint::{Checkpoint, Stored};
use crate::error::{Error, Result};
use crate::source::Source;
use crate::source::loader::{FieldSpec, GroupSpec};
use crate::streams::Stream;
use crate::tensor::Tensor;

/// A model whose state depends on every number of every batch, on the step, on progress and on its own noise.
struct Fake {
    step: u64,
    horizon: (u64, u64),
    weight: Vec<f32>,
    momentum: Vec<f32>,
    /// The step whose turn makes a number that is not finite, and which number.
    breaks: Option<(u64, Breaks)>,
    /// Sets the flag during this step, as Ctrl-C would.
    stops: Option<(u64, Arc<AtomicBool>)>,
    naps: bool,
    /// Called at the beginning of every step, with its number.
    before_step: Option<Box<dyn FnMut(u64)>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Breaks {
    Objective,
    State,
}

const SEED: u64 = 7;

impl Fake {
    fn new() -> Fake {
        let (weight, momentum) = (vec![0.5; 3], vec![0.0; 3]);
        Fake { step: 0, horizon: (0, 1), weight, momentum, breaks: None, stops: None, naps: false, before_step: None }
    }

    fn breaks_with(&self, kind: Breaks) -> bool {
        self.breaks.is_some_and(|(step, which)| which == kind && self.step >= step)
    }
}

impl Training for Fake {
    fn model_name(&self) -> &str {
        "Fake"
    }

    fn step_index(&self) -> u64 {
        self.step
    }

    fn set_horizon(&mut self, first: u64, steps: u64) {
        self.horizon = (first, steps);
    }

    fn batch_size(&self) -> usize {
        4
    }

    fn seed(&self) -> u64 {
        SEED
    }

    fn batches_per_step(&self) -> usize {
        2
    }

    fn groups(&self) -> Vec<GroupSpec> {
        let x = FieldSpec { name: "x".into(), kind: Kind::Tensor, shape: vec![3], needed: true };
        vec![GroupSpec { name: "x".into(), fields: vec![x] }]
    }

    fn step(&mut self, batches: &[Vec<Vec<Column<'_>>>]) -> Result<()> {
        assert_eq!(batches.len(), 2);
        if let Some(before) = &mut self.before_step {
            before(self.step);
        }
        if self.naps {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let (first, steps) = self.horizon;
        let progress = (self.step - first) as f32 / steps as f32;
        let mut noise = Stream::Program { name: "fake" }.open(SEED + self.step);
        for batch in batches {
            let Column::Tensor(x) = batch[0][0] else { panic!("x is numbers") };
            for (index, value) in x.as_slice().iter().enumerate() {
                let at = index % 3;
                self.momentum[at] = 0.9 * self.momentum[at] + value * (1.0 - progress) * noise.random::<f32>();
                self.weight[at] += 0.01 * (self.momentum[at] - self.weight[at]);
            }
        }
        if let Some((step, flag)) = &self.stops
            && *step == self.step
        {
            flag.store(true, Ordering::Relaxed);
        }
        self.step += 1;
        if self.breaks_with(Breaks::State) {
            self.momentum[1] = f32::INFINITY;
        }
        Ok(())
    }

    fn metric_names(&self) -> Vec<String> {
        ["D", "G", "spread"].map(String::from).to_vec()
    }

    fn players(&self) -> usize {
        2
    }

    fn metrics(&mut self) -> Result<Vec<Option<f32>>> {
        let objective = if self.breaks_with(Breaks::Objective) { f32::NAN } else { self.weight[1] };
        Ok(vec![Some(self.weight[0]), Some(objective), None])
    }

    fn fixed_samples(&mut self) -> Result<Vec<(String, Tensor)>> {
        let picture = Tensor::new([2, 1, 2, 3], self.weight.repeat(4))?;
        Ok(vec![("sample".into(), picture), ("code".into(), Tensor::zeros([2, 5]))])
    }

    fn snapshot(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::new("Fake", 1, SEED, self.step);
        checkpoint.arrays.insert("D.weight".into(), Stored::f32([3], self.weight.clone()));
        checkpoint.arrays.insert("G.momentum".into(), Stored::f32([3], self.momentum.clone()));
        Ok(checkpoint)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.check_model("Fake")?;
        checkpoint.check_arrays(&self.snapshot()?.arrays)?;
        self.weight = checkpoint.numbers("D.weight", &[3])?.to_vec();
        self.momentum = checkpoint.numbers("G.momentum", &[3])?.to_vec();
        self.step = checkpoint.step;
        Ok(())
    }
}

fn data() -> Tensor {
    Tensor::new([22, 3], (0..66).map(|i| (i as f32 * 0.7).sin()).collect()).unwrap()
}

fn into(folder: &Path) -> Fit {
    Fit::steps(40).into_dir(folder).log_every(4).grid_every(20).checkpoint_every(10).quiet()
}

fn run(model: &mut Fake, fit: &Fit) -> Result<Report> {
    drive(model, &[&data()], fit)
}

/// The files of a folder by name, with their bytes; seconds are taken out of the log.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let mut bytes = fs::read(&path).unwrap();
                // When what happened is of no matter here, and these say it.
                let timed = ["events.jsonl", "report.html"].iter().any(|name| path.ends_with(name));
                if timed || path.starts_with(root.join("tensorboard")) {
                    continue;
                }
                if path.ends_with("metrics.jsonl") {
                    bytes = without_seconds(&String::from_utf8(bytes).unwrap()).into_bytes();
                }
                found.insert(path.strip_prefix(root).unwrap().to_path_buf(), bytes);
            }
        }
    }
    found
}

fn without_seconds(log: &str) -> String {
    let cut = |line: &str| -> String {
        let (from, to) = (line.find(",\"seconds\"").unwrap(), line.find(",\"D\"").unwrap());
        line[..from].to_string() + &line[to..] + "\n"
    };
    log.lines().map(cut).collect()
}

#[test]
fn a_run_leaves_log_curves_grids_and_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("runs/fake");
    let report = run(&mut Fake::new(), &into(&root)).unwrap();
    assert_eq!((report.step, report.steps, report.interrupted), (40, 40, false));
    assert_eq!(report.checkpoint, Some(root.join("checkpoints/step-00000040.safetensors")));
    assert_eq!(report.metrics.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["D", "G", "spread"]);
    assert!(report.metrics[0].1.is_some() && report.metrics[2].1.is_none() && report.steps_per_second > 0.0);
    // The fake's samples are all alike.
    assert!(report.warnings.iter().any(|warning| warning.contains("output `sample`")), "{:?}", report.warnings);
    let names: Vec<String> = files(&root).keys().map(|path| path.display().to_string().replace('\\', "/")).collect();
    let mut expected = vec![
        "checkpoints/step-00000010.safetensors",
        "checkpoints/step-00000020.safetensors",
        "checkpoints/step-00000030.safetensors",
        "checkpoints/step-00000040.safetensors",
        "losses.png",
        "losses.svg",
        "metrics.jsonl",
        "run.json",
        "samples/code-00000020.png",
        "samples/code-00000040.png",
        "samples/sample-00000020.png",
        "samples/sample-00000040.png",
    ];
    // Curves, and pictures of samples that are none by themselves.
    expected.retain(|name| cfg!(feature = "report") || !(name.starts_with("losses") || name.contains("code-")));
    assert_eq!(names, expected);
    let log = fs::read_to_string(root.join("metrics.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 10);
    assert!(log.starts_with("{\"step\":4,\"seconds\":") && log.contains(",\"G\":") && log.contains(",\"spread\":null}"));
}

#[test]
fn batches_gathered_ahead_leave_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let left = |ahead: usize| {
        let root = folder.path().join(ahead.to_string());
        run(&mut Fake::new(), &into(&root).prefetch(ahead)).unwrap();
        files(&root)
    };
    let expected = left(0);
    for ahead in [1, 2, 100] {
        assert!(left(ahead) == expected, "gathered {ahead} steps ahead");
    }
}

#[test]
fn without_a_folder_nothing_is_written_and_the_end_is_reported() {
    let mut model = Fake::new();
    let report = run(&mut model, &Fit::steps(7).quiet()).unwrap();
    assert_eq!((report.step, report.folder, report.checkpoint), (7, None, None));
    assert_eq!(report.metrics[0].1, Some(model.weight[0]));
}

#[test]
fn a_run_stopped_after_any_step_and_resumed_is_the_run_that_was_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    run(&mut Fake::new(), &into(&whole)).unwrap();
    let whole = files(&whole);
    for stop in [0, 1, 8, 9, 10, 25, 38, 39] {
        let root = folder.path().join(format!("stopped-{stop}"));
        let flag = Arc::new(AtomicBool::new(false));
        let mut first = Fake { stops: Some((stop, flag.clone())), ..Fake::new() };
        let report = run(&mut first, &into(&root).stop_when(flag)).unwrap();
        assert_eq!((report.step, report.interrupted), (stop + 1, stop != 39));
        let report = run(&mut Fake::new(), &into(&root).resume()).unwrap();
        assert_eq!((report.step, report.steps, report.interrupted), (40, 39 - stop, false));
        let mut resumed = files(&root);
        // The checkpoint of the interruption is one more file.
        if !(stop + 1).is_multiple_of(10) {
            resumed.remove(Path::new(&format!("checkpoints/step-{:08}.safetensors", stop + 1))).unwrap();
        }
        for (name, bytes) in &whole {
            assert!(resumed.get(name) == Some(bytes), "{} differs after a stop at {stop}", name.display());
        }
        assert_eq!(resumed.len(), whole.len(), "{:?}", resumed.keys());
    }
}

#[test]
fn a_killed_run_goes_on_from_the_newest_whole_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    run(&mut Fake::new(), &into(&root)).unwrap();
    let whole = files(&root);
    // The last checkpoint is cut short, the one before damaged; the log ends in half a line.
    let damage = |step: u64, change: fn(&mut Vec<u8>)| {
        let path = root.join(format!("checkpoints/step-{step:08}.safetensors"));
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    };
    damage(40, |bytes| bytes.truncate(99));
    damage(30, |bytes| bytes[200] ^= 1);
    let log = fs::read_to_string(root.join("metrics.jsonl")).unwrap();
    fs::write(root.join("metrics.jsonl"), &log[..log.len() - 30]).unwrap();
    let report = run(&mut Fake::new(), &into(&root).resume()).unwrap();
    assert_eq!((report.step, report.steps), (40, 20));
    for damaged in ["step-00000040", "step-00000030"] {
        assert!(report.warnings.iter().any(|warning| warning.contains(damaged)), "{:?}", report.warnings);
    }
    let mut again = files(&root);
    let removed = again.remove(Path::new("metrics.after-00000020.1.jsonl")).unwrap();
    assert!(String::from_utf8(removed).unwrap().starts_with("{\"step\":24,"));
    assert!(again == whole);
    // With every checkpoint damaged there is nothing to go on from, and nothing is touched.
    for step in [10, 20, 30, 40] {
        damage(step, |bytes| bytes[9] ^= 1);
    }
    let before = files(&root);
    let error = run(&mut Fake::new(), &into(&root).resume()).unwrap_err();
    assert!(matches!(&error, Error::Checkpoint { path, .. } if path.ends_with("step-00000040.safetensors")), "{error}");
    assert!(files(&root) == before);
}

#[test]
fn resuming_a_finished_run_does_nothing_and_asking_for_more_steps_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    // Where there is nothing to resume, a run begins.
    let first = run(&mut Fake::new(), &into(&root).resume()).unwrap();
    assert_eq!(first.steps, 40);
    let again = run(&mut Fake::new(), &into(&root).resume()).unwrap();
    assert_eq!((again.step, again.steps, again.metrics), (40, 0, first.metrics));
    let longer = Fit::steps(50).into_dir(&root).resume().quiet();
    let report = run(&mut Fake::new(), &longer).unwrap();
    assert_eq!((report.step, report.steps), (50, 10));
    let changed = |report: &Report| report.warnings.iter().find(|warning| warning.contains("have changed")).cloned();
    assert_eq!(changed(&report), None);
    // Other data are said.
    let report = drive(&mut Fake::new(), &[&data().repeated(2)], &longer).unwrap();
    assert!(changed(&report).unwrap().contains("{\"x\": 22}, are {\"x\": 44}"));
}

#[test]
fn a_run_of_another_seed_or_model_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    run(&mut Fake::new(), &into(&root)).unwrap();
    let manifest = fs::read_to_string(root.join("run.json")).unwrap();
    fs::write(root.join("run.json"), manifest.replace("\"seed\": 7", "\"seed\": 8")).unwrap();
    let error = run(&mut Fake::new(), &into(&root).resume()).unwrap_err().to_string();
    assert!(error.contains("has 8") && error.contains("built with 7"), "{error}");
    fs::write(root.join("run.json"), manifest).unwrap();
    let mut foreign = Checkpoint::new("Star", 1, SEED, 99);
    foreign.arrays.insert("D.weight".into(), Stored::f32([1], vec![0.0]));
    foreign.write(root.join("checkpoints/step-00000099.safetensors")).unwrap();
    let mut model = Fake::new();
    let error = run(&mut model, &into(&root).resume()).unwrap_err().to_string();
    assert!(error.contains("`Star`"), "{error}");
    assert_eq!((model.step, model.weight), (0, vec![0.5; 3]));
}

#[test]
fn an_older_run_is_moved_aside_and_nothing_of_it_lost() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let mut runs = Vec::new();
    for steps in [10, 20, 30] {
        run(&mut Fake::new(), &Fit::steps(steps).into_dir(&root).quiet()).unwrap();
        runs.push(files(&root));
    }
    assert!(files(&folder.path().join("fake.1")) == runs[0]);
    assert!(files(&folder.path().join("fake.2")) == runs[1]);
    assert!(files(&root) == runs[2]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn a_folder_of_other_files_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let error = run(&mut Fake::new(), &into(folder.path())).unwrap_err();
    assert!(matches!(&error, Error::Setting { setting: "into_dir", .. }), "{error}");
    for path in ["thesis.txt", "thesis.txt/run"] {
        for fit in [into(&folder.path().join(path)), into(&folder.path().join(path)).resume()] {
            let error = run(&mut Fake::new(), &fit).unwrap_err();
            assert!(matches!(&error, Error::Setting { setting: "into_dir", .. }), "{error}");
            assert!(error.to_string().contains("is a file, not a folder"), "{error}");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn data_that_do_not_fit_are_refused_before_the_older_run_moves() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    run(&mut Fake::new(), &into(&root)).unwrap();
    let before = files(&root);
    let few = Tensor::zeros([3, 3]);
    assert!(matches!(drive(&mut Fake::new(), &[&few], &into(&root)), Err(Error::Data { .. })));
    assert!(matches!(run(&mut Fake::new(), &into(&root).log_every(0)), Err(Error::Setting { setting: "log_every", .. })));
    assert!(files(&root) == before && !folder.path().join("fake.1").exists());
}

#[test]
fn divergence_names_step_player_and_checkpoint_and_is_never_saved() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, who, what) in [(Breaks::Objective, "G", "objective is NaN"), (Breaks::State, "G", "`G.momentum` holds inf")] {
        let root = folder.path().join(format!("{who}-{}", kind == Breaks::State));
        let mut model = Fake { breaks: Some((if kind == Breaks::State { 28 } else { 26 }, kind)), ..Fake::new() };
        let error = run(&mut model, &into(&root)).unwrap_err();
        let Error::Diverged { step, player, what: said, checkpoint } = &error else { panic!("{error}") };
        assert_eq!((*step, player.as_str()), (28, who));
        assert!(said.contains(what), "{said}");
        let newest = root.join("checkpoints/step-00000020.safetensors");
        assert_eq!(checkpoint.as_ref(), Some(&newest));
        assert_eq!(Checkpoint::read(&newest).unwrap().non_finite(), None);
        assert_eq!(fs::read_dir(root.join("checkpoints")).unwrap().count(), 2);
    }
}

#[test]
fn divergence_between_logging_steps_does_not_reach_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let mut model = Fake { breaks: Some((19, Breaks::State)), ..Fake::new() };
    let fit = Fit::steps(40).into_dir(&root).log_every(40).checkpoint_every(10).quiet();
    let error = run(&mut model, &fit).unwrap_err();
    assert!(matches!(&error, Error::Diverged { step: 20, .. }), "{error}");
    assert!(!root.join("checkpoints/step-00000020.safetensors").exists());
}

#[test]
fn broken_data_in_the_midst_of_training_cost_nothing_that_was_learnt() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("fake");
    let mut broken = data();
    let mut model = Fake::new();
    // A row that the first step does not take.
    let first = {
        let mut loader = crate::source::loader::Loader::new(&model.groups(), &[&broken], 4, 2, SEED).unwrap();
        loader.load(0).unwrap();
        loader.batches().iter().flat_map(|batch| batch[0][0].as_numbers()).collect::<Vec<f32>>()
    };
    let row = (0..22).find(|row| !first.contains(&broken.row(*row)[0])).unwrap();
    broken.as_mut_slice()[3 * row + 2] = f32::NAN;
    let error = drive(&mut model, &[&broken], &into(&root)).unwrap_err();
    assert!(matches!(&error, Error::Data { row: Some(found), .. } if *found == row), "{error}");
    assert!(model.step > 0);
    let saved = Checkpoint::read(root.join(format!("checkpoints/step-{:08}.safetensors", model.step))).unwrap();
    assert_eq!(saved.step, model.step);
}

impl Column<'_> {
    fn as_numbers(&self) -> Vec<f32> {
        match self {
            Column::Tensor(tensor) => tensor.as_slice().to_vec(),
            Column::Classes(_) | Column::Rows(_) => Vec::new(),
        }
    }
}

#[test]
fn progress_runs_over_the_fit_also_when_the_model_has_trained_before() {
    let mut model = Fake::new();
    run(&mut model, &Fit::steps(10).quiet()).unwrap();
    run(&mut model, &Fit::steps(20).quiet()).unwrap();
    assert_eq!((model.step, model.horizon), (30, (10, 20)));
}
