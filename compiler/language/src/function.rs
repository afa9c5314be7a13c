//! The functions and layers of the language, with their compile-time options. Operands come separately, in order.
//!
//! Axes are those of one sample, counted from 0 and already resolved (never negative). `Dim`s are known when a model is built.

use crate::types::Dim;

/// A function or layer with its options. Layers own parameters, named by [`crate::Layer`].
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    // Operators; operands combine by rule T3
    /// a + b
    Add,
    /// a − b
    Sub,
    /// a · b
    Mul,
    /// a / b
    Div,
    /// −a
    Neg,
    /// a < b as 0.0 or 1.0
    Less,
    /// a ≤ b
    LessEqual,
    /// a > b
    Greater,
    /// a ≥ b
    GreaterEqual,
    /// a = b; floats, or two classes
    Equal,
    /// a ≠ b
    NotEqual,

    // Elementwise, one operand
    #[allow(missing_docs)]
    Ln,
    #[allow(missing_docs)]
    Exp,
    #[allow(missing_docs)]
    Sqrt,
    #[allow(missing_docs)]
    Square,
    #[allow(missing_docs)]
    Abs,
    #[allow(missing_docs)]
    Cos,
    #[allow(missing_docs)]
    Sin,
    #[allow(missing_docs)]
    Floor,
    #[allow(missing_docs)]
    Sign,
    #[allow(missing_docs)]
    Tanh,
    #[allow(missing_docs)]
    Sigmoid,
    #[allow(missing_docs)]
    Softplus,
    /// The y of y + eʸ = x, the logarithm of Lambert's W at eˣ; conjugates of divergences use it
    LogLambert,
    #[allow(missing_docs)]
    Relu,
    /// x for x > 0, eˣ − 1 below
    Elu,
    /// x·Φ(x) in its tanh form
    Gelu,
    /// x·sigmoid(x)
    Silu,
    /// x for x > 0, slope·x below
    LeakyRelu {
        /// Slope below 0.
        slope: f64,
    },
    #[allow(missing_docs)]
    Clamp { lo: f64, hi: f64 },
    /// x to a constant power
    Pow {
        /// The exponent.
        exponent: f64,
    },

    // Elementwise, several operands
    /// The larger of a, b
    Max,
    /// The smaller of a, b
    Min,
    /// Operands c, a, b: a where c ≠ 0, else b; also for classes
    Select,
    /// Operands a, b, t: t·a + (1−t)·b
    Mix,

    // Reductions over all axes of one sample, or over one
    #[allow(missing_docs)]
    Sum { axis: Option<usize> },
    #[allow(missing_docs)]
    Mean { axis: Option<usize> },
    /// √(Σx² + 10⁻¹²)
    Norm {
        /// The axis, or all.
        axis: Option<usize>,
    },
    /// Largest element
    Amax {
        /// The axis, or all.
        axis: Option<usize>,
    },
    /// Biased variance
    Var {
        /// The axis, or all.
        axis: Option<usize>,
    },
    /// `E[…]`: mean over the batch and all elements; batch-free
    Expectation,
    #[allow(missing_docs)]
    Softmax { axis: usize },
    #[allow(missing_docs)]
    LogSoftmax { axis: usize },

    // Shape; the result's type says the new shape
    /// Same elements, the result's shape (also `flatten`)
    Reshape,
    /// Axes a and b exchanged
    Transpose {
        /// One axis.
        a: usize,
        /// The other.
        b: usize,
    },
    /// Reversed along the axis
    Flip {
        /// The axis.
        axis: usize,
    },
    /// Operands joined along the axis
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Operands stacked on a new leading axis
    Stack,
    /// n copies on a new leading axis
    Copies {
        /// How many.
        n: Dim,
    },
    /// `[c] → [c, …]`: a vector at every place
    Spread,
    /// Entry `index` of the leading axis
    Index {
        /// Which.
        index: usize,
    },
    /// `from..to` of the axis
    Slice {
        /// The axis.
        axis: usize,
        /// First.
        from: usize,
        /// Past the last.
        to: usize,
    },
    /// `x[i+1] − x[i]` along the axis
    Diff {
        /// The axis.
        axis: usize,
    },
    /// n zeros on both sides of every spatial axis
    Pad {
        /// How many.
        n: usize,
    },
    #[allow(missing_docs)]
    MaxPool { k: usize },
    #[allow(missing_docs)]
    AvgPool { k: usize },
    /// Nearest neighbour
    Upsample {
        /// Factor of every spatial axis.
        k: usize,
    },
    #[allow(missing_docs)]
    PixelShuffle { k: usize },

    // Products
    /// `[k]·[k]`, `[n,k]·[k]`, `[k]·[k,m]`, `[n,k]·[k,m]`
    Matmul,
    /// Cosine similarity of two vectors
    Cosine,
    /// Operands q, k, v: softmax(q·kᵀ/√e)·v
    Attention,
    /// a·sigmoid(b) for the halves a, b of axis 0
    Glu,

    // Classes
    #[allow(missing_docs)]
    OneHot,
    /// A constant class; no operand
    Label {
        /// Which.
        index: usize,
    },
    /// 0…K−1; no operand
    Classes,
    /// A draw from the categorical distribution of the logits (last axis)
    Sample,
    #[allow(missing_docs)]
    Argmax,
    /// Operands logits, class
    LogProb,
    /// Operands logits, class
    CrossEntropy,
    /// Of the categorical distribution of the logits
    Entropy,

    // Densities; s is a log variance
    /// Operands mu, s: KL(N(mu, eˢ) ‖ N(0, 1)), summed
    KlNormal,
    /// Operands x, mu, s: summed
    NormalLogProb,

    // Draws: one value a sample, of the result's shape; no operand but `Bernoulli`'s p
    #[allow(missing_docs)]
    Normal,
    #[allow(missing_docs)]
    Uniform { low: f64, high: f64 },
    /// 1.0 with probability p (a scalar operand)
    Bernoulli,
    /// Uniform class
    Categorical,
    #[allow(missing_docs)]
    Dropout { p: f64, always: bool },
    /// Differentiable augmentation of pictures; translation and cutout are shares of both sides
    #[allow(missing_docs)]
    DiffAugment { colour: bool, translation: f64, cutout: f64, always: bool },
    /// Uniform among the other classes
    OtherClass,
    /// The value of another sample
    OtherSample,
    /// Adds a channel: the mean standard deviation over the batch
    MinibatchStd,
    /// A pool of earlier values
    Replay {
        /// Slots of the pool.
        size: usize,
        /// Its name: the item in which the call stands, and its number there in order of evaluation.
        pool: String,
    },

    // Gradients
    /// The value without gradient
    Stop,
    /// Operands e, s: the value of e, its gradient times −s
    Reverse,
    /// Operands hard, soft: value of hard, gradient of soft
    StraightThrough,

    /// A batch-free value repeated over the batch: made where the other operands of anything but an operator or an elementwise
    /// function are per sample, and for the arguments of nets
    OverBatch,

    // Constants of the result's shape, batch-free
    #[allow(missing_docs)]
    Zeros,
    #[allow(missing_docs)]
    Ones,

    // Layers
    #[allow(missing_docs)]
    Dense { features: Dim, bias: bool },
    /// One entry a spatial axis in every list
    Conv {
        #[allow(missing_docs)]
        features: Dim,
        #[allow(missing_docs)]
        kernel: Vec<Dim>,
        #[allow(missing_docs)]
        stride: Vec<usize>,
        #[allow(missing_docs)]
        pad: Vec<usize>,
        #[allow(missing_docs)]
        dilation: Vec<usize>,
        #[allow(missing_docs)]
        groups: usize,
        #[allow(missing_docs)]
        bias: bool,
    },
    /// One entry a spatial axis in every list
    ConvTranspose {
        #[allow(missing_docs)]
        features: Dim,
        #[allow(missing_docs)]
        kernel: Vec<Dim>,
        #[allow(missing_docs)]
        stride: Vec<usize>,
        #[allow(missing_docs)]
        pad: Vec<usize>,
        #[allow(missing_docs)]
        output_pad: Vec<usize>,
        #[allow(missing_docs)]
        bias: bool,
    },
    /// A learnt vector a class
    Embed {
        #[allow(missing_docs)]
        features: Dim,
    },
    #[allow(missing_docs)]
    BatchNorm,
    #[allow(missing_docs)]
    InstanceNorm,
    #[allow(missing_docs)]
    LayerNorm,
    #[allow(missing_docs)]
    Prelu,
    /// Operands x, and the mask if `masked`
    Gru {
        #[allow(missing_docs)]
        features: Dim,
        #[allow(missing_docs)]
        masked: bool,
        #[allow(missing_docs)]
        reverse: bool,
    },
    /// Operands x, and the mask if `masked`
    Lstm {
        #[allow(missing_docs)]
        features: Dim,
        #[allow(missing_docs)]
        masked: bool,
        #[allow(missing_docs)]
        reverse: bool,
    },
    /// Operands x, h
    GruCell,
    /// Operands x, h, c; results h, c
    LstmCell,

    /// A call of an `extern net`: operands are its arguments
    Extern {
        /// Index of the net.
        net: usize,
    },
}
