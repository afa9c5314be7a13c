//! Buffers of the device: their sizes, and what happens when there is no room.

use crate::{Error, Result};

/// Bytes of an element.
pub(super) const ELEMENT: u64 = 4;

/// What every buffer of words can be used for.
const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

/// Bytes as a person reads them.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A buffer of this many elements, zero.
///
/// # Errors
/// [`Error::Device`] when it is larger than the device's buffers can be, or there is no memory left.
pub(super) fn words(device: &wgpu::Device, what: &str, elements: usize) -> Result<wgpu::Buffer> {
    let size = (elements.max(4) as u64) * ELEMENT;
    let limits = device.limits();
    let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
    if size > most {
        let (size, most) = (megabytes(size), megabytes(most));
        return Err(Error::device(format!(
            "{what} take {size}, but a buffer of this GPU holds {most}: use a smaller batch"
        )));
    }
    create(device, what, size, USAGE)
}

/// A buffer that the host reads.
pub(super) fn staging(device: &wgpu::Device, size: u64) -> Result<wgpu::Buffer> {
    create(device, "results", size, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST)
}

fn create(device: &wgpu::Device, what: &str, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
    let scope = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor { label: Some(what), size, usage, mapped_at_creation: false });
    match pollster::block_on(scope.pop()) {
        None => Ok(buffer),
        Some(error) => {
            let size = megabytes(size);
            Err(Error::device(format!("the GPU has no room for {what} of {size} ({error}): use a smaller batch")))
        }
    }
}
