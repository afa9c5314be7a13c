//! Random programs over all ops: varied ranks and extents (1, odd, no multiples of 4), shared subexpressions, several outputs,
//! state writes, and the forms that gradients make.
//!
//! A program grows node by node. Each node is interpreted in both precisions as it is added and taken back when its values
//! grow too large, are not finite, or it would hang a decision on rounding. What always holds of the result: type inference
//! accepts it, [`Program::is_decisive`], floats stay below [`Options::magnitude`].

mod contractions;
mod elementwise;
mod idioms;
mod movement;
#[cfg(test)]
mod tests;

use super::program::{Program, Traces, decides, finite, is_exact, magnitude};
use super::random::SplitMix64;
use crate::ir::interpret::{Value, apply};
use crate::ir::{DType, Graph, Literal, NodeId, Op, OpKind, Type};

/// What random programs look like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stop growing at about this many nodes.
    pub nodes: usize,
    /// Most elements of a value.
    pub elements: usize,
    /// Most axes of a freely chosen shape. Convolutions and windows may exceed it.
    pub rank: usize,
    /// Most inputs.
    pub inputs: usize,
    /// Most states.
    pub states: usize,
    /// Most host outputs.
    pub outputs: usize,
    /// Largest magnitude of a float.
    pub magnitude: f64,
    /// Ops that must not occur: for back ends under construction.
    pub without: Vec<OpKind>,
    /// Whether integers and truth values may be outputs and states.
    pub integer_results: bool,
    /// In how many of a hundred growth steps a whole idiom (dense layer, softmax, batch norm, …) is added, not one op.
    pub idioms: usize,
    /// Into how many of a hundred programs gradients of a value are added, and into how many of those again.
    pub derivatives: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            nodes: 40,
            elements: 1200,
            rank: 4,
            inputs: 6,
            states: 3,
            outputs: 5,
            magnitude: 1e4,
            without: Vec::new(),
            integer_results: true,
            idioms: 20,
            derivatives: 40,
        }
    }
}

/// The program of a seed: the same on every machine.
pub fn random_program(seed: u64, options: &Options) -> Program {
    let mut generator = Generator {
        rng: SplitMix64::new(seed),
        options: options.clone(),
        program: Program { graph: Graph::new(), inputs: Vec::new(), states: Vec::new() },
        traces: Traces { double: Vec::new(), single: Vec::new() },
        exact: Vec::new(),
    };
    generator.run();
    generator.program
}

/// A program under growth with the values of its nodes.
struct Generator {
    rng: SplitMix64,
    options: Options,
    program: Program,
    traces: Traces,
    exact: Vec<bool>,
}

/// Extents to choose from; small ones, odd ones and vector-sized ones.
const EXTENTS: [usize; 16] = [1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 12, 13, 17, 33];

impl Generator {
    fn run(&mut self) {
        let first = self.shape(self.options.rank);
        self.leaf(&Type::f32(first));
        // `Hold` comes in with `StopGrad`.
        let drawn: Vec<OpKind> = OpKind::ALL.iter().copied().filter(|kind| *kind != OpKind::Hold).collect();
        // Every step may fail; the count of steps bounds the time.
        for _ in 0..self.options.nodes * 4 {
            if self.program.graph.nodes.len() >= self.options.nodes {
                break;
            }
            if self.rng.chance(self.options.idioms) {
                self.idiom();
            } else {
                // Contractions often do not fit, and have the most forms.
                let kind = match self.rng.below(100) {
                    0..8 => OpKind::Conv,
                    8..12 => OpKind::Dot,
                    _ => *self.rng.choose(&drawn).unwrap_or(&OpKind::Add),
                };
                self.grow(kind);
            }
        }
        // Gradients of gradients as well.
        while self.rng.chance(self.options.derivatives) && self.derivative().is_some() {}
        self.finish();
    }

