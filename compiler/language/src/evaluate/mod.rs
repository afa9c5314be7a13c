//! Evaluation of a model over a [`Target`]: what each objective, metric and output is, call by call.
//!
//! One [`Evaluation`] is one inner step: every `let`, `noise` and inline draw in it is evaluated at most once, on demand, and
//! shared by all its uses (rule 16). Errors are collected; the value at an error is poisoned and takes no part in further
//! errors, so that as many independent errors as possible are found at once.

mod body;
mod call;
mod divergence;
mod expression;
mod forms;
mod habits;
mod hints;
mod limits;
mod lookup;
mod objective;
mod value;
mod vmap;

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::function::Function;
use crate::resolve::{Resolved, Updated};
use crate::target::{Call, Layer, Target, Typed};
use crate::tree::{Expr, Name, Site};
use crate::types::TensorType;

pub(crate) use habits::{optimiser as known_optimiser, optimiser_option};
pub(crate) use value::{Record, Tracked, Value, scalar};

/// Whether nets are being trained or used (rule 24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Turns and metrics.
    Training,
    /// Outputs.
    Inference,
}

/// One evaluation of parts of a model: the values of one inner step.
pub struct Evaluation<'a, T: Target> {
    pub(crate) resolved: &'a Resolved,
    target: &'a mut T,
    mode: Mode,
    memo: Memo<T::Tensor>,
    frame: Frame<T::Tensor>,
    /// Calls that are being evaluated, outermost first.
    stack: Vec<Caller>,
    record: Record,
    diagnostics: Vec<Diagnostic>,
    /// Set while a formula of hypers is evaluated.
    formula: Option<Formula<'a>>,
    /// Nets whose layers have been made.
    owners: Vec<bool>,
    /// Scores behind what the activation of a divergence made, by its node: (divergence, score).
    activated: BTreeMap<usize, (usize, Tracked<T::Tensor>)>,
    /// What is left to spend on loops, calls and nesting.
    budget: limits::Budget,
}

/// Values of the step, made on demand.
struct Memo<X> {
    lets: Vec<Option<BTreeMap<String, Value<X>>>>,
    noises: Vec<Option<Value<X>>>,
    fields: Vec<Vec<Option<Value<X>>>>,
    latents: Vec<Option<Value<X>>>,
    hypers: Vec<Option<Value<X>>>,
}

/// What a body sees and whom its layers belong to.
struct Frame<X> {
    scopes: Vec<Vec<Binding<X>>>,
    world: World,
    /// The net whose body is evaluated, with the number of layers made of each kind in this call.
    net: Option<(usize, BTreeMap<&'static str, usize>)>,
    /// The layer that this net applied last.
    last: Option<hints::LastLayer>,
    /// A `fn` that nothing calls, checked by itself: it is not known who owns its layers.
    alone: bool,
    /// Inside a `for` of that net.
    looped: bool,
    /// Inside a frozen net or an output.
    inference: bool,
    /// Scopes below this one may be read and not assigned (inside `vmap`).
    barrier: usize,
    /// The `let`, player or metric that is evaluated, and the replay pools made in it so far.
    item: Option<(String, usize)>,
    /// Lengths of the axes that the `vmap`s around run over, outermost first; 1 where a length is not known yet.
    entries: Vec<usize>,
}

struct Binding<X> {
    name: String,
    value: Value<X>,
    mutable: bool,
}

/// The names a body sees besides its own (rule N3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum World {
    /// Everything, but only the first `lets` lets.
    Model { lets: usize },
    /// Consts, hypers, nets, fns.
    Net,
    /// Those, noises and latents without `per`.
    Output,
    /// Consts only, and in formulas hypers, `step` and `progress`.
    Constants,
    /// The initial value of a latent: consts, nets, noises, and the fields of its group.
    Initial { group: Option<usize> },
}

/// A net or fn that is being called.
struct Caller {
    site: Site,
    callee: Callee,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Callee {
    Net(usize),
    Fn(usize),
    Divergence(usize, Definition),
}

/// What the user writes of a divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Definition {
    Value,
    Conjugate,
    Activation,
}

