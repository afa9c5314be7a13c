//! Tiles of products, chosen by measurement.
//!
//! In: a program's plan. Out: for each kind of product in it the tile that took least time on this device. What has been measured is
//! kept in a file and not measured again. A tile changes no bit of a result (`codegen/wgsl/tile.rs`), so neither does the file.

use super::program::GpuExecutable;
use super::shared::{Shared, lock};
use super::state::GpuStates;
use crate::device::host::HostSlice;
use crate::{Result, files};
use saddlepoint_compiler::codegen::wgsl::{self, Tile};
use saddlepoint_compiler::ir::{DType, Graph};
use saddlepoint_compiler::plan::Plan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The file's environment variable: a path, or `off`.
const VARIABLE: &str = "SADDLEPOINT_TILES";
/// Runs of a program for each tile; the shortest time of a product counts.
const RUNS: usize = 4;
/// What another tile than the suggested one must save, for noise not to choose.
const GAIN: f64 = 0.03;

/// For each device, by name and driver, the tiles of products.
type Kept = BTreeMap<String, BTreeMap<String, String>>;

/// What has been measured on a device.
pub(super) struct Tiles {
    /// Where it is kept.
    file: PathBuf,
    /// Device, driver and version of the shaders.
    device: String,
    known: Mutex<BTreeMap<String, Tile>>,
}

/// Where tiles are kept, if the environment says nothing else: for hardware in the user's cache folder. `None` when nothing is to be
/// measured.
pub(super) fn file(hardware: bool) -> Option<PathBuf> {
    match std::env::var(VARIABLE) {
        Ok(value) if value == "off" => None,
        Ok(value) if !value.is_empty() => Some(PathBuf::from(value)),
        // How long a software device takes says nothing, and measuring on it takes long.
        _ if !hardware => None,
        _ => Some(dirs::cache_dir()?.join("saddlepoint").join("tiles.json")),
    }
}

impl Tiles {
    /// Those of this device that a file knows; none if there is none, or it cannot be read.
    pub fn open(file: PathBuf, device: String) -> Tiles {
        let kept = read(&file).remove(&device).unwrap_or_default();
        let known = kept.into_iter().filter_map(|(product, tile)| Some((product, tile.parse().ok()?))).collect();
        Tiles { file, device, known: Mutex::new(known) }
    }

    /// The options with the tiles of all products of this plan, measured where they were not known.
    ///
    /// # Errors
    /// When the program cannot be compiled or run.
    pub fn options(
        &self,
        shared: &Arc<Shared>,
        graph: &Graph,
        plan: &Plan,
        options: &wgsl::Options,
    ) -> Result<wgsl::Options> {
        let mut options = wgsl::Options { tiles: lock(&self.known).clone(), ..options.clone() };
        let measured = measure(shared, graph, plan, &options)?;
        if !measured.is_empty() {
            options.tiles.extend(measured.clone());
            let known = {
                let mut known = lock(&self.known);
                known.extend(measured);
                known.clone()
            };
            self.keep(&known);
        }
        Ok(options)
    }

    /// Writes the file, with what others have put there in the meantime. A file that cannot be written only means that the next
    /// process measures again.
    fn keep(&self, known: &BTreeMap<String, Tile>) {
        let mut kept = read(&self.file);
        let own = kept.entry(self.device.clone()).or_default();
        own.extend(known.iter().map(|(product, tile)| (product.clone(), tile.to_string())));
        if let Ok(text) = serde_json::to_string_pretty(&kept) {
            let _ = files::write_atomically(&self.file, text.as_bytes());
        }
    }
}