    /// Adds a node of this kind with operands made or found for it; `None` if no fitting one came up.
    fn grow(&mut self, kind: OpKind) -> Option<NodeId> {
        use OpKind::*;
        match kind {
            Input | State => {
                let ty = self.random_type();
                Some(if kind == Input { self.input(&ty) } else { self.state(&ty) }?)
            }
            Const | Iota | Rng => self.constant(kind),
            Cast | StopGrad | Hold | Floor | Sign | Neg | Exp | Log | Sqrt | Sin | Tanh | Softplus => self.unary(kind),
            Add | Mul | Div | Max | Lt | Eq => self.binary(kind),
            Select => self.selection(),
            Reshape | Transpose | Reverse | Broadcast | Slice | Pad | Concat => self.movement(kind),
            ReduceSum | ReduceMax | CumSum => self.reduction(kind),
            Unfold | Fold | Gather | ScatterAdd => self.windows(kind),
            Dot => self.product(),
            Conv => self.convolution(),
        }
    }

    /// Adds a node unless it is not wanted, ill-typed, too large or indecisive.
    fn add(&mut self, op: Op, args: &[NodeId]) -> Option<NodeId> {
        if self.options.without.contains(&op.kind()) {
            return None;
        }
        let id = self.program.graph.add(op, args.to_vec()).ok()?;
        let node = self.program.graph.node(id);
        let fits = node.ty.elements() <= self.options.elements && node.ty.elements() > 0;
        if !fits || !self.interpret(id) {
            self.program.graph.nodes.pop();
            return None;
        }
        self.exact.push(is_exact(&self.program.graph, id, &self.exact));
        Some(id)
    }

    /// Takes back all nodes from this number on.
    fn truncate(&mut self, nodes: usize) {
        self.program.graph.nodes.truncate(nodes);
        self.traces.double.truncate(nodes);
        self.traces.single.truncate(nodes);
        self.exact.truncate(nodes);
    }

    /// Records the node's values if they are acceptable.
    fn interpret(&mut self, id: NodeId) -> bool {
        let node = self.program.graph.node(id);
        let Program { inputs, states, .. } = &self.program;
        let wide = |values: &[Value<f32>]| values.iter().map(Value::convert::<f64>).collect::<Vec<_>>();
        let (wide_inputs, wide_states) = match node.op {
            Op::Input(_) | Op::State(_) => (wide(inputs), wide(states)),
            _ => (Vec::new(), Vec::new()),
        };
        let double: Vec<_> = node.args.iter().map(|a| &self.traces.double[a.index()]).collect();
        let single: Vec<_> = node.args.iter().map(|a| &self.traces.single[a.index()]).collect();
        let (Ok(double), Ok(single)) =
            (apply(node, &double, &wide_inputs, &wide_states), apply(node, &single, inputs, states))
        else {
            return false;
        };
        let tame = finite(&double) && finite(&single) && magnitude(&double) <= self.options.magnitude;
        if !tame || !decides(&self.program.graph, id, &self.traces, &self.exact) {
            return false;
        }
        self.traces.double.push(double);
        self.traces.single.push(single);
        true
    }

    fn ty(&self, id: NodeId) -> Type {
        self.program.graph.ty(id).clone()
    }

    fn shape_of(&self, id: NodeId) -> Vec<usize> {
        self.program.graph.shape(id).to_vec()
    }

    /// The largest magnitude in a node.
    fn largest(&self, id: NodeId) -> f64 {
        magnitude(&self.traces.double[id.index()])
    }

    /// The smallest number in a node.
    fn smallest(&self, id: NodeId) -> f64 {
        self.traces.double[id.index()].to_f64s().into_iter().fold(f64::INFINITY, f64::min)
    }

    fn extent(&mut self) -> usize {
        EXTENTS[self.rng.below(EXTENTS.len())]
    }

    /// A shape of at most `rank` axes that fits.
    fn shape(&mut self, rank: usize) -> Vec<usize> {
        let rank = self.rng.between(0, rank);
        let mut shape: Vec<usize> = (0..rank).map(|_| self.extent()).collect();
        while shape.iter().product::<usize>() > self.options.elements {
            let at = self.rng.below(shape.len());
            shape[at] = self.rng.between(1, 3);
        }
        shape
    }

    fn random_type(&mut self) -> Type {
        let dtype = match self.rng.below(10) {
            0 => DType::I32,
            1 => DType::Bool,
            _ => DType::F32,
        };
        Type::new(dtype, self.shape(self.options.rank))
    }