/// The variables of a formula.
#[derive(Clone, Copy)]
struct Formula<'a> {
    step: f64,
    progress: f64,
    overrides: &'a [Option<f64>],
    /// Hypers nested in each other; more than there are means a circle.
    depth: usize,
    /// Whether `step`, `progress` and hypers are known.
    open: bool,
}

impl<'a, T: Target> Evaluation<'a, T> {
    /// An evaluation in which nothing has been evaluated yet.
    pub fn new(resolved: &'a Resolved, target: &'a mut T, mode: Mode) -> Evaluation<'a, T> {
        let model = &resolved.model;
        Evaluation {
            resolved,
            target,
            mode,
            memo: Memo {
                lets: vec![None; model.lets.len()],
                noises: vec![None; model.noises.len()],
                fields: model.groups.iter().map(|group| vec![None; group.fields.len()]).collect(),
                latents: vec![None; model.latents.len()],
                hypers: vec![None; model.hypers.len()],
            },
            frame: Frame::new(World::Model { lets: model.lets.len() }, mode == Mode::Inference),
            stack: Vec::new(),
            record: Record::default(),
            diagnostics: Vec::new(),
            formula: None,
            owners: vec![false; model.nets.len()],
            activated: BTreeMap::new(),
            budget: limits::Budget::new(),
        }
    }

    /// The target, between calls.
    pub fn target(&mut self) -> &mut T {
        self.target
    }

    /// Errors met so far, each once.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    pub(crate) fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.diagnostics)
    }

    /// Reports an error that lies in what is called: inside a `fn`, at the call of the outermost one, with the line of the `fn`.
    fn report(&mut self, site: Site, message: impl Into<String>) -> Value<T::Tensor> {
        let mut diagnostic = Diagnostic::new(site, message);
        let first_fn =
            self.stack.iter().rposition(|caller| matches!(caller.callee, Callee::Net(_))).map_or(0, |net| net + 1);
        if let Some(Caller { site: call, callee: Callee::Fn(index) }) = self.stack.get(first_fn) {
            let name = &self.resolved.model.fns[*index].name.text;
            let line = self.resolved.model.place(site).line;
            diagnostic.message = format!("in `fn {name}`, line {line}: {}", diagnostic.message);
            diagnostic.notes.push((site, "here".to_string()));
            diagnostic.site = *call;
        }
        self.push(diagnostic)
    }

    /// Reports an error at its own token, wherever it was called from.
    fn report_here(&mut self, site: Site, message: impl Into<String>) -> Value<T::Tensor> {
        self.push(Diagnostic::new(site, message))
    }

    fn push(&mut self, diagnostic: Diagnostic) -> Value<T::Tensor> {
        if self.diagnostics.contains(&diagnostic) {
            self.spend(diagnostic.site, limits::AGAIN);
        } else {
            self.diagnostics.push(diagnostic);
        }
        Value::Poison
    }

    /// Nets whose layers have been made.
    pub(crate) fn owners(&self) -> Vec<bool> {
        self.owners.clone()
    }

    /// Evaluates a value of the model, for the errors in it.
    pub(crate) fn look(&mut self, name: &Name) {
        self.lookup(&name.text, name.site);
    }

    /// The type of a value of the model.
    pub(crate) fn type_of(&mut self, name: &Name) -> Option<TensorType> {
        match self.lookup(&name.text, name.site) {
            Value::Tensor(tensor) => Some(tensor.typed.ty),
            _ => None,
        }
    }

    /// Reports an error at its token.
    pub(crate) fn complain(&mut self, site: Site, message: String) {
        self.report_here(site, message);
    }

    /// Any expression of consts as (value, is a bool); both None after an error.
    pub(crate) fn constant(&mut self, expr: &Expr) -> Option<(Option<f64>, bool)> {
        let value = self.detached(World::Constants, |e| e.expression(expr));
        match value {
            Value::Number(value) => Some((value, false)),
            Value::Flag(value) => Some((value.map(f64::from), true)),
            Value::Poison => None,
            other => {
                let got = other.describe();
                self.report_here(expr.site, format!("expected a number or bool known at compile time, got {got}"));
                None
            }
        }
    }

    /// Checks a formula of which hypers, `step` and `progress` are not known.
    /// Its value, if it needs none of these.
    pub(crate) fn check_formula(&mut self, formula: &Expr, what: &str) -> Option<f64> {
        self.formula = Some(Formula { step: 0.0, progress: 0.0, overrides: &[], depth: 0, open: true });
        self.frame = Frame::new(World::Constants, false);
        let value = match self.expression(formula) {
            Value::Number(value) => value,
            Value::Flag(_) | Value::Poison => None,
            other => {
                let got = other.describe();
                self.report_here(formula.site, format!("{what} must be a number, got {got}"));
                None
            }
        };
        self.formula = None;
        value
    }

    /// A formula over consts, hypers, `step` and `progress`, as a number.
    pub(crate) fn formula(&mut self, formula: &Expr, step: f64, progress: f64, overrides: &'a [Option<f64>]) -> Option<f64> {
        self.formula = Some(Formula { step, progress, overrides, depth: 0, open: false });
        self.frame = Frame::new(World::Constants, false);
        match self.expression(formula) {
            Value::Number(value) => value,
            Value::Flag(value) => value.map(f64::from),
            _ => None,
        }
    }

    /// A tensor of the target, for a function or layer whose operands and options have been checked.
    fn emit(
        &mut self,
        site: Site,
        function: &Function,
        operands: Vec<Tracked<T::Tensor>>,
        results: &[TensorType],
        layer: Option<&Layer>,
        passes: bool,
    ) -> Vec<Value<T::Tensor>> {
        for ty in results {
            if let Err(message) = self.computable_here(&ty.shape) {
                return vec![self.report(site, message); results.len()];
            }
        }
        let parents: Vec<usize> = operands.iter().map(|operand| operand.node).collect();
        let source = layer.map(|layer| Updated::Net(layer.net));
        let shared = self.shared(operands, results, vmap::draws(function));
        let (typed, depth, rows) = match shared {
            Ok(shared) => shared,
            Err(message) => return vec![self.report(site, message); results.len()],
        };
        let seen: Vec<TensorType> =
            results.iter().map(|ty| TensorType { per_sample: ty.per_sample || depth > 0, ..ty.clone() }).collect();
        match self.target.call(&Call { function, operands: &typed, results: &seen, rows, layer }) {
            Ok(tensors) if tensors.len() == results.len() => results
                .iter()
                .zip(tensors)
                .map(|(ty, tensor)| {
                    let node = self.record.add(parents.clone(), passes, source);
                    Value::Tensor(Tracked { typed: Typed { ty: ty.clone(), tensor }, node, depth })
                })
                .collect(),
            Ok(_) => vec![self.report(site, "internal: wrong number of results"); results.len()],
            Err(message) => vec![self.report(site, message); results.len()],
        }
    }

    /// A leaf: data, a hyper, a latent, an argument, a number.
    fn leaf(
        &mut self,
        site: Site,
        ty: TensorType,
        tensor: Result<T::Tensor, String>,
        source: Option<Updated>,
    ) -> Value<T::Tensor> {
        match tensor {
            Ok(tensor) => {
                let node = self.record.add(Vec::new(), false, source);
                Value::Tensor(Tracked { typed: Typed { ty, tensor }, node, depth: 0 })
            }
            Err(message) => self.report(site, message),
        }
    }
}

impl<X> Frame<X> {
    fn new(world: World, inference: bool) -> Frame<X> {
        Frame {
            scopes: vec![Vec::new()],
            world,
            net: None,
            last: None,
            alone: false,
            looped: false,
            inference,
            barrier: 0,
            item: None,
            entries: Vec::new(),
        }
    }
}
