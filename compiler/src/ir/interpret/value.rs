//! Values of the interpreter: an element type, a shape and the elements in row-major order.

use super::super::{DType, Literal, Type};
use crate::{Error, Result};
use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The arithmetic that floats are interpreted in: f64 for the truth, f32 for the error that single precision must make.
pub trait Float:
    Copy
    + Debug
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// Nearest number of this precision.
    fn from_f64(v: f64) -> Self;
    /// The same number in double precision.
    fn to_f64(self) -> f64;
    /// Truncated towards zero, saturating; NaN becomes 0.
    fn to_i32(self) -> i32;
    /// Largest integer not above.
    fn floor(self) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + x).
    fn ln_1p(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Sine of radians.
    fn sin(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
}

macro_rules! float {
    ($t:ident) => {
        impl Float for $t {
            fn from_f64(v: f64) -> Self {
                v as $t
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn to_i32(self) -> i32 {
                self as i32
            }
            fn floor(self) -> Self {
                $t::floor(self)
            }
            fn exp(self) -> Self {
                $t::exp(self)
            }
            fn ln(self) -> Self {
                $t::ln(self)
            }
            fn ln_1p(self) -> Self {
                $t::ln_1p(self)
            }
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            fn sin(self) -> Self {
                $t::sin(self)
            }
            fn tanh(self) -> Self {
                $t::tanh(self)
            }
        }
    };
}
float!(f32);
float!(f64);

/// Elements in row-major order, one variant an element type.
#[derive(Clone, Debug, PartialEq)]
pub enum Data<T> {
    /// Of [`DType::F32`], in the interpreter's precision.
    F(Vec<T>),
    /// Of [`DType::I32`].
    I(Vec<i32>),
    /// Of [`DType::Bool`].
    B(Vec<bool>),
}

/// Applies one expression to the elements of whichever element type, keeping it.
macro_rules! each_dtype {
    ($data:expr, $v:ident => $e:expr) => {
        match $data {
            Data::F($v) => Data::F($e),
            Data::I($v) => Data::I($e),
            Data::B($v) => Data::B($e),
        }
    };
}
pub(super) use each_dtype;

impl<T> Data<T> {
    /// Element type.
    pub fn dtype(&self) -> DType {
        match self {
            Data::F(_) => DType::F32,
            Data::I(_) => DType::I32,
            Data::B(_) => DType::Bool,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F(v) => v.len(),
            Data::I(v) => v.len(),
            Data::B(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A tensor on the host. The data has the type's element type and number of elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Value<T> {
    /// Element type and shape.
    pub ty: Type,
    /// Elements in row-major order.
    pub data: Data<T>,
}

impl<T: Float> Value<T> {
    /// A value of this shape.
    ///
    /// # Errors
    /// When the number of elements is not the shape's.
    pub fn new(shape: &[usize], data: Data<T>) -> Result<Value<T>> {
        let ty = Type::new(data.dtype(), shape);
        match ty.elements() == data.len() {
            true => Ok(Value { ty, data }),
            false => Err(Error::ir(format!("a value of type {ty} given {} elements", data.len()))),
        }
    }

    /// A float value. See [`Value::new`].
    ///
    /// # Errors
    /// When the number of elements is not the shape's.
    pub fn floats(shape: &[usize], data: Vec<T>) -> Result<Value<T>> {
        Value::new(shape, Data::F(data))
    }

    /// An integer value. See [`Value::new`].
    ///
    /// # Errors
    /// When the number of elements is not the shape's.
    pub fn ints(shape: &[usize], data: Vec<i32>) -> Result<Value<T>> {
        Value::new(shape, Data::I(data))
    }

    /// A scalar.
    pub fn scalar(literal: Literal) -> Value<T> {
        let data = match literal {
            Literal::F32(v) => Data::F(vec![T::from_f64(v.into())]),
            Literal::I32(v) => Data::I(vec![v]),
            Literal::Bool(v) => Data::B(vec![v]),
        };
        Value { ty: Type::new(literal.dtype(), []), data }
    }

    /// Zeros (false) of a type.
    pub fn zeros(ty: &Type) -> Value<T> {
        let n = ty.elements();
        let data = match ty.dtype {
            DType::F32 => Data::F(vec![T::from_f64(0.0); n]),
            DType::I32 => Data::I(vec![0; n]),
            DType::Bool => Data::B(vec![false; n]),
        };
        Value { ty: ty.clone(), data }
    }

    /// The elements of a float value.
    pub fn as_floats(&self) -> Option<&[T]> {
        match &self.data {
            Data::F(v) => Some(v),
            _ => None,
        }
    }

    /// The elements of an integer value.
    pub fn as_ints(&self) -> Option<&[i32]> {
        match &self.data {
            Data::I(v) => Some(v),
            _ => None,
        }
    }

    /// The elements of a bool value.
    pub fn as_bools(&self) -> Option<&[bool]> {
        match &self.data {
            Data::B(v) => Some(v),
            _ => None,
        }
    }

    /// All elements as numbers in double precision; false is 0, true is 1.
    pub fn to_f64s(&self) -> Vec<f64> {
        match &self.data {
            Data::F(v) => v.iter().map(|x| x.to_f64()).collect(),
            Data::I(v) => v.iter().map(|x| f64::from(*x)).collect(),
            Data::B(v) => v.iter().map(|x| f64::from(u8::from(*x))).collect(),
        }
    }

    /// The same value in another precision.
    pub fn convert<U: Float>(&self) -> Value<U> {
        let data = match &self.data {
            Data::F(v) => Data::F(v.iter().map(|x| U::from_f64(x.to_f64())).collect()),
            Data::I(v) => Data::I(v.clone()),
            Data::B(v) => Data::B(v.clone()),
        };
        Value { ty: self.ty.clone(), data }
    }
}
