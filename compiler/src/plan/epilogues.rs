//! Kernels that only go once over what a product or convolution has just computed become its epilogue: they are computed on the result
//! before it is written, if it has to be written at all.
//!
//! In: steps in order, for one worker. Out: fewer steps; the places of buffers are not known yet, so an epilogue's buffers are kept apart from
//! the product's operands. Only devices ask for it whose products have a place for an epilogue ([`Options::epilogues`](super::Options)).
//!
//! What always holds: between the two steps nothing writes what the kernel reads or touches what it writes, so that it may run
//! earlier; every place of the product's result is one iteration of the kernel.

use super::kernel::{Inst, Kernel, StoreMode};
use super::{BufferId, Epilogue, HostOutput, Memories, Memory, Step, StepWork};
use std::collections::BTreeSet;

/// Rows or columns of a product up to which devices compute it as a sum, which has no place for an epilogue.
pub const FEW: usize = 4;

/// Moves kernels into the steps before them.
pub(super) fn join(steps: &mut Vec<Step>, kernels: &[Kernel], memories: &Memories, outputs: &[HostOutput]) {
    let wholes: BTreeSet<BufferId> = memories.part_of.iter().flatten().map(|(whole, _)| *whole).collect();
    let apart = |buffer: BufferId| {
        matches!(memories.buffers[buffer].memory, Memory::Arena(_))
            && memories.part_of[buffer].is_none()
            && memories.new_state[buffer].is_none()
            && !wholes.contains(&buffer)
    };
    let touched: Vec<(Vec<BufferId>, Vec<BufferId>)> = steps.iter().map(|step| touches(step, kernels)).collect();
    let mut gone = vec![false; steps.len()];
    for product in 0..steps.len() {
        let (StepWork::Dot(_, spots) | StepWork::Conv(_, spots)) = &steps[product].work else { continue };
        let result = spots[2].buffer;
        if !apart(result) || few(&steps[product].work) {
            continue;
        }
        let Some(reader) = (product + 1..steps.len()).find(|step| touched[*step].0.contains(&result)) else { continue };
        if touched[product + 1..reader].iter().any(|(_, writes)| writes.contains(&result)) {
            continue;
        }
        let StepWork::Kernel { kernel, args, .. } = &steps[reader].work else { continue };
        let Some(param) = once_over(&kernels[*kernel], args, result, memories.buffers[result].elements) else { continue };
        let (reads, writes) = &touched[reader];
        let own = |buffer: &BufferId| apart(*buffer) && *buffer != result;
        if !writes.iter().all(own) || writes.iter().any(|buffer| reads.contains(buffer)) {
            continue;
        }
        let between = touched[product..reader].iter().enumerate().any(|(i, (others_read, others_write))| {
            others_write.iter().any(|b| i > 0 && reads.contains(b) || writes.contains(b))
                || others_read.iter().any(|b| writes.contains(b))
        });
        // A part of a buffer is written under its own name, a whole read under the whole's: neither may be between.
        let related = reads.iter().any(|buffer| memories.part_of[*buffer].is_some() || wholes.contains(buffer));
        if between || related || gone[reader] {
            continue;
        }
        let later = touched[reader + 1..].iter().any(|(others_read, _)| others_read.contains(&result));
        let kept = later || outputs.iter().any(|output| output.buffer == result);
        let epilogue = Epilogue { kernel: *kernel, args: args.clone(), param, kept };
        let nodes = std::mem::take(&mut steps[reader].nodes);
        steps[product].epilogue = Some(epilogue);
        steps[product].nodes.extend(nodes);
        gone[reader] = true;
    }
    let mut gone = gone.into_iter();
    steps.retain(|_| !gone.next().unwrap_or(false));
}

/// Buffers that a step reads, and those that it writes.
fn touches(step: &Step, kernels: &[Kernel]) -> (Vec<BufferId>, Vec<BufferId>) {
    match &step.work {
        StepWork::Dot(spec, [a, b, c]) if spec.accumulate => (vec![a.buffer, b.buffer, c.buffer], vec![c.buffer]),
        StepWork::Dot(_, [a, b, c]) | StepWork::Conv(_, [a, b, c]) => (vec![a.buffer, b.buffer], vec![c.buffer]),
        StepWork::Kernel { kernel, args, .. } => {
            let kernel = &kernels[*kernel];
            let stores = kernel.stores.iter().map(|s| s.access.param);
            let writes: BTreeSet<usize> = stores.chain(kernel.reductions.iter().map(|r| r.access.param)).collect();
            let reads = kernel.body.iter().filter_map(|inst| match inst {
                Inst::Load(access, _) | Inst::LoadAt { access, .. } => Some(access.param),
                _ => None,
            });
            let adds = kernel.stores.iter().filter(|s| s.mode == StoreMode::Add).map(|s| s.access.param);
            let of = |params: BTreeSet<usize>| params.into_iter().map(|p| args[p].buffer).collect();
            (of(reads.chain(adds).collect()), of(writes))
        }
    }
}

fn few(work: &StepWork) -> bool {
    match work {
        StepWork::Dot(spec, _) => {
            let (m, n) = (spec.m.iter().map(|x| x.extent).product::<usize>(), spec.n.iter().map(|x| x.extent).product());
            m.min(n) <= FEW
        }
        _ => false,
    }
}

/// The parameter by which a kernel reads this buffer, if its iterations are the buffer's elements, each once.
fn once_over(kernel: &Kernel, args: &[super::Arg], buffer: BufferId, elements: usize) -> Option<usize> {
    if !kernel.reductions.is_empty() || kernel.axes.iter().any(|axis| axis.sequential) || kernel.iterations() != elements {
        return None;
    }
    if kernel.stores.iter().any(|store| store.mode != StoreMode::Set || store.index.is_some()) {
        return None;
    }
    let mut params = (0..args.len()).filter(|p| args[*p].buffer == buffer);
    let param = params.next().filter(|_| params.next().is_none())?;
    let mut found = None;
    for inst in &kernel.body {
        match inst {
            Inst::LoadAt { access, .. } if access.param == param => return None,
            Inst::Load(access, _) if access.param == param => match found {
                None => found = Some(access.at.clone()),
                Some(ref at) if *at == access.at => {}
                Some(_) => return None,
            },
            _ => {}
        }
    }
    let at = found?;
    if at.offset + args[param].offset != 0 {
        return None;
    }
    // The axes' coefficients are the units of a number of mixed radix.
    let mut units: Vec<(i64, usize)> =
        at.coefs.iter().copied().zip(kernel.extents()).filter(|(_, extent)| *extent > 1).collect();
    units.sort_unstable();
    let mut unit = 1;
    for (coef, extent) in units {
        if coef != unit {
            return None;
        }
        unit *= extent as i64;
    }
    Some(param)
}
