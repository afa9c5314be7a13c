//! How long runs took, by the device's own clock: two stamps a run, which stay on the device until somebody asks.

use std::num::NonZeroU64;

/// Runs whose stamps are collected together: those of a submission.
const RUNS: usize = super::stream::RUNS;
/// Submissions that are remembered.
const SUBMISSIONS: usize = 64;
/// Bytes of the stamps of a submission; what is collected must begin at a multiple of 256.
const BYTES: u64 = 16 * RUNS as u64;
const _: () = assert!(BYTES.is_multiple_of(wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT));

/// Stamps of the latest runs.
pub(super) struct Clock {
    stamps: wgpu::QuerySet,
    ticks: wgpu::Buffer,
    /// Whose run each pair of stamps is of, by place among the ticks.
    owners: Vec<Option<NonZeroU64>>,
    /// The submission under way, and its runs so far.
    submission: usize,
    runs: usize,
}

impl Clock {
    /// Of a device that has one.
    pub fn new(device: &wgpu::Device) -> Option<Clock> {
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let (ty, count) = (wgpu::QueryType::Timestamp, 2 * RUNS as u32);
        let stamps = device.create_query_set(&wgpu::QuerySetDescriptor { label: None, ty, count });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let size = BYTES * SUBMISSIONS as u64;
        let ticks =
            device.create_buffer(&wgpu::BufferDescriptor { label: Some("times"), size, usage, mapped_at_creation: false });
        Some(Clock { stamps, ticks, owners: vec![None; RUNS * SUBMISSIONS], submission: 0, runs: 0 })
    }

    /// A run of this program begins: where its pass puts its two stamps, the second behind the first.
    pub fn start(&mut self, program: NonZeroU64) -> Option<(wgpu::QuerySet, u32)> {
        let place = (self.runs < RUNS).then_some(self.runs)?;
        self.owners[self.submission * RUNS + place] = Some(program);
        self.runs += 1;
        Some((self.stamps.clone(), 2 * place as u32))
    }

    /// Collects the stamps of a submission, before it is made.
    pub fn collect(&mut self, encoder: &mut wgpu::CommandEncoder) {
        if self.runs == 0 {
            return;
        }
        encoder.resolve_query_set(&self.stamps, 0..2 * self.runs as u32, &self.ticks, BYTES * self.submission as u64);
        self.submission = (self.submission + 1) % SUBMISSIONS;
        self.runs = 0;
        self.owners[self.submission * RUNS..][..RUNS].fill(None);
    }

    /// The ticks, two 64-bit numbers a run, and whose runs they are.
    pub fn ticks(&self) -> (wgpu::Buffer, Vec<Option<NonZeroU64>>) {
        (self.ticks.clone(), self.owners.clone())
    }
}
