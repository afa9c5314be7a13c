//! Building graphs: [`Builder`] owns a growing graph, [`Expr`] is a value in it with Rust operators.
//!
//! Operations on `Expr` cannot fail where they stand; the first error is kept with the file and line of the call and comes
//! out of [`Builder::finish`]. This is what lets a custom loss be an ordinary Rust function over `Expr`.

use super::{ConvDims, DType, DotDims, Graph, Literal, NodeId, Op, Type};
use crate::{Error, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;

#[derive(Default)]
struct Growing {
    graph: Graph,
    error: Option<Error>,
}

/// A graph under construction; clones share it.
#[derive(Clone, Default)]
pub struct Builder(Rc<RefCell<Growing>>);

/// A value of the graph under construction.
#[derive(Clone)]
pub struct Expr {
    builder: Builder,
    id: NodeId,
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "%{}: {}", self.id.0, self.ty())
    }
}

impl Builder {
    /// An empty graph.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Goes on building at the end of an existing graph.
    pub fn from_graph(graph: Graph) -> Builder {
        Builder(Rc::new(RefCell::new(Growing { graph, error: None })))
    }

    /// The value of an existing node.
    pub fn expr(&self, id: NodeId) -> Expr {
        Expr { builder: self.clone(), id }
    }

    /// Reads the graph as built so far.
    pub fn with_graph<R>(&self, f: impl FnOnce(&Graph) -> R) -> R {
        f(&self.0.borrow().graph)
    }

    /// Adds an op. An error is kept for [`Builder::finish`] and the value becomes an f32 scalar 0.
    #[track_caller]
    pub fn op(&self, op: Op, args: &[&Expr]) -> Expr {
        let foreign = args.iter().any(|a| !Rc::ptr_eq(&a.builder.0, &self.0));
        let mut growing = self.0.borrow_mut();
        let added = match foreign {
            true => Err(Error::ir(format!("{}: operands come from another graph", op.kind().name()))),
            false => growing.graph.add(op, args.iter().map(|a| a.id).collect()),
        };
        let id = match added {
            Ok(id) => id,
            Err(error) => {
                let at = Location::caller();
                growing.error.get_or_insert(Error::ir(format!("{error} (at {}:{})", at.file(), at.line())));
                let zero = growing.graph.add(Op::Const(Literal::F32(0.0)), vec![]);
                zero.unwrap_or(NodeId(0))
            }
        };
        drop(growing);
        Expr { builder: self.clone(), id }
    }

    /// Records an error for [`Builder::finish`]; the first one counts.
    pub fn fail(&self, error: Error) {
        self.0.borrow_mut().error.get_or_insert(error);
    }

    /// Takes the recorded error, if any.
    pub fn take_error(&self) -> Option<Error> {
        self.0.borrow_mut().error.take()
    }

    /// Declares an input.
    pub fn input(&self, name: impl Into<String>, ty: Type) -> Expr {
        let id = self.0.borrow_mut().graph.input(name, ty);
        self.expr(id)
    }

    /// The state of this name: declared at the first call, the same node afterwards.
    pub fn state(&self, name: &str, ty: Type) -> Expr {
        let mut growing = self.0.borrow_mut();
        if let Some(i) = growing.graph.state_index(name) {
            let found = growing.graph.ids().find(|id| growing.graph.node(*id).op == Op::State(i));
            if let Some(id) = found {
                drop(growing);
                return self.expr(id);
            }
        }
        let id = growing.graph.state(name, ty);
        drop(growing);
        self.expr(id)
    }

    /// Makes `value` the next value of the state of this name, which must have been declared.
    pub fn write_state(&self, name: &str, value: &Expr) {
        let mut growing = self.0.borrow_mut();
        match growing.graph.state_index(name) {
            Some(i) => growing.graph.write(i, value.id),
            None => {
                growing.error.get_or_insert(Error::ir(format!("write to undeclared state {name}")));
            }
        }
    }

    /// Adds a result for the host.
    pub fn output(&self, name: impl Into<String>, value: &Expr) {
        self.0.borrow_mut().graph.output(name, value.id);
    }

