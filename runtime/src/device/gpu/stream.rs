//! The one sequence of commands that a device is given.
//!
//! Runs are recorded into an encoder, uploads among them in their place; a submission takes many. Reading anything back submits
//! what is recorded and waits.

use super::clock::Clock;
use super::memory::{self, ELEMENT};
use super::timer;
use crate::{Error, Result};
use std::num::NonZeroU64;
use wgpu::util::StagingBelt;

/// Runs that go into one submission, unless somebody waits for one.
pub(super) const RUNS: usize = 16;
/// Bytes of uploads that go into one submission.
const BYTES: u64 = 64 << 20;
/// Bytes of one piece of memory for uploads.
const CHUNK: u64 = 1 << 20;

/// Bytes of memory for uploads begin at multiples of this.
const ALIGNMENT: NonZeroU64 = NonZeroU64::new(wgpu::MAP_ALIGNMENT).unwrap();

/// How often host and device met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Runs of programs recorded.
    pub runs: u64,
    /// Submissions.
    pub submissions: u64,
    /// Times that something was read back.
    pub reads: u64,
}

/// Commands that are not submitted yet.
pub(super) struct Stream {
    encoder: Option<wgpu::CommandEncoder>,
    belt: StagingBelt,
    runs: usize,
    bytes: u64,
    pub clock: Option<Clock>,
    pub traffic: Traffic,
}

impl Stream {
    pub fn new(device: &wgpu::Device) -> Stream {
        Stream {
            encoder: None,
            belt: StagingBelt::new(device.clone(), CHUNK),
            runs: 0,
            bytes: 0,
            clock: Clock::new(device),
            traffic: Traffic::default(),
        }
    }

    /// The encoder under way.
    pub fn encoder(&mut self, device: &wgpu::Device) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()))
    }

    /// Writes words to a buffer, behind everything recorded so far.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no memory for it on its way: none is left, or the device is lost.
    pub fn upload(&mut self, device: &wgpu::Device, to: &wgpu::Buffer, first: usize, words: &[u32]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let Some(size) = NonZeroU64::new(bytes.len() as u64) else { return Ok(()) };
        let encoder =
            self.encoder.get_or_insert_with(|| device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()));
        // The belt has a method that does all of this, and panics where the device is lost.
        let piece = self.belt.allocate(size, ALIGNMENT);
        let refused = |e: wgpu::MapRangeError| Error::device(format!("the GPU takes no data: {e}"));
        piece.get_mapped_range_mut().map_err(refused)?.copy_from_slice(bytes);
        encoder.copy_buffer_to_buffer(piece.buffer(), piece.offset(), to, first as u64 * ELEMENT, size.get());
        self.bytes += size.get();
        Ok(())
    }

    /// Notes a run; submits when enough has come together.
    pub fn ran(&mut self, queue: &wgpu::Queue) {
        self.runs += 1;
        self.traffic.runs += 1;
        if self.runs >= RUNS || self.bytes >= BYTES {
            self.submit(queue);
        }
    }

    /// Submits what is recorded.
    pub fn submit(&mut self, queue: &wgpu::Queue) {
        let Some(mut encoder) = self.encoder.take() else { return };
        if let Some(clock) = &mut self.clock {
            clock.collect(&mut encoder);
        }
        self.belt.finish();
        queue.submit([encoder.finish()]);
        self.belt.recall();
        (self.runs, self.bytes) = (0, 0);
        self.traffic.submissions += 1;
    }

    /// Words of a buffer, after everything recorded so far.
    pub fn read(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        from: &wgpu::Buffer,
        first: usize,
        count: usize,
    ) -> Result<Vec<u32>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let size = count as u64 * ELEMENT;
        let staging = memory::staging(device, size)?;
        self.encoder(device).copy_buffer_to_buffer(from, first as u64 * ELEMENT, &staging, 0, size);
        self.submit(queue);
        self.traffic.reads += 1;
        let failed = |what: &dyn std::fmt::Display| Error::device(format!("the GPU gave no results: {what}"));
        let (sender, receiver) = std::sync::mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |mapped| {
            // Nobody waits any more where the receiver is gone.
            let _ = sender.send(mapped);
        });
        device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| failed(&e))?;
        receiver.recv().map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let view = staging.get_mapped_range(..).map_err(|e| failed(&e))?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }

    /// Seconds that each of the latest runs of this program took; none where the device has no clock.
    ///
    /// # Errors
    /// [`Error::Device`] when the device failed.
    pub fn times(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, program: NonZeroU64) -> Result<Vec<f64>> {
        self.submit(queue);
        let Some((ticks, owners)) = self.clock.as_ref().map(Clock::ticks) else { return Ok(Vec::new()) };
        let words = self.read(device, queue, &ticks, 0, 4 * owners.len())?;
        let seconds = timer::seconds(queue, &words);
        Ok(seconds.zip(owners).filter(|(_, owner)| *owner == Some(program)).map(|(seconds, _)| seconds).collect())
    }
}
