//! Trains the judges that generated pictures are measured by: classifiers of all of MNIST and of all of Fashion-MNIST, written in
//! `gan!` like everything else. Their weights are in the repository, in `examples/harness/judges`.
//!
//! `cargo run --release --example fetch -- mnist fashion`, then `cargo run --release --example judge`

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::{Classifier, ClassifierNet, Judge};
use saddlepoint_examples_harness::sets::{Parts, fashion, mnist};
use saddlepoint_examples_harness::{Options, Threshold, classes, measure};

/// Pictures of a batch.
const BATCH: usize = 100;
/// What is trained on what, and how good it must be.
struct Task {
    name: &'static str,
    data: fn() -> saddlepoint::Result<Parts>,
    /// 600 are an epoch.
    steps: u64,
    /// The share of pictures that are mirrored: clothes have no left and right, digits have.
    flips: f32,
    accuracy: f64,
}

const TASKS: [Task; 2] = [
    Task { name: "mnist", data: mnist, steps: 3_000, flips: 0.0, accuracy: 0.99 },
    Task { name: "fashion", data: fashion, steps: 4_800, flips: 0.5, accuracy: 0.91 },
];

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["mnist", "fashion"]);
    for task in TASKS.iter().filter(|task| options.runs(task.name)) {
        let mut classifier = Classifier::build(options.config(BATCH, 1))?;
        if options.explain {
            println!("{}", classifier.explain());
            return Ok(());
        }
        let Parts { train, test } = (task.data)()?;
        classifier.set_flips(task.flips);
        let report = classifier.fit(&train, options.fit_part(task.steps, "runs/judge", task.name))?;
        let (Some(folder), false) = (report.folder, report.interrupted) else { return Ok(()) };
        let weights = folder.join("judge.safetensors");
        classifier.save_torch(ClassifierNet::C, &weights, &TorchNames::by_order())?;
        // Measured as every example will use it: from the file.
        let mut judge = Judge::from_file(&weights)?;
        for (part, source, threshold) in
            [("train", &train, Threshold::None), ("test", &test, Threshold::AtLeast(task.accuracy))]
        {
            let labels = classes(source, 0, source.len())?;
            let accuracy = judge.judge_source(source)?.accuracy(&labels)?;
            measure(&format!("{}_{part}_accuracy", task.name), accuracy, threshold);
        }
        println!("the weights are in {}", weights.display());
    }
    Ok(())
}
