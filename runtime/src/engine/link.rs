//! Extern nets: bodies and parameters that come from other models.
//!
//! An `extern net` names a net of another model by its [`NetDef`]. At build its body is linked in ([`saddlepoint_language::link`])
//! and, where the other model was given (`Config::give`), so are its parameters and running statistics.

use super::{Engine, ModelSource};
use crate::device::any::StateStore;
use crate::error::{Error, Result};
use saddlepoint_compiler::lower::{Kind, RustFunction, States};
use saddlepoint_language::{Diagnostic, Given, Linked, Model as Tree, Origin, Resolved, decode, link};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A net of a model, for `extern net G(…) -> … = crate::Dcgan::G;` in another one.
#[derive(Clone, Copy)]
pub struct NetDef {
    model: fn() -> &'static ModelSource,
    net: &'static str,
}

impl fmt::Debug for NetDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.source().name, self.net)
    }
}

impl NetDef {
    /// The net of this name. What `gan!` writes.
    #[doc(hidden)]
    pub const fn new(model: fn() -> &'static ModelSource, net: &'static str) -> NetDef {
        NetDef { model, net }
    }

    fn source(&self) -> &'static ModelSource {
        (self.model)()
    }
}

/// What a model hands to those that are built with its nets: its constants, and its state of the moment.
pub(crate) struct Donor {
    source: &'static ModelSource,
    resolved: Resolved,
    hypers: Vec<f64>,
    states: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl fmt::Debug for Donor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.source.name)
    }
}

/// Models that were given to a build.
#[derive(Clone, Debug, Default)]
pub(crate) struct Donors(Vec<Arc<Donor>>);

impl PartialEq for Donors {
    fn eq(&self, other: &Donors) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl Donors {
    pub(crate) fn add(&mut self, engine: &Engine) {
        self.0.push(Arc::new(engine.donor()));
    }

    fn of(&self, source: &'static ModelSource) -> Option<&Donor> {
        self.0.iter().rev().find(|donor| std::ptr::eq(donor.source, source)).map(Arc::as_ref)
    }
}

impl Engine {
    fn donor(&self) -> Donor {
        let mut states = BTreeMap::new();
        for (name, spec) in &self.specs {
            if !matches!(spec.kind, Kind::Optimiser { .. })
                && let Ok(values) = self.store.read_f32(name)
            {
                states.insert(name.clone(), (spec.ty.shape.clone(), values));
            }
        }
        let hypers = (0..self.resolved.hypers.len()).map(|h| f64::from(self.hyper(h))).collect();
        Donor { source: self.source, resolved: self.resolved.clone(), hypers, states }
    }

    /// Takes over the parameters and running statistics of a net of another model, which must have the same layers; where
    /// that net keeps an average (`#[ema]`), its average, as outputs do.
    ///
    /// # Errors
    /// [`Error::Data`] naming what differs; nothing is changed then.
    pub fn copy_net(&mut self, net: usize, other: &Engine, other_net: usize) -> Result<()> {
        let (here, there) = (&self.resolved.nets[net].name, &other.resolved.nets[other_net].name);
        let donor = other.donor();
        let linked = Linked { there: there.clone(), here: here.clone() };
        let place = format!("net {there} of {} for net {here} of {}", other.name, self.name);
        let values = transfers(&self.specs, &donor, &linked, &place)?;
        if values.is_empty() {
            return Err(Error::data(place, "a net with layers", "none"));
        }
        for (name, values) in values {
            self.store.write_f32(&name, &values)?;
        }
        Ok(())
    }
}

/// A net that was linked, and the model to fill it from.
pub(super) struct Filled<'c> {
    donor: Option<&'c Donor>,
    linked: Vec<Linked>,
}

