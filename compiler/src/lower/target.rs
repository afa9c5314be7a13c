//! The evaluation target that makes graph nodes: what the language calls, written into a growing graph.

use super::RustFunction;
use super::functions::draws::Draws;
use super::functions::{classes, elementwise, products, reduce, shape};
use super::layers;
use super::optimiser::memory_name;
use super::replay::replay;
use super::states::{Init, Kind, StateSpec, States};
use super::values::{full_shape, graph_type, per_sample, repeated};
use crate::autodiff;
use crate::ir::{Builder, DType, Expr, Literal, Op, Type};
use crate::rewrite;
use saddlepoint_language::{Call, Element, Function, Init as GivenInit, Layer, Resolved, Rows, Target, TensorType, Typed};
use std::collections::{BTreeMap, BTreeSet};

/// Makes graph nodes for one program: a turn, the metrics, or an output.
pub struct GraphTarget<'r> {
    builder: Builder,
    resolved: &'r Resolved,
    functions: &'r [RustFunction],
    batch: usize,
    /// Rows of what is `per_sample` in the call that is being made: those of the batch, or in a `vmap` those of its entries too.
    rows: usize,
    /// Parameters are read through their averages where the net keeps one.
    averaged: bool,
    inputs: BTreeMap<String, Expr>,
    draws: Option<Draws>,
    states: States,
    /// Nets whose parameters the program updates.
    updated: BTreeSet<usize>,
    /// Weights after spectral normalisation, by name: all calls of a program divide by one σ.
    normalised: BTreeMap<String, Expr>,
    /// Next value of each statistic that a call has moved, by name.
    moved: BTreeMap<String, Expr>,
}

