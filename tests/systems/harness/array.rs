//! Arrays in double precision, computed at once: what independent calculations are written in.
//!
//! Every operation is one op of the reference interpreter, applied to values. Shapes combine as in NumPy: aligned at the last
//! axis, axes of extent 1 repeated. Classes are whole numbers. The batch is the first axis.

use saddlepoint::compiler::ir::interpret::{Data, Value, interpret_nodes};
use saddlepoint::compiler::ir::{ConvDims, DotDims, Graph, Op, Type};

/// A tensor of numbers.
#[derive(Clone, Debug)]
pub struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Array {
    pub fn new(shape: &[usize], values: Vec<f64>) -> Array {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{shape:?} has another number of elements");
        Array { shape: shape.to_vec(), values }
    }

    pub fn scalar(value: f64) -> Array {
        Array::new(&[], vec![value])
    }

    pub fn full(shape: &[usize], value: f64) -> Array {
        Array::new(shape, vec![value; shape.iter().product()])
    }

    pub fn zeros(shape: &[usize]) -> Array {
        Array::full(shape, 0.0)
    }

    /// Floats, classes or truth values as numbers.
    pub fn of(value: &Value<f64>) -> Array {
        Array::new(&value.ty.shape, value.to_f64s())
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The only element.
    pub fn value(&self) -> f64 {
        assert_eq!(self.values.len(), 1, "{:?} has more than one element", self.shape);
        self.values[0]
    }

    /// One op of the interpreter on floats.
    fn op(op: Op, args: &[&Array]) -> Array {
        let mut graph = Graph::new();
        let ids = args.iter().enumerate().map(|(i, a)| graph.input(format!("{i}"), Type::f32(a.shape.clone()))).collect();
        graph.add(op, ids).unwrap_or_else(|e| panic!("{e}"));
        let given = args.iter().map(|a| Value::new(&a.shape, Data::F(a.values.clone())).expect("a whole value"));
        let values = interpret_nodes(&graph, &given.collect::<Vec<_>>(), &[]).unwrap_or_else(|e| panic!("{e}"));
        Array::of(values.last().expect("the op's result"))
    }

    /// Any function, element by element.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Array {
        Array { shape: self.shape.clone(), values: self.values.iter().map(|v| f(*v)).collect() }
    }

    /// Any function of two, element by element.
    pub fn zip(&self, other: &Array, f: impl Fn(f64, f64) -> f64) -> Array {
        let shape = common(&self.shape, &other.shape);
        let (a, b) = (self.repeated(&shape), other.repeated(&shape));
        let values = a.values.iter().zip(&b.values).map(|(a, b)| f(*a, *b)).collect();
        Array { shape, values }
    }

    /// Repeated to a shape, aligned at the last axis.
    pub fn repeated(&self, shape: &[usize]) -> Array {
        if self.shape == shape {
            return self.clone();
        }
        let lead = shape.len() - self.shape.len();
        let kept: Vec<usize> = (0..self.rank()).filter(|i| self.shape[*i] == shape[i + lead]).collect();
        let squeezed: Vec<usize> = kept.iter().map(|i| self.shape[*i]).collect();
        let dims = kept.iter().map(|i| i + lead).collect();
        Array::op(Op::Broadcast { shape: shape.to_vec(), dims }, &[&self.reshape(&squeezed)])
    }

    pub fn exp(&self) -> Array {
        Array::op(Op::Exp, &[self])
    }

    pub fn ln(&self) -> Array {
        Array::op(Op::Log, &[self])
    }

    pub fn sqrt(&self) -> Array {
        Array::op(Op::Sqrt, &[self])
    }

    pub fn tanh(&self) -> Array {
        Array::op(Op::Tanh, &[self])
    }

    pub fn softplus(&self) -> Array {
        self.map(|x| x.max(0.0) + (-x.abs()).exp().ln_1p())
    }

    pub fn sigmoid(&self) -> Array {
        self.map(|x| 1.0 / (1.0 + (-x).exp()))
    }

    pub fn relu(&self) -> Array {
        self.map(|x| x.max(0.0))
    }

    pub fn leaky_relu(&self, slope: f64) -> Array {
        self.map(|x| if x > 0.0 { x } else { slope * x })
    }

    pub fn square(&self) -> Array {
        self.map(|x| x * x)
    }

    pub fn abs(&self) -> Array {
        self.map(f64::abs)
    }

    /// The sum of all elements.
    pub fn sum(&self) -> f64 {
        self.values.iter().sum()
    }

    /// The mean of all elements: the `E[…]` of a per-sample value.
    pub fn mean(&self) -> f64 {
        self.sum() / self.values.len() as f64
    }

    /// Sums along axes, which disappear.
    pub fn sum_over(&self, axes: &[usize]) -> Array {
        Array::op(Op::ReduceSum(axes.to_vec()), &[self])
    }

    /// Means along axes, which disappear.
    pub fn mean_over(&self, axes: &[usize]) -> Array {
        let n: usize = axes.iter().map(|a| self.shape[*a]).product();
        self.sum_over(axes) / n as f64
    }

    /// One number a sample: the sum over all axes but the batch's.
    pub fn sum_each(&self) -> Array {
        self.sum_over(&(1..self.rank()).collect::<Vec<_>>())
    }

    /// One number a sample: the mean over all axes but the batch's.
    pub fn mean_each(&self) -> Array {
        self.mean_over(&(1..self.rank()).collect::<Vec<_>>())
    }

    /// One number a sample: √(Σx² + 10⁻¹²).
    pub fn norm_each(&self) -> Array {
        self.square().sum_each().map(|s| (s + 1e-12).sqrt())
    }

    /// The largest along the last axis, which disappears.
    pub fn max_last(&self) -> Array {
        Array::op(Op::ReduceMax(vec![self.rank() - 1]), &[self])
    }

    /// Along the last axis.
    pub fn log_softmax(&self) -> Array {
        let shifted = self - &self.max_last().with_last_axis();
        &shifted - &shifted.exp().sum_over(&[self.rank() - 1]).ln().with_last_axis()
    }

    /// Along the last axis.
    pub fn softmax(&self) -> Array {
        self.log_softmax().exp()
    }

    /// The first place of the largest along the last axis.
    pub fn argmax(&self) -> Array {
        let n = self.shape[self.rank() - 1];
        let first = |row: &[f64]| (0..n).fold(0, |best, i| if row[i] > row[best] { i } else { best });
        let values = self.values.chunks(n).map(|row| first(row) as f64).collect();
        Array::new(&self.shape[..self.rank() - 1], values)
    }

    /// The element along the last axis that a class names: `[…, K]` with classes `[…]`.
    pub fn pick(&self, classes: &Array) -> Array {
        (self * &classes.one_hot(self.shape[self.rank() - 1])).sum_over(&[self.rank() - 1])
    }

    /// ln of the softmax's entry at a class.
    pub fn log_prob(&self, classes: &Array) -> Array {
        self.log_softmax().pick(classes)
    }

    /// −ln of the softmax's entry at a class.
    pub fn cross_entropy(&self, classes: &Array) -> Array {
        -self.log_prob(classes)
    }

    /// Classes as rows of zeros and a one, along a new last axis.
    pub fn one_hot(&self, classes: usize) -> Array {
        let mut shape = self.shape.clone();
        shape.push(classes);
        let rows = self.values.iter().flat_map(|v| (0..classes).map(move |k| f64::from(u8::from(k as f64 == *v))));
        Array::new(&shape, rows.collect())
    }

    /// 1 where both are equal.
    pub fn equals(&self, other: &Array) -> Array {
        self.zip(other, |a, b| f64::from(u8::from(a == b)))
    }

    fn with_last_axis(&self) -> Array {
        let mut shape = self.shape.clone();
        shape.push(1);
        self.reshape(&shape)
    }

    pub fn reshape(&self, shape: &[usize]) -> Array {
        Array::new(shape, self.values.clone())
    }

    /// `[batch, …]` as `[batch, n]`.
    pub fn flatten(&self) -> Array {
        self.reshape(&[self.shape[0], self.shape[1..].iter().product()])
    }

    /// Axes in this order.
    pub fn transpose(&self, order: &[usize]) -> Array {
        Array::op(Op::Transpose(order.to_vec()), &[self])
    }

    /// A part of an axis.
    pub fn slice(&self, axis: usize, from: usize, to: usize) -> Array {
        let (mut start, mut stop) = (vec![0; self.rank()], self.shape.clone());
        (start[axis], stop[axis]) = (from, to);
        Array::op(Op::Slice { start, stop, step: vec![1; self.rank()] }, &[self])
    }

    /// One entry of an axis, which disappears.
    pub fn entry(&self, axis: usize, index: usize) -> Array {
        let mut shape = self.shape.clone();
        shape.remove(axis);
        self.slice(axis, index, index + 1).reshape(&shape)
    }

    /// Joined along an axis.
    pub fn concat(parts: &[&Array], axis: usize) -> Array {
        Array::op(Op::Concat { axis }, parts)
    }

    /// Joined along a new axis.
    pub fn stack(parts: &[Array], axis: usize) -> Array {
        let mut shape = parts[0].shape.clone();
        shape.insert(axis, 1);
        let parts: Vec<Array> = parts.iter().map(|p| p.reshape(&shape)).collect();
        Array::concat(&parts.iter().collect::<Vec<_>>(), axis)
    }

    /// Repeated along a new axis.
    pub fn copies(&self, axis: usize, n: usize) -> Array {
        Array::stack(&vec![self.clone(); n], axis)
    }

    /// `[batch, c]` at every place of `[batch, c, h, w]`.
    pub fn spread(&self, places: &[usize]) -> Array {
        let mut shape = self.shape.clone();
        shape.extend(places.iter().map(|_| 1));
        let mut wanted = self.shape.clone();
        wanted.extend(places);
        self.reshape(&shape).repeated(&wanted)
    }

    /// Rows `i` of the first axis, in any order.
    pub fn rows(&self, order: &[usize]) -> Array {
        let n: usize = self.shape[1..].iter().product();
        let values = order.iter().flat_map(|i| self.values[i * n..(i + 1) * n].iter().copied()).collect();
        let mut shape = self.shape.clone();
        shape[0] = order.len();
        Array::new(&shape, values)
    }

    /// The row of `self: [K, n]` that each class names: `[…]` becomes `[…, n]`.
    pub fn looked_up(&self, classes: &Array) -> Array {
        let order: Vec<usize> = classes.values.iter().map(|c| *c as usize).collect();
        let mut shape = classes.shape.clone();
        shape.push(self.shape[1]);
        self.rows(&order).reshape(&shape)
    }

    /// `[…, n, k]·[…, k, m]`, the leading axes in common, or `[…, k]·[k, m]`.
    pub fn matmul(&self, other: &Array) -> Array {
        let batch: Vec<usize> = if other.rank() == 2 { vec![] } else { (0..other.rank() - 2).collect() };
        let dims = DotDims {
            lhs_batch: batch.clone(),
            rhs_batch: batch.clone(),
            lhs_contract: vec![self.rank() - 1],
            rhs_contract: vec![batch.len()],
        };
        Array::op(Op::Dot(dims), &[self, other])
    }

    /// Cross-correlation of `[batch, c, …]` with a kernel `[n, c/groups, …]`.
    pub fn conv(&self, kernel: &Array, stride: usize, pad: usize, dilation: usize, groups: usize) -> Array {
        let spatial = self.rank() - 2;
        let dims = ConvDims {
            stride: vec![stride; spatial],
            padding: vec![(pad as isize, pad as isize); spatial],
            input_dilation: vec![1; spatial],
            kernel_dilation: vec![dilation; spatial],
            groups,
        };
        Array::op(Op::Conv(dims), &[self, kernel])
    }

    /// Means of blocks of k by k places of `[batch, c, h, w]`, without rest.
    pub fn avg_pool(&self, k: usize) -> Array {
        let [batch, c, h, w] = [0, 1, 2, 3].map(|axis| self.shape[axis]);
        self.reshape(&[batch, c, h / k, k, w / k, k]).mean_over(&[3, 5])
    }

    /// Every place of `[batch, c, h, w]` as a block of k by k.
    pub fn upsample(&self, k: usize) -> Array {
        let [batch, c, h, w] = [0, 1, 2, 3].map(|axis| self.shape[axis]);
        self.reshape(&[batch, c, h, 1, w, 1]).repeated(&[batch, c, h, k, w, k]).reshape(&[batch, c, h * k, w * k])
    }
}

