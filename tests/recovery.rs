//! What goes wrong is one clear error, and nothing that was there is lost: foreign and damaged checkpoints, full disks, folders
//! that cannot be written, training that diverges. All through the public interface.

use saddlepoint::prelude::*;
use saddlepoint::{Error, Model};
use safetensors::{Dtype, SafeTensors};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};

/// The system's allocator, which remembers the largest request of each thread.
struct Remembering;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn remember(bytes: usize) {
    // A thread at its end has nothing to remember any more.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: every call goes to the system's allocator unchanged; remembering allocates nothing.
unsafe impl GlobalAlloc for Remembering {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        remember(layout.size());
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        remember(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        remember(size);
        // SAFETY: as above.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Remembering = Remembering;

gan! {
    /// A small game with moments and running statistics.
    pub model Small {
        data  x: [2];
        noise z: normal([2]);
        net G(z: [2]) -> [2] { z.dense(4).batch_norm().relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(4).leaky_relu(0.2).dense(1) }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(1e-3); }
        metric gap = E[D(x)] - E[D(G(z))];
        output sample = G(z);
    }
}

mod wider {
    use saddlepoint::prelude::*;
    gan! {
        /// Of the same name, with a wider D.
        pub model Small {
            data  x: [2];
            noise z: normal([2]);
            net G(z: [2]) -> [2] { z.dense(4).batch_norm().relu().dense(2) }
            net D(x: [2]) -> [1] { x.dense(6).leaky_relu(0.2).dense(1) }
            player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
            player G minimizes { E[softplus(-D(G(z)))] }
            train { D, G: adam(1e-3); }
        }
    }
}

mod longer {
    use saddlepoint::prelude::*;
    gan! {
        /// Of the same name, with a layer more.
        pub model Small {
            data  x: [2];
            noise z: normal([2]);
            net G(z: [2]) -> [2] { z.dense(4).batch_norm().relu().dense(2) }
            net D(x: [2]) -> [1] { x.dense(4).leaky_relu(0.2).dense(1).dense(1) }
            player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
            player G minimizes { E[softplus(-D(G(z)))] }
            train { D, G: adam(1e-3); }
        }
    }
}

mod otherwise {
    use saddlepoint::prelude::*;
    gan! {
        /// Of the same name and nets, with another optimiser.
        pub model Small {
            data  x: [2];
            noise z: normal([2]);
            net G(z: [2]) -> [2] { z.dense(4).batch_norm().relu().dense(2) }
            net D(x: [2]) -> [1] { x.dense(4).leaky_relu(0.2).dense(1) }
            player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
            player G minimizes { E[softplus(-D(G(z)))] }
            train { D: sgd(1e-3); G: adam(1e-3); }
        }
    }
}

gan! {
    /// Another game altogether.
    pub model Other {
        data  x: [2];
        net D(x: [2]) -> [1] { x.dense(1) }
        player D minimizes { E[square(D(x))] }
        train { D: sgd(1e-3); }
    }
}

fn config() -> Config {
    Config::new().batch(8).seed(5).workers(1)
}

fn points() -> Tensor {
    Tensor::new([40, 2], (0..80).map(|i| (i as f32 * 0.37).sin()).collect()).expect("a tensor")
}

fn batch() -> Tensor {
    Tensor::new([8, 2], (0..16).map(|i| (i as f32 * 0.7).cos()).collect()).expect("a tensor")
}

/// A model a few steps old.
fn trained() -> Small {
    let mut model = Small::build(config()).expect("the model builds");
    for _ in 0..3 {
        model.step(&[SmallBatch { x: batch() }]).expect("a step");
    }
    model
}

/// The whole state of a model.
fn state<M: Model>(model: &M) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("state");
    model.save(&path).expect("it is written");
    std::fs::read(path).expect("a file")
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a readable file")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Whether every f32 of a file is finite.
fn finite(path: &Path) -> bool {
    let bytes = bytes(path);
    let parsed = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let words =
        parsed.iter().filter(|(_, view)| view.dtype() == Dtype::F32).flat_map(|(_, view)| view.data().as_chunks::<4>().0);
    words.map(|word| f32::from_le_bytes(*word)).all(f32::is_finite)
}

fn contains(message: &str, words: &[&str]) {
    words.iter().for_each(|word| assert!(message.contains(word), "`{word}` is not in: {message}"));
}

#[test]
fn a_checkpoint_of_another_model_is_refused_by_what_differs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    Other::build(config()).expect("it builds").save(path("other")).expect("it is written");
    wider::Small::build(config()).expect("it builds").save(path("wider")).expect("it is written");
    longer::Small::build(config()).expect("it builds").save(path("longer")).expect("it is written");
    otherwise::Small::build(config()).expect("it builds").save(path("otherwise")).expect("it is written");
    let mut model = trained();
    let before = state(&model);
    let cases: [(&str, &[&str]); 4] = [
        ("other", &["other:", "it holds the model `Other`, not `Small`"]),
        ("wider", &["wider:", "other nets", "`D.dense_0.weight` is f32[6, 2] in it, f32[4, 2] in the model"]),
        ("longer", &["longer:", "other nets", "it has `D.dense_2.weight` f32[1, 1], the model does not"]),
        ("otherwise", &["otherwise:", "another optimiser", "`optimiser.D.", "of the model is not in it"]),
    ];
    for (file, words) in cases {
        let error = model.load(path(file)).expect_err("it is refused");
        assert!(matches!(error, Error::Checkpoint { .. }), "{error:?}");
        contains(&error.to_string(), words);
        assert_eq!(error.to_string().lines().count(), 1);
        assert!(state(&model) == before, "{file} changed the model");
    }
    // And it goes on as if nothing had been tried.
    let mut fresh = trained();
    for model in [&mut model, &mut fresh] {
        model.step(&[SmallBatch { x: batch() }]).expect("a step");
    }
    assert!(state(&model) == state(&fresh));
}

#[test]
fn damage_of_any_byte_is_one_error_that_names_the_file_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("the damaged one.safetensors");
    let mut model = trained();
    let whole = state(&model);
    // Another state than the file's: taking even a part of it would show.
    model.step(&[SmallBatch { x: batch() }]).expect("a step");
    let before = state(&model);
    let mut refused = |bytes: &[u8], what: String| {
        std::fs::write(&path, bytes).expect("a writable folder");
        LARGEST.set(0);
        let error = model.load(&path).expect_err(&what);
        assert!(LARGEST.get() <= 16 * whole.len(), "{what}: {} bytes at once for a file of {}", LARGEST.get(), bytes.len());
        assert!(matches!(error, Error::Checkpoint { .. }), "{what}: {error:?}");
        let message = error.to_string();
        assert!(message.contains("the damaged one.safetensors") && message.lines().count() == 1, "{what}: {message}");
    };
    for at in 0..whole.len() {
        for flip in [0x01, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            refused(&damaged, format!("byte {at} of {}", whole.len()));
        }
    }
    for length in 0..whole.len() {
        refused(&whole[..length], format!("the first {length} bytes of {}", whole.len()));
    }
    refused(&[whole.as_slice(), &[0]].concat(), "a byte more".into());
    assert!(state(&model) == before, "a damaged checkpoint changed the model");
    model.step(&[SmallBatch { x: batch() }]).expect("a step");
    std::fs::write(&path, &whole).expect("a writable folder");
    model.load(&path).expect("the whole file loads");
    assert!(state(&model) == whole);
}

