//! A net's parameters and running statistics from PyTorch's state dicts, and to them.

use super::Engine;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::torch::{LayerParts, StateDict, TRACKED, TorchNames, assign};
use saddlepoint_compiler::lower::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a running mean's module counts besides.
const COUNTING: &str = "running_mean";

impl Engine {
    /// Takes a net's parameters and running statistics from a state dict, or refuses it and changes nothing. Averages of
    /// parameters start anew at what is read; optimisers keep their moments. Returns the names as they were found.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::StateDict`].
    pub fn load_torch(&mut self, net: usize, path: &Path, names: &TorchNames) -> Result<TorchNames> {
        let refuse = |message: String| Error::StateDict { path: path.to_path_buf(), message };
        let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
        let dict = StateDict::from_bytes(&bytes).map_err(refuse)?;
        let within = |name: &str| {
            let name = name.strip_prefix(&names.prefix)?;
            (!names.skipped.iter().any(|skipped| name.starts_with(skipped))).then(|| name.to_string())
        };
        let shapes: BTreeMap<String, Vec<usize>> =
            dict.arrays.iter().filter_map(|(name, (shape, _))| Some((within(name)?, shape.clone()))).collect();
        let net_name = self.net_name(net)?;
        if shapes.is_empty() {
            let first = dict.arrays.keys().next().map_or("no entries".to_string(), |name| format!("`{name}`, …"));
            return Err(refuse(format!("no entry begins with the prefix `{}`; the file has {first}", names.prefix)));
        }
        let pairs = assign(&net_name, &self.layers(net), &shapes, names).map_err(refuse)?;
        let mut writes = Vec::new();
        for (entry, state) in self.entries(net, &net_name, &pairs) {
            if let Some((_, values)) = dict.arrays.get(&format!("{}{entry}", names.prefix)) {
                let average = format!("{state}.average");
                if self.specs.contains_key(&average) {
                    writes.push((average, values));
                }
                writes.push((state, values));
            }
        }
        for (state, values) in writes {
            self.store.write_f32(&state, values)?;
        }
        let tracked = dict.tracked.iter().filter_map(|(name, count)| Some((within(name)?, *count))).collect();
        Ok(TorchNames { pairs, tracked, ..names.clone() })
    }

    /// Writes a net's parameters and running statistics for `load_state_dict(…, strict=True)`, under these names.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::StateDict`]; a file that was there is then as it was.
    pub fn save_torch(&self, net: usize, path: &Path, names: &TorchNames) -> Result<()> {
        let refuse = |message: String| Error::StateDict { path: path.to_path_buf(), message };
        let net_name = self.net_name(net)?;
        let layers = self.layers(net);
        let own_names = || layers.iter().map(|layer| (layer.name.clone(), layer.name.clone())).collect();
        let pairs: Vec<(String, String)> = if names.pairs.is_empty() { own_names() } else { names.pairs.clone() };
        let mut dict = StateDict::default();
        let mut left = BTreeSet::new();
        for layer in &layers {
            left.extend(layer.parts.keys().map(|part| format!("{net_name}.{}.{part}", layer.name)));
        }
        for (entry, state) in self.entries(net, &net_name, &pairs) {
            if !left.remove(&state) {
                return Err(refuse(format!("the names give `{entry}` to `{state}`, which the net does not have, or twice")));
            }
            let average = format!("{state}.average");
            let source = if names.averages && self.specs.contains_key(&average) { &average } else { &state };
            let values = self.store.read_f32(source)?;
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(refuse(format!("nothing was written, for `{source}` holds {value}")));
            }
            let shape = self.specs.get(&state).map(|spec| spec.ty.shape.clone()).unwrap_or_default();
            if let Some(module) = entry.strip_suffix(COUNTING) {
                let counter = format!("{module}{TRACKED}");
                let count = names.tracked.get(&counter).copied().unwrap_or(self.step as i64);
                dict.tracked.insert(format!("{}{counter}", names.prefix), count);
            }
            if dict.arrays.insert(format!("{}{entry}", names.prefix), (shape, values)).is_some() {
                return Err(refuse(format!("the names give `{entry}` to `{state}` and to something else")));
            }
        }
        if let Some(state) = left.first() {
            return Err(refuse(format!("the names give no entry to `{state}`")));
        }
        let own = format!("{net_name}.");
        if names.averages && !self.specs.keys().any(|name| name.starts_with(&own) && name.ends_with(".average")) {
            return Err(refuse(format!("the net `{net_name}` keeps no averages: it has no `#[ema(…)]`")));
        }
        write_atomically(path, &dict.to_bytes().map_err(refuse)?)
    }

    fn net_name(&self, net: usize) -> Result<String> {
        let net = self.resolved.nets.get(net).map(|net| net.name.clone());
        net.ok_or_else(|| Error::device("there is no net of this index"))
    }

    /// The layers of a net in the order of execution, with what they hold.
    fn layers(&self, net: usize) -> Vec<LayerParts> {
        let owned = |kind: &Kind| matches!(kind, Kind::Parameter { net: n } | Kind::Statistic { net: n } if *n == net);
        let mut states: Vec<_> = self.specs.iter().filter(|(_, spec)| owned(&spec.kind)).collect();
        states.sort_by_key(|(_, spec)| spec.order);
        let mut layers: Vec<LayerParts> = Vec::new();
        for (state, spec) in states {
            let within = state.split_once('.').map_or(state.as_str(), |(_, rest)| rest);
            let (name, part) = within.split_once('.').unwrap_or((within, ""));
            let at = layers.iter().position(|layer| layer.name == name).unwrap_or_else(|| {
                layers.push(LayerParts { name: name.to_string(), parts: BTreeMap::new() });
                layers.len() - 1
            });
            layers[at].parts.insert(part.to_string(), spec.ty.shape.clone());
        }
        layers
    }

    /// Entries with the states that they are, from pairs of modules and layers, or of single entries and parameters.
    fn entries(&self, net: usize, net_name: &str, pairs: &[(String, String)]) -> Vec<(String, String)> {
        let layers = self.layers(net);
        let single = |layer: &str, part: &str| pairs.iter().any(|(_, to)| *to == format!("{layer}.{part}"));
        let mut entries = Vec::new();
        for (module, to) in pairs {
            match layers.iter().find(|layer| layer.name == *to) {
                Some(layer) => {
                    for part in layer.parts.keys().filter(|part| !single(to, part)) {
                        let entry = if module.is_empty() { part.clone() } else { format!("{module}.{part}") };
                        entries.push((entry, format!("{net_name}.{to}.{part}")));
                    }
                }
                None => entries.push((module.clone(), format!("{net_name}.{to}"))),
            }
        }
        entries
    }
}
