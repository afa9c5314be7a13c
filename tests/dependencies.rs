//! What the macro pulls into the build of a user's crate: it must compile fast, so it needs little.

use std::collections::BTreeSet;
use std::process::Command;

/// The names of all packages that a package is built from; what only its tests need is no part.
fn built_from(package: &str) -> BTreeSet<String> {
    let tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--edges=normal,build",
            "--prefix=none",
            "--format={p}",
            "--locked",
            "--offline",
            "--package",
            package,
        ])
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout).to_string();
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != package).map(str::to_string).collect()
}

#[test]
fn the_macro_needs_little() {
    let macros = built_from("saddlepoint-macros");
    for heavy in ["egg", "cranelift", "gemm", "wgpu", "naga", "saddlepoint-compiler", "saddlepoint-runtime"] {
        assert!(!macros.iter().any(|name| name.starts_with(heavy)), "the macro needs {heavy}: {macros:?}");
    }
    let expected = ["proc-macro2", "quote", "saddlepoint-language", "saddlepoint-shape", "syn", "unicode-ident"];
    assert_eq!(macros, expected.map(str::to_string).into());
    // What is heavy is seen where it is.
    assert!(built_from("saddlepoint-compiler").contains("egg"));
}
