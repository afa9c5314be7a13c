//! What to do about a shape that does not fit: the remedy at the end of a message.

use crate::function::Function;
use crate::resolve::Type;
use crate::signature::written;
use crate::types::{Dim, Element, TensorType};

/// Kernels and pads that are tried for a remedy.
const NEAR: usize = 33;

/// The layer that a net applied last, where it decides the shape of the result.
#[derive(Clone, Debug)]
pub(super) struct LastLayer {
    pub(super) function: Function,
    pub(super) input: TensorType,
    pub(super) output: TensorType,
}

/// `; …` for an argument of a net that does not fit its parameter.
pub(super) fn argument(parameter: &str, ty: &Type, got: Option<&TensorType>, described: &str) -> String {
    let Type::Tensor(wanted) = ty else {
        return format!("; pass another value, or change the type of `{parameter}` where the net is declared");
    };
    match (wanted.element, got) {
        (Element::Class(k), _) if described.starts_with("the number") => {
            format!("; a constant class is written `label({}, {k})`", described.trim_start_matches("the number "))
        }
        (Element::Float, Some(TensorType { element: Element::Class(k), shape, .. })) => {
            let hot: Vec<Dim> = shape.iter().copied().chain([*k]).collect();
            let ready = if hot == wanted.shape {
                "pass it as `one_hot()`".to_string()
            } else {
                format!("`one_hot()` makes {} of it", written(&hot))
            };
            format!("; {ready}, or declare `{parameter}: {described}` and use `embed(n)` in the net")
        }
        (Element::Class(_), Some(TensorType { element: Element::Float, .. })) => {
            format!("; pass a class, or declare `{parameter}: {described}` where the net is declared")
        }
        (Element::Float, Some(got)) if elements(&got.shape).is_some() && elements(&got.shape) == elements(&wanted.shape) => {
            let write = if wanted.shape.len() == 1 { ".flatten()".to_string() } else { format!(".reshape({wanted})") };
            format!("; write `{write}` on it, or change the type of `{parameter}` where the net is declared")
        }
        _ => format!("; pass another value, or change the type of `{parameter}` where the net is declared"),
    }
}

/// What to do about the result of a net's body that is not the declared one.
pub(super) fn result(declared: &Type, got: Option<&TensorType>, last: Option<&LastLayer>) -> String {
    const CHANGE: &str = "change one of the two";
    let (Type::Tensor(wanted), Some(got)) = (declared, got) else { return CHANGE.to_string() };
    if (wanted.element, got.element) != (Element::Float, Element::Float) {
        return CHANGE.to_string();
    }
    let count = elements(&wanted.shape);
    if count.is_some() && count == elements(&got.shape) {
        return match wanted.shape.len() {
            1 => "end it with `.flatten()`".to_string(),
            _ => format!("end it with `.reshape({wanted})`"),
        };
    }
    match (&wanted.shape[..], &got.shape[..]) {
        // Too long or too short: the last `dense` decides.
        (_, [_]) => match (last, count) {
            (Some(LastLayer { function: Function::Dense { .. }, output, .. }), Some(count)) if output.shape == got.shape => {
                let then = if wanted.shape.len() == 1 { String::new() } else { format!(".reshape({wanted})") };
                format!("write `dense({count}){then}` at the end, or change the declared result")
            }
            _ => CHANGE.to_string(),
        },
        ([Dim::Known(n)], [_, _, ..]) => format!("end it with `.flatten().dense({n})`, or change the declared result"),
        (wanted, shape) if wanted.len() == shape.len() => match last {
            Some(last) if last.output.shape == shape => window(last, wanted).unwrap_or_else(|| CHANGE.to_string()),
            _ => CHANGE.to_string(),
        },
        _ => CHANGE.to_string(),
    }
}

fn elements(shape: &[Dim]) -> Option<usize> {
    let extents: Vec<usize> = shape.iter().map(|dim| dim.known()).collect::<Option<_>>()?;
    saddlepoint_shape::elements(&extents)
}

/// What makes the last convolution give the wanted shape: its number of channels, or its window on the first axis that differs.
fn window(last: &LastLayer, wanted: &[Dim]) -> Option<String> {
    let name = match last.function {
        Function::Conv { .. } => "conv",
        Function::ConvTranspose { .. } => "conv_transpose",
        _ => return None,
    };
    let shape = &last.output.shape;
    let Some(axis) = (1..shape.len()).find(|axis| shape[*axis] != wanted[*axis]) else {
        let (has, wants) = (shape[0].known()?, wanted[0].known()?);
        return Some(format!("the last `{name}` makes {has} channels: write `{name}({wants}, …)`"));
    };
    let (length, has, wants) = (last.input.shape[axis].known()?, shape[axis].known()?, wanted[axis].known()?);
    let at = axis - 1;
    match &last.function {
        Function::Conv { kernel, stride, pad, dilation, .. } => {
            let (k, s, p, d) = (kernel[at].known()?, stride[at], pad[at], dilation[at]);
            let reach = if d == 1 { k.to_string() } else { format!("({d}·({k} − 1) + 1)") };
            let formula = format!("({length} + 2·{p} − {reach})/{s} + 1 = {has}");
            let fits = |k: usize, p: usize| saddlepoint_shape::convolved(length, k, s, p, d) == Some(wants);
            let pads = (0..NEAR).find(|p| fits(k, *p)).map(|p| format!("`pad = {p}`"));
            let kernels = (1..NEAR).find(|k| fits(*k, p)).map(|k| format!("`kernel = {k}`"));
            Some(advice(name, length, &formula, wants, [pads, kernels]))
        }
        Function::ConvTranspose { kernel, stride, pad, output_pad, .. } => {
            let (k, s, p, extra) = (kernel[at].known()?, stride[at], pad[at], output_pad[at]);
            let formula = format!("({length} − 1)·{s} − 2·{p} + {k} + {extra} = {has}");
            let fits =
                |k: usize, p: usize, extra: usize| saddlepoint_shape::transposed(length, k, s, p, extra) == Some(wants);
            let kernels = (1..NEAR).find(|k| fits(*k, p, extra)).map(|k| format!("`kernel = {k}`"));
            let extras = (0..s.min(NEAR)).find(|extra| fits(k, p, *extra)).map(|extra| format!("`output_pad = {extra}`"));
            let pads = (0..NEAR).find(|p| fits(k, *p, extra)).map(|p| format!("`pad = {p}`"));
            let second = extras.or(pads);
            Some(advice(name, length, &formula, wants, [kernels, second]))
        }
        _ => None,
    }
}

fn advice(name: &str, length: usize, formula: &str, wants: usize, options: [Option<String>; 2]) -> String {
    let options: Vec<String> = options.into_iter().flatten().collect();
    let remedy = match &options[..] {
        [] => format!("no kernel or pad near these gives {wants}: change the layers before it"),
        options => format!("{} gives {wants}", options.join(" or ")),
    };
    format!("the last `{name}` makes {formula} of {length} places; {remedy}")
}