#[test]
fn a_resume_passes_over_damaged_checkpoints_says_so_and_leaves_them() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let fit = |steps, folder: &Path| Fit::steps(steps).into_dir(folder).checkpoint_every(5).grid_every(1_000).quiet();
    type Damage = fn(&mut Vec<u8>);
    let damage: [(&str, Damage); 5] = [
        ("length", |bytes| bytes[0] ^= 0xff),
        ("header", |bytes| bytes[20] ^= 0xff),
        ("payload", |bytes| bytes.iter_mut().rev().nth(40).into_iter().for_each(|byte| *byte ^= 0xff)),
        ("checksum", |bytes| bytes.iter_mut().rev().nth(1).into_iter().for_each(|byte| *byte ^= 0xff)),
        ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
    ];
    for (what, damage) in damage {
        let folder = place.path().join(what);
        let mut model = Small::build(config()).expect("the model builds");
        model.fit(&points(), fit(20, &folder)).expect("training");
        let newest = folder.join("checkpoints/step-00000020.safetensors");
        let mut damaged = bytes(&newest);
        damage(&mut damaged);
        std::fs::write(&newest, &damaged).expect("a writable folder");
        let mut model = Small::build(config()).expect("the model builds");
        let report = model.fit(&points(), fit(18, &folder).resume()).expect("training goes on");
        assert_eq!((report.step, report.steps), (18, 3), "{what}: it did not go on from step 15");
        let said = report.warnings.iter().any(|warning| warning.contains("step-00000020.safetensors"));
        assert!(said, "{what}: {:?}", report.warnings);
        assert!(bytes(&newest) == damaged, "{what}: the damaged file was touched");
        // Nothing whole is left: an error that names a file, and the files stay.
        for name in names(&folder.join("checkpoints")) {
            std::fs::write(folder.join("checkpoints").join(name), b"nothing").expect("a writable folder");
        }
        let mut model = Small::build(config()).expect("the model builds");
        let before = state(&model);
        let error = model.fit(&points(), fit(20, &folder).resume()).expect_err("nothing to go on from");
        contains(&error.to_string(), &["step-00000020.safetensors", "damaged"]);
        assert!(state(&model) == before);
        assert!(bytes(&newest) == b"nothing");
    }
}