impl<'r> GraphTarget<'r> {
    /// An empty program over batches of this size. With `averaged`, nets that keep an average are read through it.
    pub fn new(resolved: &'r Resolved, functions: &'r [RustFunction], batch: usize, averaged: bool) -> GraphTarget<'r> {
        GraphTarget {
            builder: Builder::new(),
            resolved,
            functions,
            batch,
            rows: batch,
            averaged,
            inputs: BTreeMap::new(),
            draws: None,
            states: States::new(),
            updated: BTreeSet::new(),
            normalised: BTreeMap::new(),
            moved: BTreeMap::new(),
        }
    }

    /// Says which nets the program updates; before any call.
    pub fn updating(mut self, nets: BTreeSet<usize>) -> GraphTarget<'r> {
        self.updated = nets;
        self
    }

    /// Whether the program updates this net.
    pub fn updates(&self, net: usize) -> bool {
        self.updated.contains(&net)
    }

    /// The graph under construction.
    pub fn builder(&self) -> &Builder {
        &self.builder
    }

    /// Rows of what is `per_sample` in the call that is being made.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The name of a player.
    pub fn player_name(&self, player: usize) -> &'r str {
        &self.resolved.players[player].name
    }

    /// States declared so far.
    pub fn states(&self) -> &States {
        &self.states
    }

    /// An input of the program, declared at its first use.
    pub fn input(&mut self, name: &str, ty: Type) -> Expr {
        let builder = &self.builder;
        self.inputs.entry(name.to_string()).or_insert_with(|| builder.input(name, ty)).clone()
    }

    /// This evaluation's draws.
    pub fn draws(&mut self) -> &mut Draws {
        let key = self.input("key", Type::new(DType::I32, [4]));
        self.draws.get_or_insert_with(|| Draws::new(key))
    }

    /// A parameter of a layer; the average of it where outputs are to use one.
    pub fn parameter(&mut self, layer: &Layer, part: &str, shape: &[usize], init: Init) -> Expr {
        let name = format!("{}.{part}", layer.name);
        let init = match (self.resolved.nets[layer.net].attributes.init, part) {
            // Scales of normalisations and slopes start as constants and stay so.
            (Some(given), "weight" | "weight_ih" | "weight_hh") if !matches!(init, Init::Constant(_)) => match given {
                GivenInit::Normal { deviation } => Init::Normal { deviation: deviation as f32 },
                GivenInit::Uniform { low, high } => Init::Uniform { low: low as f32, high: high as f32 },
                GivenInit::Zeros => Init::Constant(0.0),
            },
            _ => init,
        };
        self.declare(&name, shape, init, Kind::Parameter { net: layer.net });
        if self.averaged && self.resolved.nets[layer.net].attributes.ema.is_some() {
            return self.average(&name, shape);
        }
        self.builder.state(&name, Type::f32(shape))
    }

    /// A weight whose output features stand on axis `rows`: the parameter, in a net with spectral normalisation divided by
    /// its largest singular value.
    pub fn weight(&mut self, layer: &Layer, part: &str, shape: &[usize], init: Init, rows: usize) -> Expr {
        let name = format!("{}.{part}", layer.name);
        if let Some(known) = self.normalised.get(&name) {
            return known.clone();
        }
        let weight = self.parameter(layer, part, shape, init);
        if !self.resolved.nets[layer.net].attributes.spectral_norm {
            return weight;
        }
        let divided = layers::normalised(self, layer, part, rows, weight);
        self.normalised.insert(name, divided.clone());
        divided
    }

    /// A state of this name and kind, as it is at the start of the program.
    pub fn state(&mut self, name: &str, shape: &[usize], init: Init, kind: Kind) -> Expr {
        self.declare(name, shape, init, kind);
        self.builder.state(name, Type::f32(shape))
    }

    /// The running average of a parameter.
    pub fn average(&mut self, parameter: &str, shape: &[usize]) -> Expr {
        let name = format!("{parameter}.average");
        let kind = Kind::Average { of: parameter.to_string() };
        self.declare(&name, shape, Init::CopyOf, kind);
        self.builder.state(&name, Type::f32(shape))
    }

    /// A running statistic of a layer: its value after the calls so far.
    pub fn statistic(&mut self, layer: &Layer, part: &str, shape: &[usize], start: f32) -> Expr {
        let name = format!("{}.{part}", layer.name);
        let kind = Kind::Statistic { net: layer.net };
        self.declare(&name, shape, Init::Constant(start), kind);
        let read = self.builder.state(&name, Type::f32(shape));
        self.moved.get(&name).cloned().unwrap_or(read)
    }

    /// Moves a running statistic; written at the end of turns that update the net.
    pub fn move_statistic(&mut self, layer: &Layer, part: &str, next: Expr) {
        self.move_state(&format!("{}.{part}", layer.name), &next);
    }

    /// Moves a statistic or singular vector, written at the end of turns that update the net, or a replay pool, written at the end of
    /// every turn.
    pub fn move_state(&mut self, name: &str, next: &Expr) {
        self.moved.insert(name.to_string(), next.clone());
    }

    /// States that calls have moved and a turn writes: statistics and singular vectors of the nets it updates, replay pools.
    pub fn moved_states(&self) -> Vec<(String, Expr)> {
        let written = |name: &str| match self.states.get(name).map(|s| &s.kind) {
            Some(Kind::Statistic { net } | Kind::SingularVector { net, .. }) => self.updates(*net),
            Some(Kind::Replay) => true,
            _ => false,
        };
        let moved = self.moved.iter().filter(|(name, _)| written(name));
        moved.map(|(name, next)| (name.clone(), next.clone())).collect()
    }

    /// An optimiser state of a player for something it moves, or for all of it; starts at 0.
    pub fn memory(&mut self, player: usize, part: &str, of: Option<&str>, shape: &[usize]) -> Expr {
        let name = memory_name(self.player_name(player), part);
        let kind = Kind::Optimiser { player };
        // What moves row by row has its memory row by row.
        let rows_of = of.and_then(|of| self.states.get(of)).and_then(|spec| spec.rows_of);
        self.declare_rows(&name, shape, Init::Constant(0.0), kind, rows_of);
        self.builder.state(&name, Type::f32(shape))
    }

    fn declare(&mut self, name: &str, shape: &[usize], init: Init, kind: Kind) {
        self.declare_rows(name, shape, init, kind, None);
    }

    fn declare_rows(&mut self, name: &str, shape: &[usize], init: Init, kind: Kind, rows_of: Option<usize>) {
        let order = self.states.get(name).map_or(self.states.len(), |known| known.order);
        self.states.insert(name.to_string(), StateSpec { ty: Type::f32(shape), init, kind, order, rows_of });
    }

    /// Makes `value` the next value of a state.
    pub fn write(&mut self, name: &str, value: &Expr) {
        self.builder.write_state(name, value);
    }

    fn combined(&self, call: &Call<'_, Expr>) -> Result<Vec<Expr>, String> {
        let result = &call.results[0];
        // Operands combine among themselves; a class result (select) repeats classes.
        call.operands.iter().map(|v| repeated(v, result, self.rows)).collect()
    }

    fn compared(&self, call: &Call<'_, Expr>) -> Result<Vec<Expr>, String> {
        let class = call.operands.iter().any(|v| matches!(v.ty.element, Element::Class(_)));
        let convert = |e: Expr| match (class, e.ty().dtype) {
            (true, DType::I32) => e.cast(DType::F32),
            _ => e,
        };
        Ok(self.combined(call)?.into_iter().map(convert).collect())
    }

    fn draw(&mut self, call: &Call<'_, Expr>) -> Result<Expr, String> {
        let ty = &call.results[0];
        let shape = full_shape(ty, self.rows)?;
        let batch = self.rows;
        let draws = self.draws();
        Ok(match call.function {
            Function::Normal => draws.normal(&shape),
            Function::Uniform { low, high } => draws.uniform_between(&shape, *low, *high),
            Function::Bernoulli => {
                let p = call.operands.first().ok_or("bernoulli wants a probability")?;
                let p = repeated(p, ty, batch)?;
                draws.bernoulli(&shape, &p)
            }
            Function::Categorical => draws.class(&shape, class_count(ty)?),
            other => return Err(format!("{other:?} is no draw")),
        })
    }

    fn apply(&mut self, call: &Call<'_, Expr>) -> Result<Expr, String> {
        use Function as F;
        let result = call.results.first().ok_or("a call without result")?;
        let operand = |i: usize| call.operands.get(i).ok_or_else(|| format!("operand {i} is missing"));
        let lead = |v: &Typed<Expr>| usize::from(v.ty.per_sample);
        let batch = self.rows;
        Ok(match call.function {
            F::Add | F::Sub | F::Mul | F::Div | F::Max | F::Min => {
                let v = self.combined(call)?;
                elementwise::binary(call.function, &v[0], &v[1], Element::Float).ok_or("not a binary function")?
            }
            F::Less | F::LessEqual | F::Greater | F::GreaterEqual | F::Equal | F::NotEqual => {
                let v = self.compared(call)?;
                elementwise::binary(call.function, &v[0], &v[1], Element::Float).ok_or("not a comparison")?
            }
            F::Select => {
                let v = self.combined(call)?;
                elementwise::select(&v[0], &v[1], &v[2])
            }
            F::Mix => {
                let v = self.combined(call)?;
                elementwise::mix(&v[0], &v[1], &v[2])
            }
            F::Sum { .. }
            | F::Mean { .. }
            | F::Norm { .. }
            | F::Amax { .. }
            | F::Var { .. }
            | F::Expectation
            | F::Softmax { .. }
            | F::LogSoftmax { .. } => {
                let x = operand(0)?;
                reduce::reduce(call.function, &x.tensor, lead(x)).ok_or("not a reduction")?
            }
            F::Reshape => operand(0)?.tensor.reshape(&full_shape(result, batch)?),
            F::Transpose { a, b } => shape::transpose(&operand(0)?.tensor, *a, *b, lead(operand(0)?)),
            F::Flip { axis } => operand(0)?.tensor.reverse(&[axis + lead(operand(0)?)]),
            F::Concat { axis } => {
                let parts = self.aligned_batch(call)?;
                let lead = usize::from(result.per_sample);
                Expr::concat(&parts.iter().collect::<Vec<_>>(), axis + lead).ok_or("nothing to join")?
            }
            F::Stack => {
                let parts = self.aligned_batch(call)?;
                shape::stack(&parts, usize::from(result.per_sample)).ok_or("nothing to stack")?
            }
            F::Copies { n } => {
                let n = n.known().ok_or("the number of copies is not known")?;
                shape::copies(&operand(0)?.tensor, lead(operand(0)?), n)
            }
            F::Spread => shape::spread(&operand(0)?.tensor, &full_shape(result, batch)?),
            F::Index { index } => shape::index(&operand(0)?.tensor, lead(operand(0)?), *index),
            F::Slice { axis, from, to } => operand(0)?.tensor.slice_axis(axis + lead(operand(0)?), *from, *to),
            F::Diff { axis } => shape::diff(&operand(0)?.tensor, axis + lead(operand(0)?)),
            F::Pad { n } => shape::pad(&operand(0)?.tensor, lead(operand(0)?) + 1, *n),
            F::MaxPool { k } => {
                let (blocks, axes) = shape::blocks(&operand(0)?.tensor, lead(operand(0)?) + 1, *k);
                blocks.max_over(&axes)
            }
            F::AvgPool { k } => {
                let (blocks, axes) = shape::blocks(&operand(0)?.tensor, lead(operand(0)?) + 1, *k);
                blocks.mean(&axes)
            }
            F::Upsample { k } => shape::upsample(&operand(0)?.tensor, lead(operand(0)?) + 1, *k),
            F::PixelShuffle { k } => shape::pixel_shuffle(&operand(0)?.tensor, lead(operand(0)?), *k),
            F::Glu => {
                let (x, axis) = (&operand(0)?.tensor, lead(operand(0)?));
                let half = x.shape()[axis] / 2;
                x.slice_axis(axis, 0, half) * x.slice_axis(axis, half, 2 * half).sigmoid()
            }
            F::Matmul => products::matmul(operand(0)?, operand(1)?),
            F::Cosine => {
                let v = self.aligned_batch(call)?;
                products::cosine(&v[0], &v[1])
            }
            F::Attention => {
                let v = call.operands.iter().map(|o| per_sample(o, batch)).collect::<Result<Vec<_>, _>>()?;
                products::attention(&v[0], &v[1], &v[2])
            }
            F::OneHot => classes::one_hot(&operand(0)?.tensor, class_count(&operand(0)?.ty)?),
            F::Label { index } => self.builder.i32(*index as i32).broadcast(&full_shape(result, batch)?, &[]),
            F::Classes => self.builder.op(Op::Iota { shape: full_shape(result, batch)?, axis: 0 }, &[]),
            F::Sample => {
                // Gumbel-max: argmax(logits + G) is a draw from softmax(logits) (Gumbel 1954).
                let logits = per_sample(operand(0)?, batch)?;
                let noise = self.draws().gumbel(&logits.shape());
                classes::argmax(&(logits + noise).stop_grad())
            }
            F::Argmax => classes::argmax(&operand(0)?.tensor),
            F::LogProb | F::CrossEntropy => {
                let v = self.aligned_batch(call)?;
                // One class for all distributions of a sample (or of the model) is repeated over them.
                let class = repeated(operand(1)?, result, batch)?;
                let log_prob = classes::log_prob(&v[0], &class);
                if matches!(call.function, F::LogProb) { log_prob } else { log_prob.neg() }
            }
            F::Entropy => classes::entropy(&operand(0)?.tensor),
            F::KlNormal => {
                // ½ Σ (eˢ + μ² − 1 − s)
                let v = self.as_the_first(call)?;
                let all: Vec<usize> = (usize::from(result.per_sample)..v[0].rank()).collect();
                (v[1].exp() + v[0].square() - v[1].shift(1.0)).sum(&all).scale(0.5)
            }
            F::NormalLogProb => {
                // −½ Σ (ln 2π + s + (x−μ)²·e⁻ˢ)
                let v = self.as_the_first(call)?;
                let all: Vec<usize> = (usize::from(result.per_sample)..v[0].rank()).collect();
                let error = (&v[0] - &v[1]).square() * v[2].neg().exp();
                (error + v[2].shift(std::f32::consts::TAU.ln())).sum(&all).scale(-0.5)
            }
            F::Normal | F::Uniform { .. } | F::Bernoulli | F::Categorical => self.draw(call)?,
            F::Dropout { p, .. } => {
                let x = per_sample(operand(0)?, batch)?;
                self.draws().dropout(&x, *p)
            }
            F::DiffAugment { colour, translation, cutout, .. } => {
                let mut x = per_sample(operand(0)?, batch)?;
                let draws = self.draws();
                if *colour {
                    x = draws.colours(&x);
                }
                let x = draws.translation(&x, *translation);
                draws.cutout(&x, *cutout)
            }
            F::OtherClass => {
                let (y, k) = (per_sample(operand(0)?, batch)?, class_count(&operand(0)?.ty)?);
                self.draws().other_class(&y, k)
            }
            F::OtherSample if self.batch < 2 => return Err("`other_sample` needs a batch of two samples at least".into()),
            F::OtherSample => {
                let x = per_sample(operand(0)?, batch)?;
                let entries = call.rows.entries.unwrap_or(1);
                self.draws().other_sample(&x, entries)
            }
            F::Replay { size, pool } => replay(self, pool, &operand(0)?.tensor, *size)?,
            F::MinibatchStd => reduce::with_deviation(&operand(0)?.tensor).ok_or("nothing to join")?,
            F::Reverse => {
                // s·sg(x) carries the value: x·(−s) the gradient. e = sg(x + s·x) − s·x
                let (x, s) = (operand(0)?, repeated(operand(1)?, &operand(0)?.ty, batch)?);
                let pulled = &x.tensor * s.stop_grad();
                (&x.tensor + &pulled).stop_grad() - pulled
            }
            F::StraightThrough => {
                let v = self.combined(call)?;
                (&v[0] - &v[1]).stop_grad() + &v[1]
            }
            F::OverBatch => per_sample(operand(0)?, batch)?,
            F::Zeros => self.builder.full(0.0, &full_shape(result, batch)?),
            F::Ones => self.builder.full(1.0, &full_shape(result, batch)?),
            other => {
                let x = operand(0)?;
                elementwise::unary(other, &x.tensor).ok_or_else(|| format!("{other:?} is not executable yet"))?
            }
        })
    }

    /// Operands repeated to the shape of the first, with a common batch axis where any has one.
    fn as_the_first(&self, call: &Call<'_, Expr>) -> Result<Vec<Expr>, String> {
        let per_sample = call.operands.iter().any(|v| v.ty.per_sample);
        let Some(first) = call.operands.first() else { return Err("operands are missing".into()) };
        let ty = TensorType { per_sample, ..first.ty.clone() };
        call.operands.iter().map(|v| repeated(v, &ty, self.rows)).collect()
    }

    /// Operands with a common batch axis where any has one.
    fn aligned_batch(&self, call: &Call<'_, Expr>) -> Result<Vec<Expr>, String> {
        let any = call.operands.iter().any(|v| v.ty.per_sample);
        let one = |v: &Typed<Expr>| if any { per_sample(v, self.rows) } else { Ok(v.tensor.clone()) };
        call.operands.iter().map(one).collect()
    }
}