/// The shape to which two shapes combine.
fn common(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let extent = |s: &[usize], i: usize| if i + s.len() < rank { 1 } else { s[i + s.len() - rank] };
    let joined = |i: usize| match (extent(a, i), extent(b, i)) {
        (x, y) if x == y || y == 1 => x,
        (1, y) => y,
        _ => panic!("{a:?} and {b:?} do not combine"),
    };
    (0..rank).map(joined).collect()
}

macro_rules! operators {
    ($($trait:ident $method:ident $op:tt;)*) => {
        $(
            impl std::ops::$trait<&Array> for &Array {
                type Output = Array;
                fn $method(self, other: &Array) -> Array { self.zip(other, |a, b| a $op b) }
            }
            impl std::ops::$trait<Array> for &Array {
                type Output = Array;
                fn $method(self, other: Array) -> Array { self $op &other }
            }
            impl std::ops::$trait<&Array> for Array {
                type Output = Array;
                fn $method(self, other: &Array) -> Array { &self $op other }
            }
            impl std::ops::$trait<Array> for Array {
                type Output = Array;
                fn $method(self, other: Array) -> Array { &self $op &other }
            }
            impl std::ops::$trait<f64> for &Array {
                type Output = Array;
                fn $method(self, other: f64) -> Array { self.map(|a| a $op other) }
            }
            impl std::ops::$trait<f64> for Array {
                type Output = Array;
                fn $method(self, other: f64) -> Array { &self $op other }
            }
            impl std::ops::$trait<&Array> for f64 {
                type Output = Array;
                fn $method(self, other: &Array) -> Array { other.map(|b| self $op b) }
            }
            impl std::ops::$trait<Array> for f64 {
                type Output = Array;
                fn $method(self, other: Array) -> Array { self $op &other }
            }
        )*
    };
}
operators! { Add add +; Sub sub -; Mul mul *; Div div /; }

impl std::ops::Neg for &Array {
    type Output = Array;
    fn neg(self) -> Array {
        self.map(|v| -v)
    }
}
impl std::ops::Neg for Array {
    type Output = Array;
    fn neg(self) -> Array {
        -&self
    }
}

/// The derivative of a number by every element, from central differences: nothing of the compiler's derivative is in it.
pub fn slope(at: &Array, f: impl Fn(&Array) -> f64) -> Array {
    let step = 1e-5;
    let moved = |i: usize, by: f64| {
        let mut there = at.clone();
        there.values[i] += by;
        f(&there)
    };
    let values = (0..at.values.len()).map(|i| (moved(i, step) - moved(i, -step)) / (2.0 * step)).collect();
    Array::new(&at.shape, values)
}

/// Smooth values between −1 and 1 for data of a model that trains; another phase gives others.
pub fn waves(shape: &[usize], phase: f32) -> saddlepoint::Tensor {
    let values = (0..shape.iter().product::<usize>()).map(|i| (i as f32 * 0.7 + phase + 0.1 * (i * i % 7) as f32).sin());
    saddlepoint::Tensor::new(shape, values.collect()).expect("as many values as the shape says")
}