#[test]
fn paths_may_hold_spaces_and_any_letters_and_links() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a räther löng nàme/空 鞍点").join("ck pt #1 %20.safetensors");
    let model = trained();
    model.save(&path).expect("it is written");
    assert_eq!(names(path.parent().expect("a folder")), ["ck pt #1 %20.safetensors"]);
    let mut other = Small::build(config()).expect("the model builds");
    other.load(&path).expect("it loads");
    assert!(state(&other) == state(&model));
    let run = folder.path().join("läufe/der erste");
    let report = other.fit(&points(), Fit::steps(2).into_dir(&run).quiet()).expect("training");
    assert!(report.checkpoint.is_some_and(|checkpoint| checkpoint.starts_with(&run)));
    // A folder in the place of a file, a file in the place of a folder: named, and untouched.
    let error = model.save(folder.path()).expect_err("a folder is no file");
    contains(&error.to_string(), &[&folder.path().display().to_string()]);
    let below = path.join("below.safetensors");
    let before = bytes(&path);
    assert!(matches!(model.save(&below), Err(Error::Io { .. })));
    assert!(matches!(other.load(&below), Err(Error::Io { .. })));
    assert!(bytes(&path) == before);
}

#[test]
fn a_run_folder_in_whose_way_a_file_stands_is_refused_before_training() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a file");
    std::fs::write(&file, b"kept").expect("a writable folder");
    let mut model = Small::build(config()).expect("the model builds");
    let before = state(&model);
    for (root, resume) in [(file.clone(), false), (file.clone(), true), (file.join("run"), false), (file.join("run"), true)]
    {
        let fit = Fit::steps(5).into_dir(&root).quiet();
        let error = model.fit(&points(), if resume { fit.resume() } else { fit }).expect_err("it is refused");
        contains(&error.to_string(), &["a file", "choose another"]);
    }
    // A run whose checkpoints cannot be listed.
    let run = folder.path().join("run");
    std::fs::create_dir(&run).expect("a writable folder");
    std::fs::write(run.join("checkpoints"), b"kept").expect("a writable folder");
    let error = model.fit(&points(), Fit::steps(5).into_dir(&run).resume().quiet()).expect_err("it is refused");
    contains(&error.to_string(), &["run"]);
    assert_eq!(names(&run), ["checkpoints"]);
    assert!(bytes(&file) == b"kept" && state(&model) == before, "something changed");
}

gan! {
    /// Its checkpoint is larger than the limit that the full disk stands for.
    pub model Large {
        data  x: [2];
        net D(x: [2]) -> [1] { x.dense(3).dense(20_000).leaky_relu(0.2).dense(1) }
        net Q(x: [2]) -> [1] { x.dense(1) }
        player D updates (D, Q) minimizes { E[square(D(x) - Q(x))] }
        train { D: adam(1e-3); }
    }
}

