//! What a plan costs by the roofline: each step takes as long as its operations or its memory, whichever is longer, and its launch.
//!
//! In: a plan and a device's [`Rates`]. Out: picoseconds, to compare plans of one program with.

use super::contraction::{ConvSpec, DotSpec};
use super::kernel::{Inst, Kernel};
use super::{Plan, StepWork, work_of};
use crate::rewrite::cost::Rates;
use std::collections::BTreeSet;

/// Estimated picoseconds of a run of the plan, all workers together, and the bytes that its steps read and write.
///
/// What was touched a short while ago comes from a near cache, the rest from the far one if all of the program's memory fits there.
/// Products and convolutions compute while anything comes; kernels wait for what is not near.
pub fn plan_cost(plan: &Plan, rates: &Rates) -> (u64, usize) {
    let (mut time, mut bytes) = (0, 0);
    let far_byte = if 4 * plan.arena <= rates.far_cache { rates.far_byte } else { rates.memory_byte };
    // Bytes touched until a buffer was last touched.
    let mut touched: Vec<Option<usize>> = vec![None; plan.buffers.len()];
    for step in &plan.steps {
        let (mut near, mut far) = (0, 0);
        for (buffer, elements) in traffic(plan, &step.work) {
            let recent = touched[buffer].is_some_and(|then| bytes - then + 4 * elements <= rates.near_cache);
            *if recent { &mut near } else { &mut far } += 4 * elements as u64;
            bytes += 4 * elements;
            touched[buffer] = Some(bytes);
        }
        let (near, far) = (near * rates.near_byte, far * far_byte);
        time += rates.launch;
        time += match &step.work {
            StepWork::Kernel { kernel, .. } => {
                let kernel = &plan.kernels[*kernel];
                let work: usize = kernel.body.iter().map(work_of).sum();
                ((work * kernel.iterations()) as u64 * rates.simple).max(near) + far
            }
            contraction => {
                let products = contraction.contraction_flops() as u64 * rates.product_64 / 64;
                (products + packed(contraction) as u64 * rates.pack).max(near + far)
            }
        };
        time += if step.barrier { rates.barrier } else { 0 };
    }
    (time, bytes)
}

/// Elements that a product or convolution brings into the order of its micro-kernel: both operands, or the kernel that is slid.
fn packed(work: &StepWork) -> usize {
    match work {
        StepWork::Kernel { .. } => 0,
        StepWork::Dot(spec, _) => of_dot(spec)[..2].iter().sum(),
        StepWork::Conv(spec, _) => of_conv(spec)[1],
    }
}

/// The buffers that a step touches, and how many elements of each.
fn traffic(plan: &Plan, work: &StepWork) -> Vec<(usize, usize)> {
    match work {
        StepWork::Dot(spec, spots) => spots.iter().map(|s| s.buffer).zip(of_dot(spec)).collect(),
        StepWork::Conv(spec, spots) => spots.iter().map(|s| s.buffer).zip(of_conv(spec)).collect(),
        StepWork::Kernel { kernel, args, .. } => {
            let touched = of_kernel(&plan.kernels[*kernel]);
            touched.into_iter().map(|(param, elements)| (args[param].buffer, elements)).collect()
        }
    }
}

/// Elements of operands and result. A result that is added to is read as well.
fn of_dot(spec: &DotSpec) -> [usize; 3] {
    let batch: usize = spec.batch.iter().map(|x| x.extent).product();
    let m: usize = spec.m.iter().map(|x| x.extent).product();
    let n: usize = spec.n.iter().map(|x| x.extent).product();
    let k: usize = spec.k.iter().map(|x| x.extent).product();
    [batch * m * k, batch * k * n, batch * m * n * if spec.accumulate { 2 } else { 1 }]
}

fn of_conv(spec: &ConvSpec) -> [usize; 3] {
    let places = |of: fn(&super::SpatialAxis) -> usize| spec.spatial.iter().map(of).product::<usize>();
    let (groups, channels, features) = (spec.groups.extent, spec.channels.extent, spec.features.extent);
    let image = spec.samples.extent * groups * channels * places(|s| s.input);
    let result = spec.samples.extent * groups * features * places(|s| s.output);
    [image, groups * channels * features * places(|s| s.kernel), result]
}

/// Elements that a kernel touches, access by access: what it reads again it finds in a register.
fn of_kernel(kernel: &Kernel) -> Vec<(usize, usize)> {
    let touched = |at: &super::Affine| -> usize {
        at.coefs.iter().zip(&kernel.axes).filter(|(c, _)| **c != 0).map(|(_, axis)| axis.extent).product()
    };
    let loads = kernel.body.iter().filter_map(|inst| match inst {
        Inst::Load(access, _) | Inst::LoadAt { access, .. } => Some((access.param, &access.at, false)),
        _ => None,
    });
    let stores = kernel.stores.iter().map(|s| (s.access.param, &s.access.at, true));
    let results = kernel.reductions.iter().map(|r| (r.access.param, &r.access.at, true));
    let distinct: BTreeSet<_> = loads.chain(stores).chain(results).collect();
    distinct.into_iter().map(|(param, at, _)| (param, touched(at))).collect()
}
