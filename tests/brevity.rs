//! How much a user writes: whole programs, data and training included, in few lines.

/// Lines of an example that are not blank and no comment.
fn lines(example: &str) -> usize {
    let path = format!("{}/examples/{example}.rs", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn whole_programs_are_short() {
    for (example, most) in [("minimal_wgan_gp", 40), ("minimal_cycle_gan", 60)] {
        let found = lines(example);
        assert!(found <= most, "{example}: {found} lines, at most {most}");
    }
}