const FULL_DISK: &str = "SADDLEPOINT_TEST_FULL_DISK";

/// What the tests below start as a process of its own, for which writing a large file fails; alone it does nothing.
#[test]
fn on_a_full_disk() {
    let Some(folder) = std::env::var_os(FULL_DISK).map(PathBuf::from) else { return };
    let path = folder.join("large.safetensors");
    let old = bytes(&path);
    let mut model = Large::build(config()).expect("the model builds");
    model.step(&[LargeBatch { x: batch() }]).expect("a step");
    let before = model.parameter("D.dense_0.weight").expect("a parameter");
    for error in [
        model.save(&path).expect_err("it does not fit"),
        model.save_torch(LargeNet::D, &path, &TorchNames::by_order()).expect_err("it does not fit"),
    ] {
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        contains(&error.to_string(), &["large.safetensors", "arge"]);
    }
    assert!(bytes(&path) == old, "the old checkpoint was touched");
    assert_eq!(names(&folder), ["large.safetensors"], "something was left behind");
    assert_eq!(model.parameter("D.dense_0.weight").expect("a parameter").as_slice(), before.as_slice());
    // The model is as good as before: it trains, and what fits is written.
    model.load(&path).expect("the old checkpoint loads");
    model.step(&[LargeBatch { x: batch() }]).expect("a step");
    model.save_torch(LargeNet::Q, folder.join("q.safetensors"), &TorchNames::by_order()).expect("a small file fits");
    println!("everything is as it was");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_in_the_middle_of_a_checkpoint_leaves_the_old_one_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = Large::build(config()).expect("the model builds");
    model.save(folder.path().join("large.safetensors")).expect("it is written");
    // Files end at 200 blocks: writing more fails in the middle. Ignored, the signal is an error of the write.
    let limited = "trap '' XFSZ; ulimit -f 200; exec \"$0\" --exact on_a_full_disk --nocapture";
    let mut shell = std::process::Command::new("sh");
    let program = std::env::current_exe().expect("this test's program");
    let output = shell.args(["-c", limited]).arg(program).env(FULL_DISK, folder.path()).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("everything is as it was"), "{said}");
}

gan! {
    /// The objective of D leaves the floats at step 36; nothing else does.
    pub model Objective {
        data x: [2];
        hyper fuse: f32 = exp(step * 4.0 - 48.0);
        net D(x: [2]) -> [1] { x.dense(4).batch_norm().relu().dense(1) }
        net G(x: [2]) -> [1] { x.dense(1) }
        player Critic updates (D) minimizes { E[square(D(x) - 1.0)] + fuse }
        player Maker updates (G) minimizes { E[square(G(x) - D(x))] }
        train { Critic: adam(1e-3); Maker: adam(1e-3); }
        metric error = E[square(D(x) - 1.0)];
    }
}

gan! {
    /// The second moments of Maker overflow while its objective is a finite number.
    pub model Moments {
        data x: [2];
        hyper scale: f32 = exp(step * 4.0 - 20.0);
        net D(x: [2]) -> [1] { x.dense(1) }
        net G(x: [2]) -> [1] { x.dense(4).relu().dense(1) }
        player Critic updates (D) minimizes { E[square(D(x) - 1.0)] }
        player Maker updates (G) minimizes { E[G(x)] * scale }
        train { Critic: adam(1e-3); Maker: adam(1e-3); }
    }
}

gan! {
    /// The running variance overflows, for the data are huge; whatever is normalised stays small.
    pub model Statistics {
        data x: [2];
        net D(x: [2]) -> [1] { x.batch_norm().dense(1) }
        player Critic updates (D) minimizes { E[square(D(x) - 1.0)] }
        train { Critic: sgd(1e-3); }
    }
}

gan! {
    /// The learning rate overflows.
    pub model Parameters {
        data x: [2];
        hyper rate: f32 = exp(step * 8.0 - 60.0);
        net D(x: [2]) -> [1] { x.dense(1) }
        player Critic updates (D) minimizes { E[D(x)] }
        train { Critic: sgd(rate); }
    }
}