/// Links every extern net of a model. Gives back what is to be filled in once the states exist, and puts the other models' Rust
/// functions behind the model's own.
pub(super) fn link_externs<'c>(
    model: &mut Tree,
    given: &Given<'_>,
    source: &ModelSource,
    donors: &'c Donors,
    functions: &mut Vec<RustFunction>,
    locate: &dyn Fn(&Tree, Vec<Diagnostic>) -> Error,
) -> Result<Vec<Filled<'c>>> {
    let open: Vec<usize> = (0..model.nets.len()).filter(|net| model.nets[*net].body.is_none()).collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let resolved = Resolved::new(model, given).map_err(|all| locate(model, all))?;
    let mut filled = Vec::new();
    for (index, def) in open.into_iter().zip(source.externs) {
        let name = model.nets[index].name.clone();
        let donor = donors.of(def.source());
        let trained = resolved.nets[index].updated;
        if donor.is_none() && !trained {
            return Err(Error::Missing { net: name.text });
        }
        let own;
        let (from, hypers) = match donor {
            Some(donor) => (&donor.resolved, donor.hypers.clone()),
            None => {
                own = alone(def.source(), &name.text, donors, locate)?;
                let values = (0..own.hypers.len()).map(|h| own.hyper_value(h, 0.0, 0.0, &[]));
                (&own, values.collect())
            }
        };
        let Some(net) = from.nets.iter().position(|net| net.name == def.net) else {
            return Err(Error::device(format!("{} has no net {}", def.source().name, def.net)));
        };
        let origin = Origin { resolved: from, net, hypers: &hypers, functions: functions.len() };
        let linked = link(model, &resolved, index, trained, &origin).map_err(|d| locate(model, vec![d]))?;
        model.functions.extend(from.model.functions.iter().cloned());
        functions.extend(all_functions(def.source()));
        filled.push(Filled { donor, linked });
    }
    Ok(filled)
}

/// The Rust functions of a model with those of its extern nets behind, in the order in which linking puts them.
pub(super) fn all_functions(source: &ModelSource) -> Vec<RustFunction> {
    let mut functions = (source.statics)().functions;
    for def in source.externs {
        functions.extend(all_functions(def.source()));
    }
    functions
}

/// A model of which only the text is at hand.
fn alone(
    source: &'static ModelSource,
    net: &str,
    donors: &Donors,
    locate: &dyn Fn(&Tree, Vec<Diagnostic>) -> Error,
) -> Result<Resolved> {
    let mut model = decode(source.tree).map_err(Error::device)?;
    if model.consts.iter().any(|item| item.value.is_none()) {
        // Its constants come with a trained model only.
        return Err(Error::Missing { net: net.to_string() });
    }
    let statics = (source.statics)();
    let given = Given { consts: &[], outer: &statics.outer };
    let mut functions = statics.functions;
    link_externs(&mut model, &given, source, donors, &mut functions, locate)?;
    Resolved::new(&model, &given).map_err(|all| locate(&model, all))
}

/// Writes what the given models hand over.
pub(super) fn fill(store: &mut StateStore, states: &States, filled: &[Filled<'_>]) -> Result<()> {
    for one in filled {
        let Some(donor) = one.donor else { continue };
        for linked in &one.linked {
            let place = format!("net {} of {} for the extern net {}", linked.there, donor.source.name, linked.here);
            for (name, values) in transfers(states, donor, linked, &place)? {
                store.write_f32(&name, &values)?;
            }
        }
    }
    Ok(())
}

/// Values for every state of one net, from a net of the same layers.
fn transfers(states: &States, donor: &Donor, linked: &Linked, place: &str) -> Result<Vec<(String, Vec<f32>)>> {
    let mut all = Vec::new();
    let here = format!("{}.", linked.here);
    for (name, spec) in states {
        let base = match &spec.kind {
            Kind::Average { of } => of,
            Kind::Parameter { .. } | Kind::Statistic { .. } | Kind::SingularVector { .. } => name,
            Kind::Optimiser { .. } | Kind::Latent { .. } | Kind::Replay => continue,
        };
        // `G.Trunk.dense_0.weight` belongs to a net behind `G`, not to `G`.
        let Some(rest) = base.strip_prefix(&here).filter(|rest| rest.split('.').count() == 2) else { continue };
        let there = format!("{}.{rest}", linked.there);
        let averaged = donor.states.get(&format!("{there}.average")).or_else(|| donor.states.get(&there));
        match averaged {
            Some((shape, values)) if *shape == spec.ty.shape => all.push((name.clone(), values.clone())),
            Some((shape, _)) => {
                return Err(Error::data(place, format!("{name} of {:?}", spec.ty.shape), format!("{there} of {shape:?}")));
            }
            None => return Err(Error::data(place, format!("a state {there} of {:?}", spec.ty.shape), "none")),
        }
    }
    Ok(all)
}
