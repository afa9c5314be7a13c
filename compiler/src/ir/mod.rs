//! The intermediate representation: static shapes, explicit broadcast, single assignment.
//!
//! f32 values with bool and i32 helpers. Logically every image is NCHW with PyTorch's parameter shapes; physical layout is the
//! planner's business. A [`Graph`] is one program: a turn of a player, an output, a metric.
//!
//! What always holds in a graph (the verifier, [`verify`], checks it): nodes are in topological order; every node's type is
//! what [`infer`] derives from its op and operands; input and state names are unique; no state is written twice, and what is
//! written has the state's type.

mod dot;
mod expr;
mod graph;
pub mod infer;
pub mod interpret;
mod op;
pub mod philox;
pub(crate) mod print;
mod read;
mod types;
mod verify;

pub use expr::{Builder, Derivative, Expr};
pub use graph::{Graph, Node, NodeId, Output, Slot, Target};
pub use op::{ConvDims, DotDims, Literal, Op, OpKind};
pub use read::read;
pub use types::{DType, Type, row_major_strides};
pub use verify::verify;