/// The parts of a divergence: step, player, what, checkpoint.
fn diverged(outcome: saddlepoint::Result<Report>) -> (u64, String, String, Option<PathBuf>) {
    match outcome.expect_err("it diverges") {
        Error::Diverged { step, player, what, checkpoint } => (step, player, what, checkpoint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_objective_that_is_not_finite_ends_training_at_once_and_the_named_checkpoint_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("run");
    let mut model = Objective::build(config()).expect("the model builds");
    let fit = Fit::steps(1_000).into_dir(&root).log_every(500).grid_every(500).checkpoint_every(10).quiet();
    let error = model.fit(&points(), fit).expect_err("it diverges");
    contains(&error.to_string(), &["step 36", "player Critic", "its objective is inf", "step-00000030.safetensors"]);
    let (step, player, _, checkpoint) = diverged(Err(error));
    assert_eq!((step, player.as_str()), (36, "Critic"));
    let checkpoint = checkpoint.expect("there is a good one");
    for name in names(&root.join("checkpoints")) {
        assert!(finite(&root.join("checkpoints").join(&name)), "{name} holds what is not finite");
    }
    model.load(&checkpoint).expect("the good checkpoint loads");
    model.step(&[ObjectiveBatch { x: batch() }]).expect("a step");
    let metrics = model.metrics().expect("values");
    assert!(metrics.Critic.is_finite() && metrics.Maker.is_finite() && metrics.error.is_finite(), "{metrics:?}");
    // A hyper can be set and the training goes on beyond.
    model.set_fuse(0.0);
    let report = model.fit(&points(), Fit::steps(20).quiet()).expect("training");
    assert_eq!(report.step, 51);
}

#[test]
fn a_moment_that_overflows_is_named_with_its_player_and_never_saved() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("run");
    let mut model = Moments::build(config()).expect("the model builds");
    let fit = Fit::steps(1_000).into_dir(&root).log_every(900).grid_every(900).checkpoint_every(1).quiet();
    let (step, player, what, checkpoint) = diverged(model.fit(&points(), fit));
    assert_eq!(player, "Maker");
    contains(&what, &["`optimiser.Maker.", "holds inf"]);
    let checkpoint = checkpoint.expect("there is a good one");
    assert!(checkpoint.ends_with(format!("step-{:08}.safetensors", step - 1)), "{}", checkpoint.display());
    assert!(names(&root.join("checkpoints")).iter().all(|name| finite(&root.join("checkpoints").join(name))));
    // Saving by hand is refused too, and the file there stays.
    let before = bytes(&checkpoint);
    let error = model.save(&checkpoint).expect_err("it is refused");
    contains(&error.to_string(), &["nothing was written", "`optimiser.Maker.", "inf"]);
    assert!(bytes(&checkpoint) == before);
    model.load(&checkpoint).expect("the good checkpoint loads");
    model.set_scale(1.0);
    model.fit(&points(), Fit::steps(5).quiet()).expect("training");
}

#[test]
fn statistics_and_parameters_that_overflow_are_named_with_their_players() {
    let huge = Tensor::new([40, 2], (0..80).map(|i| (i as f32 * 0.37).sin() * 1e25).collect()).expect("a tensor");
    let mut model = Statistics::build(config()).expect("the model builds");
    let outcome = model.fit(&huge, Fit::steps(50).log_every(10).quiet());
    let (step, player, what, checkpoint) = diverged(outcome);
    assert_eq!((step, player.as_str(), checkpoint), (10, "Critic", None));
    contains(&what, &["`D.batch_norm_0.running_var` holds inf"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut model = Parameters::build(config()).expect("the model builds");
    let fit = Fit::steps(50).into_dir(folder.path().join("run")).log_every(1).checkpoint_every(1).quiet();
    let (step, player, what, checkpoint) = diverged(model.fit(&points(), fit));
    assert_eq!(player, "Critic");
    contains(&what, &["`D.dense_0.", "holds"]);
    let checkpoint = checkpoint.expect("there is a good one");
    assert!(checkpoint.ends_with(format!("step-{:08}.safetensors", step - 1)) && finite(&checkpoint));
    model.load(&checkpoint).expect("the good checkpoint loads");
    model.set_rate(0.01);
    model.fit(&points(), Fit::steps(5).quiet()).expect("training");
}
