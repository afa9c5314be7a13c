//! Growth by what real programs are made of: several ops at once in the combinations that fusion and rewriting look for.

use super::Generator;
use crate::autodiff::gradients_where_reached;
use crate::ir::{Builder, DType, DotDims, Graph, Node, NodeId, Op, Type};
use std::f64::consts::TAU;

impl Generator {
    pub(super) fn idiom(&mut self) -> Option<NodeId> {
        match self.rng.below(12) {
            0 => self.dense(),
            1 => self.normalised(),
            2 => self.softmax(),
            3 => self.rectified(),
            4 => self.sigmoid_loss(),
            5 => self.maximum_mask(),
            6 => self.gaussian(),
            7 => self.moment_update(),
            8 => self.recurrent(),
            9 => self.joined_twice(),
            10 => self.two_batches(),
            _ => self.biased_channels(),
        }
    }

    /// act(x·W + b).
    fn dense(&mut self) -> Option<NodeId> {
        let x = self.pick_where(DType::F32, |t| t.rank() == 2)?;
        let shape = self.shape_of(x);
        let units = self.extent();
        let transposed = self.rng.chance(50);
        let (w_shape, axis) = if transposed { ([units, shape[1]], 1) } else { ([shape[1], units], 0) };
        let w = self.of(DType::F32, &w_shape)?;
        let dims = DotDims { lhs_contract: vec![1], rhs_contract: vec![axis], ..DotDims::default() };
        let y = self.add(Op::Dot(dims), &[x, w])?;
        let b = self.of(DType::F32, &[units])?;
        let b = self.add(Op::Broadcast { shape: vec![shape[0], units], dims: vec![1] }, &[b])?;
        let y = self.add(Op::Add, &[y, b])?;
        let op = self.rng.choose(&[Op::Tanh, Op::Softplus, Op::Neg, Op::Sin])?.clone();
        let y = self.at_most(y, 30.0)?;
        self.add(op, &[y])
    }

    /// x·W + h·U + y·V + z, as in a recurrent layer and its gradients.
    fn recurrent(&mut self) -> Option<NodeId> {
        let z = self.pick_where(DType::F32, |t| t.rank() == 2)?;
        let shape = self.shape_of(z);
        let dims = DotDims { lhs_contract: vec![1], rhs_contract: vec![0], ..DotDims::default() };
        let mut sum = z;
        for _ in 0..2 + self.rng.below(3) {
            let terms = self.extent();
            let (x, w) = (self.of(DType::F32, &[shape[0], terms])?, self.of(DType::F32, &[terms, shape[1]])?);
            let product = self.add(Op::Dot(dims.clone()), &[x, w])?;
            let both = if self.rng.chance(50) { [sum, product] } else { [product, sum] };
            sum = self.add(Op::Add, &both)?;
        }
        Some(sum)
    }

    /// The same values joined along one axis and along another or a new one, as a recurrent layer's gradients are.
    fn joined_twice(&mut self) -> Option<NodeId> {
        let x = self.pick_where(DType::F32, |t| t.rank() > 0)?;
        let shape = self.shape_of(x);
        let mut pieces = Vec::new();
        for _ in 0..2 + self.rng.below(2) {
            let y = self.of(DType::F32, &shape)?;
            let op = self.rng.choose(&[Op::Add, Op::Mul])?.clone();
            pieces.push(self.add(op, &[x, y])?);
        }
        let axis = self.rng.below(shape.len());
        let joined = self.add(Op::Concat { axis }, &pieces)?;
        let axis = self.rng.below(shape.len() + 1);
        let mut stacked = shape;
        stacked.insert(axis, 1);
        let views = pieces.into_iter().map(|piece| self.add(Op::Reshape(stacked.clone()), &[piece]));
        let views = views.collect::<Option<Vec<NodeId>>>()?;
        self.add(Op::Concat { axis }, &views)?;
        Some(joined)
    }

