//! Peak memory of this process.

/// The most memory that this process has had resident, in bytes; `None` where the system does not tell.
pub fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kilobytes)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn touched_memory_counts() {
        let before = peak_resident_bytes().unwrap();
        let touched = vec![1u8; 256 << 20];
        assert!(touched.iter().step_by(4096).all(|&b| b == 1));
        assert!(peak_resident_bytes().unwrap() >= before.max(256 << 20));
    }
}