    /// A float constant of shape `[]`.
    pub fn f32(&self, v: f32) -> Expr {
        self.op(Op::Const(Literal::F32(v)), &[])
    }

    /// An integer constant of shape `[]`.
    pub fn i32(&self, v: i32) -> Expr {
        self.op(Op::Const(Literal::I32(v)), &[])
    }

    /// A float constant repeated over a shape.
    pub fn full(&self, v: f32, shape: &[usize]) -> Expr {
        self.f32(v).broadcast(shape, &[])
    }

    /// The finished graph.
    ///
    /// # Errors
    /// The first error met while building.
    pub fn finish(self) -> Result<Graph> {
        let growing = match Rc::try_unwrap(self.0) {
            Ok(cell) => cell.into_inner(),
            Err(shared) => {
                let growing = shared.borrow();
                Growing { graph: growing.graph.clone(), error: growing.error.clone() }
            }
        };
        growing.error.map_or(Ok(growing.graph), Err)
    }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        $( $(#[$doc])* #[track_caller] pub fn $name(&self) -> Expr { self.builder.op($op, &[self]) } )*
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        $( $(#[$doc])* #[track_caller] pub fn $name(&self, other: &Expr) -> Expr {
            let (a, b) = self.aligned(other);
            self.builder.op($op, &[&a, &b])
        } )*
    };
}

#[allow(clippy::should_implement_trait)] // `neg`, `add`… exist as operators as well; these take references.
impl Expr {
    /// The graph this value belongs to.
    pub fn builder(&self) -> &Builder {
        &self.builder
    }

    /// The node of this value.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its type.
    pub fn ty(&self) -> Type {
        self.builder.with_graph(|g| g.ty(self.id).clone())
    }

    /// Its shape.
    pub fn shape(&self) -> Vec<usize> {
        self.ty().shape
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.ty().rank()
    }

    unary! {
        /// [`Op::StopGrad`].
        stop_grad => Op::StopGrad;
        /// [`Op::Floor`].
        floor => Op::Floor;
        /// [`Op::Sign`].
        sign => Op::Sign;
        /// −x.
        neg => Op::Neg;
        /// eˣ.
        exp => Op::Exp;
        /// Natural logarithm.
        ln => Op::Log;
        /// Square root.
        sqrt => Op::Sqrt;
        /// Sine of radians.
        sin => Op::Sin;
        /// Hyperbolic tangent.
        tanh => Op::Tanh;
        /// ln(1 + eˣ).
        softplus => Op::Softplus;
    }

    binary! {
        /// a + b; a scalar is repeated.
        add => Op::Add;
        /// a · b; a scalar is repeated.
        mul => Op::Mul;
        /// a / b; a scalar is repeated.
        div => Op::Div;
        /// The larger; a scalar is repeated.
        max => Op::Max;
        /// a < b as bool; a scalar is repeated.
        lt => Op::Lt;
        /// a == b as bool; a scalar is repeated.
        eq => Op::Eq;
    }

    /// a − b; a scalar is repeated.
    #[track_caller]
    pub fn sub(&self, other: &Expr) -> Expr {
        self.add(&other.neg())
    }

    /// The smaller.
    #[track_caller]
    pub fn min(&self, other: &Expr) -> Expr {
        self.neg().max(&other.neg()).neg()
    }

    /// |x|.
    #[track_caller]
    pub fn abs(&self) -> Expr {
        self.max(&self.neg())
    }

    /// x².
    #[track_caller]
    pub fn square(&self) -> Expr {
        self.mul(self)
    }

    /// 1 / (1 + e⁻ˣ) as ½ + ½·tanh(x/2), which neither overflows nor loses its gradient's closure.
    #[track_caller]
    pub fn sigmoid(&self) -> Expr {
        self.scale(0.5).tanh().scale(0.5).shift(0.5)
    }

    /// max(x, 0) with slope 0 at 0.
    #[track_caller]
    pub fn relu(&self) -> Expr {
        self.positive().select(self, &self.scalar(0.0))
    }

    /// x > 0 as bool.
    #[track_caller]
    pub fn positive(&self) -> Expr {
        self.scalar(0.0).lt(self)
    }