/// K of `class(K)`.
fn class_count(ty: &TensorType) -> Result<usize, String> {
    match ty.element {
        Element::Class(k) => k.known().ok_or_else(|| "the number of classes is not known".into()),
        Element::Float => Err(format!("{ty} holds no classes")),
    }
}

impl Target for GraphTarget<'_> {
    type Tensor = Expr;

    fn number(&mut self, value: f64) -> Result<Expr, String> {
        Ok(self.builder.op(Op::Const(Literal::F32(value as f32)), &[]))
    }

    fn data(&mut self, group: usize, field: usize, ty: &TensorType) -> Result<Expr, String> {
        let g = &self.resolved.groups[group];
        let name = super::data_name(&g.name, &g.fields[field].name);
        Ok(self.input(&name, graph_type(ty, self.batch)?))
    }

    fn hyper(&mut self, hyper: usize) -> Result<Expr, String> {
        let name = super::hyper_name(&self.resolved.hypers[hyper].name);
        Ok(self.input(&name, Type::f32([])))
    }

    fn latent(&mut self, latent: usize, ty: &TensorType) -> Result<Expr, String> {
        let known = &self.resolved.latents[latent];
        let (name, ty) = (super::latent_name(&known.name), graph_type(ty, self.batch)?);
        let (init, kind) = (Init::Normal { deviation: 0.02 }, Kind::Latent { latent });
        self.declare_rows(&name, &ty.shape, init, kind, known.per.map(|_| latent));
        Ok(self.builder.state(&name, ty))
    }

    fn argument(&mut self, output: usize, parameter: usize, ty: &TensorType) -> Result<Expr, String> {
        let name = super::argument_name(&self.resolved.outputs[output].parameters[parameter].name);
        Ok(self.input(&name, graph_type(ty, self.batch)?))
    }

    fn call(&mut self, call: &Call<'_, Expr>) -> Result<Vec<Expr>, String> {
        self.rows = call.rows.count(self.batch);
        let values = match call.layer {
            Some(layer) => layers::layer(self, call, layer)?,
            None => vec![self.apply(call)?],
        };
        if let Some(error) = self.builder.take_error() {
            return Err(error.to_string());
        }
        Ok(values)
    }

    fn gradient(&mut self, y: &Typed<Expr>, v: &Typed<Expr>) -> Result<Expr, String> {
        // Only v must remain the same node; a bound probability, for one, has to be looked through.
        let stable = rewrite::stabilise_expr(&self.builder, &y.tensor, &[v.tensor.id()]);
        let ones = self.builder.full(1.0, &stable.shape());
        let gradients = autodiff::gradients(&self.builder, &[(stable, ones)], std::slice::from_ref(&v.tensor));
        gradients.into_iter().next().ok_or_else(|| "no gradient".into())
    }

    fn lift(&mut self, tensor: &Expr, from: Rows, to: Rows) -> Result<Expr, String> {
        if from == to {
            return Ok(tensor.clone());
        }
        let tail = tensor.shape()[usize::from(from.any())..].to_vec();
        let (known, all) = (from.entries.unwrap_or(1), to.entries.unwrap_or(1));
        // Samples, the entries that it has rows for, those that it has none for.
        let mut split = vec![if from.batch { self.batch } else { 1 }, known];
        let mut wanted = vec![if to.batch { self.batch } else { 1 }, known, all / known];
        let kept: Vec<usize> = (0..2).filter(|axis| split[*axis] == wanted[*axis]).collect();
        split = kept.iter().map(|axis| split[*axis]).chain(tail.iter().copied()).collect();
        wanted.extend(&tail);
        let dims: Vec<usize> = kept.into_iter().chain(3..wanted.len()).collect();
        let rows = std::iter::once(to.count(self.batch)).chain(tail).collect::<Vec<_>>();
        Ok(tensor.reshape(&split).broadcast(&wanted, &dims).reshape(&rows))
    }

    fn enter(&mut self, tensor: &Expr, rows: Rows) -> Result<Expr, String> {
        let mut shape = tensor.shape();
        if rows.any() {
            let outer = shape.remove(0);
            shape[0] *= outer;
        }
        Ok(tensor.reshape(&shape))
    }

    fn leave(&mut self, tensor: &Expr, rows: Rows, entries: usize) -> Result<Expr, String> {
        let mut shape = tensor.shape();
        if rows.any() {
            shape[0] = entries;
            shape.insert(0, rows.count(self.batch));
        }
        Ok(tensor.reshape(&shape))
    }

    fn rust(&mut self, path: usize, operands: &[Typed<Expr>], rows: Rows) -> Result<Option<Typed<Expr>>, String> {
        let function = self.functions.get(path).ok_or("this Rust function was not given")?;
        let values: Vec<Expr> = operands.iter().map(|v| v.tensor.clone()).collect();
        let tensor = function(&values);
        if let Some(error) = self.builder.take_error() {
            return Err(error.to_string());
        }
        // A result has rows where an operand has and their axis still stands in front.
        let shape = tensor.shape();
        let per_sample = operands.iter().any(|v| v.ty.per_sample) && shape.first() == Some(&rows.count(self.batch));
        let ty = TensorType::float(shape[usize::from(per_sample)..].iter().copied(), per_sample);
        Ok(Some(Typed { ty, tensor }))
    }
}