/// A damaged file is as good as none: it is written anew.
fn read(file: &Path) -> Kept {
    std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// The fastest tile of every product that has several and is not in `options`, over all its places in the program.
fn measure(shared: &Arc<Shared>, graph: &Graph, plan: &Plan, options: &wgsl::Options) -> Result<BTreeMap<String, Tile>> {
    let mut choices = wgsl::lower(plan, options)?.choices;
    choices.retain(|choice| choice.tiles.len() > 1 && !options.tiles.contains_key(&choice.product));
    let rounds = choices.iter().map(|choice| choice.tiles.len()).max().unwrap_or(0);
    let mut times: BTreeMap<&str, Vec<(f64, Tile)>> = BTreeMap::new();
    for round in 0..rounds {
        let of_round = choices.iter().filter_map(|choice| Some((choice.product.clone(), *choice.tiles.get(round)?)));
        let mut options = options.clone();
        options.tiles.extend(of_round);
        let seconds = shortest(shared, graph, plan, &options)?;
        for choice in &choices {
            let (Some(tile), Some(seconds)) = (choice.tiles.get(round), seconds.get(choice.step)) else { continue };
            let times = times.entry(&choice.product).or_default();
            match times.get_mut(round) {
                Some((sum, _)) => *sum += seconds,
                None => times.push((*seconds, *tile)),
            }
        }
    }
    Ok(times.into_iter().filter_map(|(product, times)| Some((product.to_string(), fastest(&times)?))).collect())
}

/// The tile of the least time, if it is so much less than the first one's.
fn fastest(times: &[(f64, Tile)]) -> Option<Tile> {
    let (first, suggested) = times.first()?;
    let (least, tile) = times.iter().min_by(|(a, _), (b, _)| a.total_cmp(b))?;
    Some(if *least < first * (1.0 - GAIN) { *tile } else { *suggested })
}

/// The least time that every step of a plan took, on states and inputs of zeros that are the program's own.
fn shortest(shared: &Arc<Shared>, graph: &Graph, plan: &Plan, options: &wgsl::Options) -> Result<Vec<f64>> {
    let program = wgsl::lower(plan, options)?;
    let mut executable = GpuExecutable::new(shared.clone(), graph, plan.clone(), program)?;
    let mut states = GpuStates::new(shared.clone());
    for slot in &graph.states {
        states.declare(&slot.name, &slot.ty)?;
    }
    let most = graph.inputs.iter().map(|slot| slot.ty.elements()).max().unwrap_or(0);
    let (floats, integers) = (vec![0.0; most], vec![0; most]);
    let inputs: Vec<HostSlice<'_>> = graph
        .inputs
        .iter()
        .map(|slot| match slot.ty.dtype {
            DType::F32 => HostSlice::F32(&floats[..slot.ty.elements()]),
            DType::I32 | DType::Bool => HostSlice::I32(&integers[..slot.ty.elements()]),
        })
        .collect();
    let mut least = vec![f64::INFINITY; plan.steps.len()];
    for _ in 0..RUNS {
        let seconds = executable.profile(&mut states, &inputs)?;
        least.iter_mut().zip(seconds).for_each(|(least, seconds)| *least = least.min(seconds));
    }
    Ok(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_tile_must_save_something() {
        let [large, middle, small, ..] = Tile::ALL;
        assert_eq!(fastest(&[(1.0, large), (0.5, middle), (0.7, small)]), Some(middle));
        assert_eq!(fastest(&[(1.0, large), (0.99, middle)]), Some(large));
        assert_eq!(fastest(&[]), None);
    }

    #[test]
    fn what_is_kept_is_found_again_and_a_damaged_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/tiles.json");
        let tiles = |device: &str| Tiles::open(file.clone(), device.into());
        tiles("a").keep(&[("p".to_string(), Tile::ALL[0])].into());
        tiles("b").keep(&[("p".to_string(), Tile::ALL[2])].into());
        tiles("a").keep(&[("q".to_string(), Tile::ALL[1])].into());
        let known = lock(&tiles("a").known).clone();
        assert_eq!(known, [("p".to_string(), Tile::ALL[0]), ("q".to_string(), Tile::ALL[1])].into());
        assert_eq!(lock(&tiles("b").known).len(), 1);
        std::fs::write(&file, "{").unwrap();
        assert!(lock(&tiles("a").known).is_empty());
        // A tile that this version does not have.
        std::fs::write(&file, r#"{"a": {"p": "9x9", "q": "64x64"}}"#).unwrap();
        assert_eq!(lock(&tiles("a").known).len(), 1);
    }
}
