//! What a run shows of itself: curves, pictures of samples, the report. Behind the feature `report`, but for grids of pictures.
//!
//! Comes in: the history, samples, the model's description. Goes out: files of the run folder, each whole or not at all.

#[cfg(feature = "report")]
mod chart;
#[cfg(feature = "report")]
mod curves;
#[cfg(feature = "report")]
mod gallery;
#[cfg(feature = "report")]
mod page;
#[cfg(feature = "report")]
mod plots;
#[cfg(feature = "report")]
mod reference;

use super::events::Event;
use super::folder::Folder;
use super::log::History;
use super::{Description, Training};
use crate::error::Result;
use crate::source::Source;
use crate::tensor::Tensor;

/// What is shown, and what of it stays the same while a run goes on.
pub(super) struct Show<'a> {
    /// What the model says of itself.
    description: Description,
    /// The data, of which some are shown beside what was generated.
    sources: &'a [&'a dyn Source],
    #[cfg(feature = "report")]
    real: std::collections::BTreeMap<String, Option<Tensor>>,
}

/// Where a run stands.
// Without the report nobody reads it, and the loop still fills it in.
#[cfg_attr(not(feature = "report"), allow(dead_code))]
pub(super) struct Standing<'a> {
    pub model: &'a str,
    pub history: &'a History,
    /// How many of the logged values are objectives.
    pub players: usize,
    pub events: &'a [Event],
    pub first: u64,
    pub step: u64,
    pub end: u64,
    pub seed: u64,
    pub batch: usize,
    /// Seconds of training so far, over all parts of the run.
    pub seconds: f64,
    /// Steps and seconds of the present part of the run.
    pub speed: (u64, f64),
    /// Now, in seconds since the beginning of 1970, UTC.
    pub time: u64,
}

impl<'a> Show<'a> {
    /// Gets ready for a run over these data.
    pub(super) fn new(training: &dyn Training, sources: &'a [&'a dyn Source]) -> Show<'a> {
        Show {
            description: training.describe(),
            sources,
            #[cfg(feature = "report")]
            real: std::collections::BTreeMap::new(),
        }
    }
}

#[cfg(feature = "report")]
impl Show<'_> {
    /// Draws samples as a picture, where their shape has one.
    pub(super) fn samples(&mut self, folder: &Folder, output: &str, step: u64, samples: &Tensor) -> Result<()> {
        let Some(form) = plots::form(samples.shape()) else { return Ok(()) };
        if !self.real.contains_key(output) {
            let real = reference::rows(self.sources, &samples.shape()[1..], samples.rows());
            if let (plots::Form::Pictures, Some(real)) = (form, &real) {
                real.save_grid(folder.real(output))?;
            }
            self.real.insert(output.to_string(), real);
        }
        match form {
            plots::Form::Pictures => samples.save_grid(folder.grid(output, step)),
            form => {
                let real = self.real.get(output).and_then(Option::as_ref);
                crate::files::write_atomically(&folder.grid(output, step), &plots::png(form, samples, real)?)
            }
        }
    }

    /// Draws the curves so far.
    pub(super) fn curves(&self, folder: &Folder, standing: &Standing<'_>) -> Result<()> {
        let (objectives, metrics) = charts(standing);
        let save = |charts: &[chart::Chart], name: &str| {
            curves::save(charts, &folder.file(&format!("{name}.png")), &folder.file(&format!("{name}.svg")))
        };
        save(&Vec::from_iter(objectives), "losses")?;
        save(&metrics, "metrics")
    }

    /// Writes the report.
    pub(super) fn report(&self, folder: &Folder, standing: &Standing<'_>) -> Result<()> {
        let (objectives, metrics) = charts(standing);
        let page = page::Page {
            standing,
            description: &self.description,
            charts: objectives.into_iter().chain(metrics).collect(),
            // What cannot be listed is left out: the rest of the page is still worth having.
            galleries: gallery::read(folder).unwrap_or_default(),
            checkpoints: folder.checkpoints().unwrap_or_default(),
            samples: self.sources.iter().map(|source| (source.name(), source.len())).collect(),
        };
        let text = page.render().map_err(|message| crate::Error::io(folder.root(), std::io::Error::other(message)))?;
        crate::files::write_atomically(&folder.file("report.html"), text.as_bytes())
    }
}

/// One chart of all objectives, and one of each metric.
#[cfg(feature = "report")]
fn charts(standing: &Standing<'_>) -> (Option<chart::Chart>, Vec<chart::Chart>) {
    let (history, players) = (standing.history, standing.players);
    let objectives = chart::Chart::new(history, 0..players, &format!("{}: objectives", standing.model));
    let metric = |index: usize| chart::Chart::new(history, index..index + 1, &history.names[index]);
    (objectives, (players..history.names.len()).filter_map(metric).collect())
}

#[cfg(not(feature = "report"))]
impl Show<'_> {
    /// Draws samples as a grid, where they are pictures.
    pub(super) fn samples(&mut self, folder: &Folder, output: &str, step: u64, samples: &Tensor) -> Result<()> {
        match crate::picture::is_pictures(samples.shape()) {
            true => samples.save_grid(folder.grid(output, step)),
            false => Ok(()),
        }
    }

    /// Curves need the feature `report`.
    pub(super) fn curves(&self, _: &Folder, _: &Standing<'_>) -> Result<()> {
        Ok(())
    }

    /// So does the report.
    pub(super) fn report(&self, _: &Folder, _: &Standing<'_>) -> Result<()> {
        let _ = (&self.description, &self.sources);
        Ok(())
    }
}