    /// A node of this element type that `wanted` accepts, recent ones more often; a new leaf if there is none.
    fn pick_where(&mut self, dtype: DType, wanted: impl Fn(&Type) -> bool) -> Option<NodeId> {
        let fitting: Vec<NodeId> = self
            .program
            .graph
            .ids()
            .filter(|id| self.program.graph.ty(*id).dtype == dtype && wanted(self.program.graph.ty(*id)))
            .collect();
        let recent = fitting.len().saturating_sub(6);
        match self.rng.chance(70) {
            true => self.rng.choose(&fitting[recent..]).copied(),
            false => self.rng.choose(&fitting).copied(),
        }
    }

    fn pick(&mut self, dtype: DType) -> Option<NodeId> {
        match self.pick_where(dtype, |_| true) {
            Some(id) => Some(id),
            None => {
                let shape = self.shape(self.options.rank);
                self.of(dtype, &shape)
            }
        }
    }

    fn pick_float(&mut self) -> Option<NodeId> {
        self.pick(DType::F32)
    }

    /// A node of exactly this type: an existing one, one broadcast or reshaped from an existing one, or a new leaf.
    fn of(&mut self, dtype: DType, shape: &[usize]) -> Option<NodeId> {
        let choice = self.rng.below(100);
        let found = match choice {
            0..50 => self.pick_where(dtype, |t| t.shape == shape),
            50..62 => self.pick_where(dtype, |t| t.rank() == 1 && shape.contains(&t.shape[0])).and_then(|id| {
                let dim = shape.iter().rposition(|n| *n == self.shape_of(id)[0])?;
                self.add(Op::Broadcast { shape: shape.to_vec(), dims: vec![dim] }, &[id])
            }),
            62..70 => self
                .pick_where(dtype, |t| t.rank() == 0)
                .and_then(|id| self.add(Op::Broadcast { shape: shape.to_vec(), dims: vec![] }, &[id])),
            70..80 => {
                let n: usize = shape.iter().product();
                self.pick_where(dtype, |t| t.elements() == n && t.shape != shape)
                    .and_then(|id| self.add(Op::Reshape(shape.to_vec()), &[id]))
            }
            _ => None,
        };
        match found {
            // A broadcast of a scalar to a scalar is no broadcast.
            Some(id) if self.program.graph.shape(id) == shape => Some(id),
            _ => self.leaf(&Type::new(dtype, shape)),
        }
    }

    /// A fresh node of a type: an input, a state, or a value made of constants when there are enough of those.
    fn leaf(&mut self, ty: &Type) -> Option<NodeId> {
        let state = if self.rng.chance(15) { self.state(ty) } else { None };
        let given = state.or_else(|| self.input(ty)).or_else(|| self.pick_where(ty.dtype, |t| t == ty));
        if given.is_some() {
            return given;
        }
        if ty.dtype == DType::F32 && ty.rank() > 0 && self.rng.chance(70) {
            // Counting up gives every element its own value: sin(i · 0.7) and the like.
            let axis = self.rng.below(ty.rank());
            let count = self.add(Op::Iota { shape: ty.shape.clone(), axis }, &[]);
            let grown = count.and_then(|c| self.add(Op::Cast(DType::F32), &[c]));
            if let Some(id) = grown {
                let factor = self.rng.uniform(0.1, 1.5);
                return self.scaled(id, factor);
            }
        }
        let literal = self.literal(ty.dtype);
        let scalar = self.add(Op::Const(literal), &[])?;
        match ty.rank() {
            0 => Some(scalar),
            _ => self.add(Op::Broadcast { shape: ty.shape.clone(), dims: vec![] }, &[scalar]),
        }
    }

    fn literal(&mut self, dtype: DType) -> Literal {
        match dtype {
            DType::F32 => {
                let drawn = self.rng.uniform(-2.0, 2.0) as f32;
                Literal::F32(*self.rng.choose(&[0.0, 1.0, -1.0, 0.5, 2.0, -0.0, drawn, drawn, drawn]).unwrap_or(&1.0))
            }
            DType::I32 => Literal::I32(self.rng.between(0, 9) as i32 - 3),
            DType::Bool => Literal::Bool(self.rng.chance(50)),
        }
    }

    /// `x` times a number.
    fn scaled(&mut self, x: NodeId, factor: f64) -> Option<NodeId> {
        let shape = self.shape_of(x);
        let c = self.full(factor, &shape)?;
        self.add(Op::Mul, &[x, c])
    }