    /// This value with a derivative of its own in place of that of how it was computed: an operation that brings its derivative.
    ///
    /// For each value it depends on, a function from a change of that value to the change of the result, which is linear: the
    /// derivative in the direction of the change. It may be any shape to any shape; its transpose, and derivatives of higher order, which
    /// see how it was computed from the values, are made from it. Through anything not listed no gradient passes.
    ///
    /// ```
    /// # use saddlepoint_compiler::ir::Expr;
    /// /// x rounded, with the gradient of the identity (Bengio et al. 2013).
    /// fn rounded(x: Expr) -> Expr {
    ///     x.shift(0.5).floor().with_derivative([(&x, &|change: &Expr| change.clone())])
    /// }
    /// /// √x, whose derivative stays finite at 0.
    /// fn root(x: Expr) -> Expr {
    ///     let y = x.sqrt();
    ///     let slope = 0.5 / y.shift(1e-3);
    ///     y.with_derivative([(&x, &|change: &Expr| change * &slope)])
    /// }
    /// ```
    ///
    /// Values must be finite where it is evaluated: a change is computed as x − x.
    #[track_caller]
    pub fn with_derivative<const N: usize>(&self, changes: [(&Expr, Derivative<'_>); N]) -> Expr {
        changes.into_iter().fold(self.stop_grad(), |value, (x, derivative)| {
            // 0 in value, with the gradient of the identity.
            let change = x - x.stop_grad();
            value + holding(&derivative(&change), &change)
        })
    }

    /// x · c for a number c.
    #[track_caller]
    pub fn scale(&self, c: f32) -> Expr {
        self.mul(&self.scalar(c))
    }

    /// x + c for a number c.
    #[track_caller]
    pub fn shift(&self, c: f32) -> Expr {
        self.add(&self.scalar(c))
    }

    /// A float constant in the same graph.
    #[track_caller]
    pub fn scalar(&self, v: f32) -> Expr {
        self.builder.f32(v)
    }

    /// With `self` as the bool condition: a where true, else b; scalars are repeated.
    #[track_caller]
    pub fn select(&self, a: &Expr, b: &Expr) -> Expr {
        let shape = [self.shape(), a.shape(), b.shape()].into_iter().max_by_key(Vec::len).unwrap_or_default();
        let [c, a, b] = [self, a, b].map(|v| v.repeated(&shape));
        self.builder.op(Op::Select, &[&c, &a, &b])
    }

    /// Conversion to another element type.
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Expr {
        self.builder.op(Op::Cast(dtype), &[self])
    }

    /// Same elements, new shape. The value itself when the shape is the same.
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Expr {
        if self.shape() == shape {
            return self.clone();
        }
        self.builder.op(Op::Reshape(shape.to_vec()), &[self])
    }

    /// Axis i of the result is axis `perm[i]`.
    #[track_caller]
    pub fn transpose(&self, perm: &[usize]) -> Expr {
        if perm.iter().enumerate().all(|(i, p)| i == *p) {
            return self.clone();
        }
        self.builder.op(Op::Transpose(perm.to_vec()), &[self])
    }

    /// Reversed along the axes.
    #[track_caller]
    pub fn reverse(&self, axes: &[usize]) -> Expr {
        if axes.is_empty() {
            return self.clone();
        }
        self.builder.op(Op::Reverse(axes.to_vec()), &[self])
    }

    /// To `shape`, with axis i becoming axis `dims[i]`.
    #[track_caller]
    pub fn broadcast(&self, shape: &[usize], dims: &[usize]) -> Expr {
        if self.shape() == shape {
            return self.clone();
        }
        self.builder.op(Op::Broadcast { shape: shape.to_vec(), dims: dims.to_vec() }, &[self])
    }

    /// Sum over the axes.
    #[track_caller]
    pub fn sum(&self, axes: &[usize]) -> Expr {
        if axes.is_empty() {
            return self.clone();
        }
        self.builder.op(Op::ReduceSum(axes.to_vec()), &[self])
    }

    /// Sum over all axes: a scalar.
    #[track_caller]
    pub fn sum_all(&self) -> Expr {
        self.sum(&(0..self.rank()).collect::<Vec<_>>())
    }

    /// Mean over the axes.
    #[track_caller]
    pub fn mean(&self, axes: &[usize]) -> Expr {
        let n: usize = axes.iter().map(|a| self.shape().get(*a).copied().unwrap_or(1)).product();
        self.sum(axes).scale(1.0 / n as f32)
    }

    /// Maximum over the axes.
    #[track_caller]
    pub fn max_over(&self, axes: &[usize]) -> Expr {
        if axes.is_empty() {
            return self.clone();
        }
        self.builder.op(Op::ReduceMax(axes.to_vec()), &[self])
    }

    /// Running sum.
    #[track_caller]
    pub fn cum_sum(&self, axis: usize, reverse: bool) -> Expr {
        self.builder.op(Op::CumSum { axis, reverse }, &[self])
    }

    /// A part of every axis.
    #[track_caller]
    pub fn slice(&self, start: &[usize], stop: &[usize], step: &[usize]) -> Expr {
        self.builder.op(Op::Slice { start: start.to_vec(), stop: stop.to_vec(), step: step.to_vec() }, &[self])
    }

    /// `from..to` of one axis.
    #[track_caller]
    pub fn slice_axis(&self, axis: usize, from: usize, to: usize) -> Expr {
        let shape = self.shape();
        let (mut start, mut stop) = (vec![0; shape.len()], shape.clone());
        if axis < shape.len() {
            (start[axis], stop[axis]) = (from, to);
        }
        self.slice(&start, &stop, &vec![1; shape.len()])
    }

    /// Padded with `value` before, after and between.
    #[track_caller]
    pub fn pad(&self, lo: &[usize], hi: &[usize], interior: &[usize], value: &Expr) -> Expr {
        self.builder.op(Op::Pad { lo: lo.to_vec(), hi: hi.to_vec(), interior: interior.to_vec() }, &[self, value])
    }

    /// Operands joined along an axis; all must belong to this graph.
    #[track_caller]
    pub fn concat(parts: &[&Expr], axis: usize) -> Option<Expr> {
        parts.first().map(|first| first.builder.op(Op::Concat { axis }, parts))
    }

    /// General product.
    #[track_caller]
    pub fn dot(&self, other: &Expr, dims: DotDims) -> Expr {
        self.builder.op(Op::Dot(dims), &[self, other])
    }

    /// Matrix product of `[n, k]` and `[k, m]`.
    #[track_caller]
    pub fn matmul(&self, other: &Expr) -> Expr {
        self.dot(other, DotDims { lhs_contract: vec![1], rhs_contract: vec![0], ..DotDims::default() })
    }

    /// Convolution with a kernel.
    #[track_caller]
    pub fn conv(&self, kernel: &Expr, dims: ConvDims) -> Expr {
        self.builder.op(Op::Conv(dims), &[self, kernel])
    }

    /// Rows of `self` along `axis` at i32 `indices`.
    #[track_caller]
    pub fn gather(&self, indices: &Expr, axis: usize) -> Expr {
        self.builder.op(Op::Gather { axis }, &[self, indices])
    }

    /// Adds updates `self` into `length` rows of zeros along `axis` at i32 `indices`: the adjoint of [`Expr::gather`].
    #[track_caller]
    pub fn scatter_add(&self, indices: &Expr, axis: usize, length: usize) -> Expr {
        self.builder.op(Op::ScatterAdd { axis, length }, &[indices, self])
    }

    /// Windows of `size` places along `axis`, which becomes two: windows and places. See [`Op::Unfold`].
    #[track_caller]
    pub fn unfold(&self, axis: usize, size: usize, stride: usize, dilation: usize) -> Expr {
        self.builder.op(Op::Unfold { axis, size, stride, dilation }, &[self])
    }

    /// The adjoint of [`Expr::unfold`]: windows are summed into an axis of `length` places.
    #[track_caller]
    pub fn fold(&self, axis: usize, length: usize, stride: usize, dilation: usize) -> Expr {
        self.builder.op(Op::Fold { axis, length, stride, dilation }, &[self])
    }

    /// `self` repeated to a shape if it is a scalar, else itself.
    #[track_caller]
    pub fn repeated(&self, shape: &[usize]) -> Expr {
        if self.rank() == 0 { self.broadcast(shape, &[]) } else { self.clone() }
    }

    #[track_caller]
    fn aligned(&self, other: &Expr) -> (Expr, Expr) {
        match (self.rank(), other.rank()) {
            (0, 0) => (self.clone(), other.clone()),
            (0, _) => (self.repeated(&other.shape()), other.clone()),
            (_, 0) => (self.clone(), other.repeated(&self.shape())),
            _ => (self.clone(), other.clone()),
        }
    }
}

/// How a value changes with one of those that it depends on: a linear function of the change of that one.
pub type Derivative<'a> = &'a dyn Fn(&Expr) -> Expr;

/// What was computed from `change`, with everything else in it held: the coefficients of a derivative, which are no way for a
/// gradient to take.
fn holding(result: &Expr, change: &Expr) -> Expr {
    let builder = change.builder();
    let mut renewed: BTreeMap<NodeId, Expr> = BTreeMap::from([(change.id, change.clone())]);
    for index in change.id.0 + 1..=result.id.0 {
        let id = NodeId(index);
        let (op, args) = builder.with_graph(|g| (g.node(id).op.clone(), g.node(id).args.clone()));
        if args.iter().any(|a| renewed.contains_key(a)) {
            let held = |a: &NodeId| builder.op(Op::Hold, &[&builder.expr(*a)]);
            let args: Vec<Expr> = args.iter().map(|a| renewed.get(a).cloned().unwrap_or_else(|| held(a))).collect();
            renewed.insert(id, builder.op(op, &args.iter().collect::<Vec<_>>()));
        }
    }
    renewed.remove(&result.id).unwrap_or_else(|| result.stop_grad())
}

macro_rules! operator {
    ($($trait:ident $method:ident;)*) => {
        $(
            impl std::ops::$trait<&Expr> for &Expr {
                type Output = Expr;
                #[track_caller]
                fn $method(self, other: &Expr) -> Expr { Expr::$method(self, other) }
            }
            impl std::ops::$trait<Expr> for Expr {
                type Output = Expr;
                #[track_caller]
                fn $method(self, other: Expr) -> Expr { Expr::$method(&self, &other) }
            }
            impl std::ops::$trait<&Expr> for Expr {
                type Output = Expr;
                #[track_caller]
                fn $method(self, other: &Expr) -> Expr { Expr::$method(&self, other) }
            }
            impl std::ops::$trait<Expr> for &Expr {
                type Output = Expr;
                #[track_caller]
                fn $method(self, other: Expr) -> Expr { Expr::$method(self, &other) }
            }
            impl std::ops::$trait<f32> for Expr {
                type Output = Expr;
                #[track_caller]
                fn $method(self, other: f32) -> Expr { Expr::$method(&self, &self.scalar(other)) }
            }
            impl std::ops::$trait<f32> for &Expr {
                type Output = Expr;
                #[track_caller]
                fn $method(self, other: f32) -> Expr { Expr::$method(self, &self.scalar(other)) }
            }
            impl std::ops::$trait<Expr> for f32 {
                type Output = Expr;
                #[track_caller]
                fn $method(self, other: Expr) -> Expr { Expr::$method(&other.scalar(self), &other) }
            }
            impl std::ops::$trait<&Expr> for f32 {
                type Output = Expr;
                #[track_caller]
                fn $method(self, other: &Expr) -> Expr { Expr::$method(&other.scalar(self), other) }
            }
        )*
    };
}
operator! { Add add; Sub sub; Mul mul; Div div; }

impl std::ops::Neg for Expr {
    type Output = Expr;
    #[track_caller]
    fn neg(self) -> Expr {
        Expr::neg(&self)
    }
}
impl std::ops::Neg for &Expr {
    type Output = Expr;
    #[track_caller]
    fn neg(self) -> Expr {
        Expr::neg(self)
    }
}