    /// One net on several batches, as a discriminator on real and generated samples; and what a weight's gradient is made of.
    fn two_batches(&mut self) -> Option<NodeId> {
        let x = self.pick_where(DType::F32, |t| t.rank() == 2)?;
        let shape = self.shape_of(x);
        let units = self.extent();
        let weights = [Type::f32([shape[1], units]), Type::f32([units, units])];
        let weights = [self.state(&weights[0])?, self.state(&weights[1])?];
        let dims = DotDims { lhs_contract: vec![1], rhs_contract: vec![0], ..DotDims::default() };
        let act = self.rng.choose(&[Op::Tanh, Op::Neg])?.clone();
        let mixed = self.rng.chance(40);
        let mut ends = Vec::new();
        for _ in 0..2 + self.rng.below(2) {
            let mut h = if ends.is_empty() { x } else { self.of(DType::F32, &shape)? };
            for w in weights {
                let product = self.add(Op::Dot(dims.clone()), &[h, w])?;
                h = self.at_most(product, 10.0)?;
                h = self.add(act.clone(), &[h])?;
                if mixed {
                    let total = self.add(Op::ReduceSum(vec![0]), &[h])?;
                    let total = self.add(Op::Tanh, &[total])?;
                    let wide = Op::Broadcast { shape: self.shape_of(h), dims: vec![1] };
                    let total = self.add(wide, &[total])?;
                    h = self.add(Op::Add, &[h, total])?;
                }
            }
            ends.push(h);
        }
        // Sums over samples of products of two values of one batch.
        let dims = DotDims { lhs_contract: vec![0], rhs_contract: vec![0], ..DotDims::default() };
        let mut sum = self.add(Op::Dot(dims.clone()), &[ends[0], ends[0]])?;
        for end in &ends[1..] {
            let term = self.add(Op::Dot(dims.clone()), &[*end, *end])?;
            sum = self.add(Op::Add, &[sum, term])?;
        }
        Some(sum)
    }

    /// A bias for every place of axis 1, as after a convolution.
    fn biased_channels(&mut self) -> Option<NodeId> {
        let x = self.pick_where(DType::F32, |t| t.rank() >= 3)?;
        let shape = self.shape_of(x);
        let b = self.of(DType::F32, &[shape[1]])?;
        let b = self.add(Op::Broadcast { shape, dims: vec![1] }, &[b])?;
        self.add(Op::Add, &[x, b])
    }

    /// (x − mean) / √(variance + ε) over some axes.
    fn normalised(&mut self) -> Option<NodeId> {
        let x = self.pick_where(DType::F32, |t| t.rank() > 0)?;
        let shape = self.shape_of(x);
        let mut axes = self.rng.subset(shape.len(), 60);
        if axes.is_empty() {
            axes.push(0);
        }
        let n: usize = axes.iter().map(|a| shape[*a]).product();
        let mean = self.add(Op::ReduceSum(axes.clone()), &[x])?;
        let mean = self.scaled(mean, 1.0 / n as f64)?;
        let mean = self.back(mean, &shape, &axes)?;
        let minus = self.add(Op::Neg, &[mean])?;
        let centred = self.add(Op::Add, &[x, minus])?;
        let square = self.add(Op::Mul, &[centred, centred])?;
        let variance = self.add(Op::ReduceSum(axes.clone()), &[square])?;
        let variance = self.scaled(variance, 1.0 / n as f64)?;
        let variance = self.shifted(variance, 0.05)?;
        let deviation = self.add(Op::Sqrt, &[variance])?;
        let deviation = self.back(deviation, &shape, &axes)?;
        self.add(Op::Div, &[centred, deviation])
    }

    /// A value reduced over `axes` of `shape`, repeated along them again.
    fn back(&mut self, x: NodeId, shape: &[usize], axes: &[usize]) -> Option<NodeId> {
        let dims = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
        self.add(Op::Broadcast { shape: shape.to_vec(), dims }, &[x])
    }

    /// e^(x − max) / Σ over one axis.
    fn softmax(&mut self) -> Option<NodeId> {
        let x = self.pick_where(DType::F32, |t| t.rank() > 0)?;
        let shape = self.shape_of(x);
        let axis = vec![self.rng.below(shape.len())];
        let top = self.add(Op::ReduceMax(axis.clone()), &[x])?;
        let top = self.back(top, &shape, &axis)?;
        let minus = self.add(Op::Neg, &[top])?;
        let shifted = self.add(Op::Add, &[x, minus])?;
        let e = self.add(Op::Exp, &[shifted])?;
        let total = self.add(Op::ReduceSum(axis.clone()), &[e])?;
        let total = self.back(total, &shape, &axis)?;
        self.add(Op::Div, &[e, total])
    }

    /// ReLU or leaky ReLU by a mask.
    fn rectified(&mut self) -> Option<NodeId> {
        let x = self.pick_float()?;
        let shape = self.shape_of(x);
        let zero = self.full(0.0, &shape)?;
        let positive = self.add(Op::Lt, &[zero, x])?;
        let other = if self.rng.chance(50) { zero } else { self.scaled(x, 0.2)? };
        self.add(Op::Select, &[positive, x, other])
    }

