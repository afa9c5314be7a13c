//! When parts of a run begin and end, by the device's clock.

use super::memory;
use super::shared::Shared;
use crate::{Error, Result};

/// Time stamps of consecutive parts.
pub(super) struct Timer {
    parts: usize,
    stamps: wgpu::QuerySet,
    ticks: wgpu::Buffer,
    readable: wgpu::Buffer,
}

impl Timer {
    /// For this many parts.
    pub fn new(shared: &Shared, parts: usize) -> Result<Timer> {
        if !shared.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(Error::device(format!("{} gives no times: measure whole steps instead", shared.adapter)));
        }
        let most = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;
        if parts > most {
            let message =
                format!("the program has {parts} parts, and the GPU keeps times of {most}: measure whole steps instead");
            return Err(Error::device(message));
        }
        let count = 2 * parts.max(1) as u32;
        let ty = wgpu::QueryType::Timestamp;
        let stamps = shared.device.create_query_set(&wgpu::QuerySetDescriptor { label: None, ty, count });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let size = 8 * u64::from(count);
        let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        let ticks = shared.device.create_buffer(&descriptor);
        let readable = memory::words(&shared.device, "times", 2 * count as usize)?;
        Ok(Timer { parts, stamps, ticks, readable })
    }

    /// What a part's pass writes.
    pub fn writes(&self, part: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        writes(&self.stamps, 2 * part as u32)
    }

    /// Collects the stamps.
    pub fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.stamps, 0..2 * self.parts as u32, &self.ticks, 0);
        encoder.copy_buffer_to_buffer(&self.ticks, 0, &self.readable, 0, 16 * self.parts as u64);
    }

    /// The parts' seconds.
    pub fn seconds(&self, shared: &Shared) -> Result<Vec<f64>> {
        let words = shared.stream().read(&shared.device, &shared.queue, &self.readable, 0, 4 * self.parts)?;
        Ok(seconds(&shared.queue, &words).collect())
    }
}

/// Seconds between pairs of stamps, each of two words, the lower first.
pub(super) fn seconds(queue: &wgpu::Queue, words: &[u32]) -> impl Iterator<Item = f64> {
    let period = f64::from(queue.get_timestamp_period()) * 1e-9;
    let tick = |pair: &[u32]| u64::from(pair[0]) | u64::from(pair[1]) << 32;
    words.chunks_exact(4).map(move |w| tick(&w[2..]).saturating_sub(tick(&w[..2])) as f64 * period)
}

/// What a pass writes: when it begins, and behind that when it ends.
pub(super) fn writes(query_set: &wgpu::QuerySet, first: u32) -> wgpu::ComputePassTimestampWrites<'_> {
    let (beginning, end) = (Some(first), Some(first + 1));
    wgpu::ComputePassTimestampWrites { query_set, beginning_of_pass_write_index: beginning, end_of_pass_write_index: end }
}
