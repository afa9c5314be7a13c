//! The table of systems in the documentation names every system, and its modules are the ones that run.

use std::collections::BTreeSet;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn all_systems_are_there() {
    let (table, target) = (read("docs/systems.md"), read("tests/systems/main.rs"));
    let rows: Vec<&str> = table.lines().filter(|l| l.starts_with("| ") && l.contains("../tests/systems/s")).collect();
    let mut numbers = BTreeSet::new();
    let mut modules = BTreeSet::new();
    for row in rows {
        let number: String = row[2..].chars().take_while(char::is_ascii_digit).collect();
        numbers.insert(number.parse::<usize>().unwrap_or_else(|_| panic!("no number in {row}")));
        for link in row.split("../tests/systems/").skip(1) {
            let module = link.split(".rs").next().unwrap_or_default().to_string();
            assert!(target.contains(&format!("\nmod {module};")), "{module} of the table is not a module that runs");
            modules.insert(module);
        }
    }
    assert_eq!(numbers, (1..=49).collect(), "the systems of the table");
    let declared: BTreeSet<String> = target
        .lines()
        .filter_map(|l| l.strip_prefix("mod s")?.strip_suffix(';').filter(|l| l.starts_with(|c: char| c.is_ascii_digit())))
        .map(|name| format!("s{name}"))
        .collect();
    assert_eq!(declared, modules, "modules that run, and those of the table");
}
