//! Places in the arena: buffers that are not in use at the same time share memory.
//!
//! In: steps and buffers. Out: an offset for each arena buffer, 64-byte aligned, by greedy best fit from the largest buffer
//! down; the arena's size; and the most that is in use at any one step, below which no arrangement can go. Small buffers count as always in use.

use super::{Buffer, BufferId, HostOutput, Memories, Memory, Step, StepWork};

/// Elements of a cache line.
const LINE: usize = 16;
/// Buffers up to this many elements keep their memory to themselves: sharing it would save little and cost barriers.
const SMALL: usize = 512;

/// Places all arena buffers. Returns the size of the arena and its lower bound, in elements.
pub(super) fn place(
    steps: &[Step],
    memories: &mut Memories,
    inputs: &[Option<BufferId>],
    outputs: &[HostOutput],
) -> (usize, usize) {
    let Memories { buffers, part_of, .. } = memories;
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; buffers.len()];
    // A part lives in the whole.
    let within = |mut buffer: BufferId| {
        let mut offset = 0;
        while let Some((whole, at)) = part_of[buffer] {
            (buffer, offset) = (whole, offset + at);
        }
        (buffer, offset)
    };
    let mut touch = |buffer: BufferId, step: usize| {
        let (buffer, _) = within(buffer);
        let life = lives[buffer].get_or_insert((step, step));
        *life = (life.0.min(step), life.1.max(step));
    };
    for (number, step) in steps.iter().enumerate() {
        match &step.work {
            StepWork::Kernel { args, .. } => args.iter().for_each(|a| touch(a.buffer, number)),
            StepWork::Dot(_, spots) | StepWork::Conv(_, spots) => {
                // A result that only the epilogue sees is never written.
                let written = step.epilogue.as_ref().is_none_or(|epilogue| epilogue.kept);
                spots.iter().take(if written { 3 } else { 2 }).for_each(|s| touch(s.buffer, number));
            }
        }
        if let Some(epilogue) = &step.epilogue {
            let others = epilogue.args.iter().enumerate().filter(|(param, _)| *param != epilogue.param);
            others.for_each(|(_, arg)| touch(arg.buffer, number));
        }
    }
    inputs.iter().flatten().for_each(|b| touch(*b, 0));
    outputs.iter().for_each(|o| touch(o.buffer, steps.len()));
    for (life, _) in lives.iter_mut().zip(buffers.iter()).filter(|(_, b)| b.elements <= SMALL) {
        *life = life.map(|_| (0, steps.len()));
    }

    let rounded = |b: &Buffer| b.elements.max(1).div_ceil(LINE) * LINE;
    let mut order: Vec<BufferId> =
        (0..buffers.len()).filter(|b| lives[*b].is_some() && matches!(buffers[*b].memory, Memory::Arena(_))).collect();
    let bound = (0..=steps.len())
        .map(|step| {
            let alive = order.iter().filter(|b| lives[**b].is_some_and(|(from, to)| from <= step && step <= to));
            alive.map(|b| rounded(&buffers[*b])).sum()
        })
        .max()
        .unwrap_or(0);
    order.sort_by_key(|b| (std::cmp::Reverse(buffers[*b].elements), *b));
    let mut placed: Vec<(BufferId, usize, usize)> = Vec::new();
    let mut size = 0;
    for b in order {
        let Some((from, to)) = lives[b] else { continue };
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|(other, ..)| lives[*other].is_some_and(|(f, t)| f <= to && from <= t))
            .map(|(_, start, end)| (*start, *end))
            .collect();
        taken.sort_unstable();
        let need = rounded(&buffers[b]);
        // The smallest gap that is large enough; the end of what is taken if there is none.
        let (mut at, mut best) = (0, None::<(usize, usize)>);
        for (start, end) in taken {
            if start >= at + need && best.is_none_or(|(gap, _)| start - at < gap) {
                best = Some((start - at, at));
            }
            at = at.max(end);
        }
        let offset = best.map_or(at, |(_, offset)| offset);
        buffers[b].memory = Memory::Arena(offset);
        placed.push((b, offset, offset + need));
        size = size.max(offset + need);
    }
    for part in 0..buffers.len() {
        let (whole, offset) = within(part);
        if whole != part
            && let Memory::Arena(at) = buffers[whole].memory
        {
            buffers[part].memory = Memory::Arena(at + offset);
        }
    }
    (size, bound)
}