    /// `x` plus a number.
    fn shifted(&mut self, x: NodeId, by: f64) -> Option<NodeId> {
        let shape = self.shape_of(x);
        let c = self.full(by, &shape)?;
        self.add(Op::Add, &[x, c])
    }

    /// A number repeated over a shape.
    fn full(&mut self, v: f64, shape: &[usize]) -> Option<NodeId> {
        let c = self.add(Op::Const(Literal::F32(v as f32)), &[])?;
        match shape.is_empty() {
            true => Some(c),
            false => self.add(Op::Broadcast { shape: shape.to_vec(), dims: vec![] }, &[c]),
        }
    }

    fn input(&mut self, ty: &Type) -> Option<NodeId> {
        let Program { graph, inputs, .. } = &mut self.program;
        if inputs.len() >= self.options.inputs || self.options.without.contains(&OpKind::Input) {
            return None;
        }
        inputs.push(random_value(&mut self.rng, ty));
        let id = graph.input(format!("x{}", inputs.len() - 1), ty.clone());
        self.record_leaf(id)
    }

    fn state(&mut self, ty: &Type) -> Option<NodeId> {
        let Program { graph, states, .. } = &mut self.program;
        let barred = self.options.without.contains(&OpKind::State);
        let integer = ty.dtype != DType::F32 && !self.options.integer_results;
        if states.len() >= self.options.states || barred || integer {
            return None;
        }
        states.push(random_value(&mut self.rng, ty));
        let id = graph.state(format!("s{}", states.len() - 1), ty.clone());
        self.record_leaf(id)
    }

    fn record_leaf(&mut self, id: NodeId) -> Option<NodeId> {
        self.interpret(id).then_some(())?;
        self.exact.push(true);
        Some(id)
    }

    /// Chooses outputs among what nothing else uses and some interior values, and writes most states.
    fn finish(&mut self) {
        let uses = self.program.graph.use_counts();
        let allowed = |g: &Self, id: NodeId| g.options.integer_results || g.program.graph.ty(id).dtype == DType::F32;
        let mut sinks: Vec<NodeId> =
            self.program.graph.ids().filter(|id| uses[id.index()] == 0 && allowed(self, *id)).collect();
        for state in 0..self.program.states.len() {
            if self.rng.chance(70) {
                let ty = self.program.graph.states[state].ty.clone();
                let value = match sinks.iter().position(|id| *self.program.graph.ty(*id) == ty) {
                    Some(at) => Some(sinks.swap_remove(at)),
                    None => self.of(ty.dtype, &ty.shape),
                };
                if let Some(value) = value {
                    self.program.graph.write(state as u32, value);
                }
            }
        }
        // The largest cones last: late nodes are the interesting ones.
        sinks.sort_unstable();
        let spare = sinks.len().saturating_sub(self.options.outputs);
        let mut results = sinks.split_off(spare);
        if self.rng.chance(40) {
            let ids: Vec<NodeId> = self.program.graph.ids().filter(|id| allowed(self, *id)).collect();
            results.extend(self.rng.choose(&ids));
        }
        if results.is_empty() {
            results.extend(self.program.graph.ids().rev().find(|id| allowed(self, *id)));
        }
        for (i, value) in results.into_iter().enumerate() {
            self.program.graph.output(format!("y{i}"), value);
        }
    }
}

/// Elements of a leaf: smooth numbers, or a coarse grid so that exact comparisons meet ties; small integers around 0.
fn random_value(rng: &mut SplitMix64, ty: &Type) -> Value<f32> {
    let n = ty.elements();
    let coarse = rng.chance(25);
    let float = |rng: &mut SplitMix64| match coarse {
        true => (rng.between(0, 16) as f32 - 8.0) / 4.0,
        false => rng.uniform(-2.0, 2.0) as f32,
    };
    let data = match ty.dtype {
        DType::F32 => crate::ir::interpret::Data::F((0..n).map(|_| float(rng)).collect()),
        DType::I32 => crate::ir::interpret::Data::I((0..n).map(|_| rng.between(0, 14) as i32 - 3).collect()),
        DType::Bool => crate::ir::interpret::Data::B((0..n).map(|_| rng.chance(50)).collect()),
    };
    Value { ty: ty.clone(), data }
}
