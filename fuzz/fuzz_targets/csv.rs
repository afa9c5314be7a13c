//! Tables, plain and gzip: the first byte says how they are read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saddlepoint_runtime::Source;
use saddlepoint_runtime::data::Csv;

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let table = Csv::from_bytes(bytes);
    let table = if how & 1 == 0 { table } else { table.no_header() };
    let table = if how & 2 == 0 { table } else { table.delimiter(b';') };
    let table = if how & 4 == 0 { table } else { table.classes("y", 0).rest("x") };
    let table = if how & 8 == 0 { table } else { table.numbers("z", ["a", "b"]).number("w", "b") };
    let table = if how & 13 == 0 { table.classes("y", "kind").rest("x") } else { table };
    if let Ok(set) = table.load() {
        for (index, column) in set.columns().iter().enumerate() {
            if column.name != "y" {
                let mut row = vec![0.0; column.shape.iter().product()];
                set.copy_numbers(index, &[set.len() - 1], &mut row).expect("the last line is there");
                assert!(row.iter().all(|number| number.is_finite()));
            }
        }
    }
});
