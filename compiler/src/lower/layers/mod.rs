//! The layers: parameters with PyTorch's names, shapes and initial values, and what is computed from them.

mod conv;
mod dense;
mod norm;
mod recurrent;
mod spectral;

pub use spectral::normalised;

use super::target::GraphTarget;
use super::values::per_sample;
use crate::ir::Expr;
use saddlepoint_language::{Call, Function, Layer};

/// The result of a layer, or a message when this build of the compiler does not know it.
pub fn layer(target: &mut GraphTarget<'_>, call: &Call<'_, Expr>, layer: &Layer) -> Result<Vec<Expr>, String> {
    let Some(first) = call.operands.first() else {
        return Err("a layer needs an operand".into());
    };
    let batch = target.rows();
    let known = |d: &saddlepoint_language::Dim| d.known().ok_or_else(|| "a size of this layer is not known".to_string());
    let one = match call.function {
        Function::Dense { features, bias } => {
            dense::dense(target, layer, &per_sample(first, batch)?, known(features)?, *bias)
        }
        Function::Embed { features } => {
            let saddlepoint_language::Element::Class(k) = first.ty.element else {
                return Err("embed wants classes".into());
            };
            dense::embed(target, layer, &per_sample(first, batch)?, known(&k)?, known(features)?)
        }
        Function::Conv { features, kernel, stride, pad, dilation, groups, bias } => {
            let kernel = kernel.iter().map(known).collect::<Result<Vec<_>, _>>()?;
            let geometry = conv::Geometry { features: known(features)?, kernel, stride, pad, dilation, groups: *groups };
            conv::conv(target, layer, &per_sample(first, batch)?, &geometry, *bias)
        }
        Function::ConvTranspose { features, kernel, stride, pad, output_pad, bias } => {
            let kernel = kernel.iter().map(known).collect::<Result<Vec<_>, _>>()?;
            let geometry = conv::TransposedGeometry { features: known(features)?, kernel, stride, pad, output_pad };
            conv::conv_transpose(target, layer, &per_sample(first, batch)?, &geometry, *bias)
        }
        Function::BatchNorm => norm::batch_norm(target, layer, &per_sample(first, batch)?),
        Function::InstanceNorm => norm::instance_norm(&per_sample(first, batch)?),
        Function::LayerNorm => norm::layer_norm(target, layer, &per_sample(first, batch)?),
        Function::Prelu => norm::prelu(target, layer, &per_sample(first, batch)?),
        Function::Gru { features, masked, reverse } | Function::Lstm { features, masked, reverse } => {
            let x = per_sample(first, batch)?;
            let mask = match call.operands.get(1).filter(|_| *masked) {
                Some(mask) => Some(per_sample(mask, batch)?),
                None => None,
            };
            let sequence = recurrent::Sequence { mask: mask.as_ref(), reverse: *reverse };
            let rows = match call.function {
                Function::Gru { .. } => recurrent::gru(target, layer, &x, known(features)?, &sequence),
                _ => recurrent::lstm(target, layer, &x, known(features)?, &sequence),
            };
            rows.ok_or("a recurrent layer needs a sequence of one element at least")?
        }
        Function::GruCell => {
            let [x, h] = all(call, batch)?;
            recurrent::gru_cell(target, layer, &x, &h)
        }
        Function::LstmCell => {
            let [x, h, c] = all(call, batch)?;
            return Ok(recurrent::lstm_cell(target, layer, &x, &h, &c).into());
        }
        other => return Err(format!("{other:?} is not executable yet")),
    };
    Ok(vec![one])
}

/// All operands, with a batch axis.
fn all<const N: usize>(call: &Call<'_, Expr>, batch: usize) -> Result<[Expr; N], String> {
    let operands = call.operands.iter().map(|o| per_sample(o, batch)).collect::<Result<Vec<_>, _>>()?;
    operands.try_into().map_err(|_| format!("{:?} takes {N} operands", call.function))
}