    /// The mean of ln σ(x), with σ by tanh.
    fn sigmoid_loss(&mut self) -> Option<NodeId> {
        let x = self.pick_float()?;
        let x = self.at_most(x, 3.0)?;
        let half = self.scaled(x, 0.5)?;
        let t = self.add(Op::Tanh, &[half])?;
        let t = self.scaled(t, 0.5)?;
        let sigmoid = self.shifted(t, 0.5)?;
        let log = self.add(Op::Log, &[sigmoid])?;
        let shape = self.shape_of(log);
        let total = self.add(Op::ReduceSum((0..shape.len()).collect()), &[log])?;
        self.scaled(total, 1.0 / shape.iter().product::<usize>() as f64)
    }

    /// Where the maximum is: what the gradient of a maximum compares.
    fn maximum_mask(&mut self) -> Option<NodeId> {
        let x = self.pick_where(DType::F32, |t| t.rank() > 0)?;
        let shape = self.shape_of(x);
        let axis = vec![self.rng.below(shape.len())];
        let top = self.add(Op::ReduceMax(axis.clone()), &[x])?;
        let top = self.back(top, &shape, &axis)?;
        let mask = self.add(Op::Eq, &[x, top])?;
        let count = self.add(Op::Cast(DType::F32), &[mask])?;
        self.add(Op::ReduceSum(axis), &[count])?;
        self.add(Op::Select, &[mask, x, top])
    }

    /// √(−2 ln u)·sin(2πv) of two draws.
    fn gaussian(&mut self) -> Option<NodeId> {
        let key = self.of(DType::I32, &[4])?;
        let shape = self.shape(self.options.rank);
        let u = self.add(Op::Rng { stream: self.stream(), shape: shape.clone() }, &[key])?;
        let v = self.add(Op::Rng { stream: self.stream(), shape }, &[key])?;
        let log = self.add(Op::Log, &[u])?;
        let radius = self.scaled(log, -2.0)?;
        let radius = self.add(Op::Sqrt, &[radius])?;
        let angle = self.scaled(v, TAU)?;
        let sine = self.add(Op::Sin, &[angle])?;
        self.add(Op::Mul, &[radius, sine])
    }

    /// m ← β·m + (1 − β)·g and a step by it, as optimisers do.
    fn moment_update(&mut self) -> Option<NodeId> {
        let m = self.pick_float()?;
        let shape = self.shape_of(m);
        let g = self.of(DType::F32, &shape)?;
        let (kept, new) = (self.scaled(m, 0.9)?, self.scaled(g, 0.1)?);
        let m = self.add(Op::Add, &[kept, new])?;
        let square = self.add(Op::Mul, &[g, g])?;
        let square = self.shifted(square, 0.01)?;
        let root = self.add(Op::Sqrt, &[square])?;
        let step = self.add(Op::Div, &[m, root])?;
        let step = self.scaled(step, -0.1)?;
        let w = self.of(DType::F32, &shape)?;
        self.add(Op::Add, &[w, step])
    }

    /// Gradients of a value with respect to a few that it depends on: masks, windows and contractions in the forms that rules
    /// write, with the sharing between forward and backward that only whole gradients have.
    pub(super) fn derivative(&mut self) -> Option<NodeId> {
        let y = self.pick_float()?;
        let shape = self.shape_of(y);
        let cotangent = if self.rng.chance(40) { self.full(1.0, &shape)? } else { self.of(DType::F32, &shape)? };
        let graph = &self.program.graph;
        let mut cone = vec![false; graph.nodes.len()];
        cone[y.index()] = true;
        for id in graph.ids().rev() {
            if cone[id.index()] {
                graph.node(id).args.iter().for_each(|a| cone[a.index()] = true);
            }
        }
        let wanted = |id: &NodeId| *id < y && cone[id.index()] && graph.ty(*id).dtype == DType::F32;
        let floats: Vec<NodeId> = graph.ids().filter(wanted).collect();
        let builder = Builder::from_graph(graph.clone());
        let wrt: Vec<_> = (0..3).filter_map(|_| self.rng.choose(&floats)).map(|id| builder.expr(*id)).collect();
        let found = gradients_where_reached(&builder, &[(builder.expr(y), builder.expr(cotangent))], &wrt);
        let found = found.into_iter().flatten().map(|g| g.id()).next()?;
        // The appended nodes are taken over one by one, so that the rules for all nodes hold of them as well; or none is.
        let before = self.program.graph.nodes.len();
        let appended: Vec<Node> = builder.with_graph(|g: &Graph| g.nodes[before..].to_vec());
        let fits = appended.len() <= 2 * self.options.nodes;
        match fits && appended.into_iter().all(|Node { op, args, .. }| self.add(op, &args).is_some()) {
            true => Some(found),
            false => {
                self.truncate(before);
                None
            }
        }
    }
}
