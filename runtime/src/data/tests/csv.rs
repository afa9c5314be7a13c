//! Tables as text.

use std::io::Write;

use super::super::{Csv, csv};
use super::{classes, folder, numbers, refused, types};
use crate::source::{Columns, Source};

const FLOWERS: &str = "width,height,kind,price\n1.5,2,rose,3\n-4e-1, 5 ,\"aster, blue\",6\n7,8,rose,9\n";

fn table(text: &str) -> Csv {
    Csv::from_bytes(text.as_bytes())
}

#[test]
fn columns_are_chosen_by_name() {
    let set = table(FLOWERS).numbers("x", ["height", "width"]).classes("y", "kind").number("price", "price").load().unwrap();
    assert_eq!(types(&set), ["x: [2]", "y: class(2)", "price: []"]);
    assert_eq!(numbers(&set, 0), [2.0, 1.5, 5.0, -0.4, 8.0, 7.0]);
    assert_eq!((classes(&set, "y"), numbers(&set, 2)), (vec![1, 0, 1], vec![3.0, 6.0, 9.0]));
    assert_eq!(set.class_names("y").unwrap(), ["aster, blue", "rose"]);
    let rest = table(FLOWERS).classes("y", "kind").rest("x").load().unwrap();
    assert_eq!(
        (types(&rest), numbers(&rest, 1)[..3].to_vec()),
        (vec!["y: class(2)".into(), "x: [3]".into()], vec![1.5, 2.0, 3.0])
    );
}

#[test]
fn without_choice_all_columns_are_one() {
    let set = table("1,2\n3,4\n5,6").no_header().load().unwrap();
    assert_eq!((types(&set), numbers(&set, 0)), (vec!["x: [2]".to_string()], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    // A byte order mark, Windows' line ends, an empty line at the end.
    let set = table("\u{feff}a;b\r\n1;2\r\n\r\n").delimiter(b';').numbers("x", ["a", "b"]).load().unwrap();
    assert_eq!(numbers(&set, 0), [1.0, 2.0]);
}

#[test]
fn pixels_of_a_table_become_pictures() {
    let set = table("7,0,255,0,255\n3,255,255,255,255\n").no_header().classes("y", 0).numbers("x", 1..5).load().unwrap();
    let set = set.with_shape("x", [1, 2, 2]).unwrap().map("x", |pixel| pixel / 127.5 - 1.0).unwrap();
    assert_eq!(types(&set), ["y: class(2)", "x: [1, 2, 2]"]);
    assert_eq!(numbers(&set, 1), [-1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!((classes(&set, "y"), set.class_names("y").unwrap()), (vec![1, 0], &["3".to_string(), "7".to_string()][..]));
    refused(set.clone().with_shape("x", [1, 2, 3]), &["field `x`", "numbers that make [1, 2, 3], found [1, 2, 2]"]);
    refused(set.clone().with_shape("z", [4]), &["field `z`", "only `y`, `x`"]);
    refused(set.map("y", |value| value), &["a column of numbers, found class(2)"]);
}

#[test]
fn labels_are_ordered_as_text_or_as_numbers_or_as_given() {
    let of = |text: &str| table(text).no_header().classes("y", 0).load().unwrap();
    assert_eq!(of("10\n9\n-1\n9").class_names("y").unwrap(), ["-1", "9", "10"]);
    assert_eq!(of("b\n10\na").class_names("y").unwrap(), ["10", "a", "b"]);
    let given = table("b\nb\na").no_header().classes_among("y", 0, ["b", "c", "a"]).load().unwrap();
    assert_eq!((classes(&given, "y"), types(&given)), (vec![0, 0, 2], vec!["y: class(3)".to_string()]));
    let unknown = table("b\nd").no_header().classes_among("y", 0, ["b", "c", "a"]).load();
    refused(unknown, &["the table, line 2, column 0 (from 0): expected one of the 3 labels given, found `d`"]);
    // Whole numbers are classes of a number asked for.
    let set = table("2\n0").no_header().numbers("y", [0]).load().unwrap().with_classes("y", 5).unwrap();
    assert_eq!((types(&set), set.class_names("y")), (vec!["y: [1] of class(5)".to_string()], None));
    refused(
        table("2\n0").no_header().number("y", 0).load().unwrap().with_classes("y", 2),
        &["row 0: expected a class in 0..2"],
    );
    let more = |columns: Columns| columns.with_classes("y", 4);
    assert_eq!(types(&more(given).unwrap()), ["y: class(4)"]);
}

#[test]
fn packed_tables_and_files_read_alike() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(FLOWERS.as_bytes()).unwrap();
    let at = folder(&[("a.csv", FLOWERS.as_bytes()), ("a.csv.gz", &packed.finish().unwrap())]);
    let load = |name| csv(at.path().join(name)).numbers("x", ["width"]).load().unwrap();
    assert_eq!(numbers(&load("a.csv"), 0), numbers(&load("a.csv.gz"), 0));
    assert!(load("a.csv").name().ends_with("a.csv"));
    refused(csv(at.path().join("absent.csv")).load(), &["absent.csv"]);
    refused(csv(at.path().join("a.csv")).load(), &["a.csv, line 2, column `kind`: expected a finite number, found `rose`"]);
}

#[test]
fn what_is_wrong_is_said_with_line_and_column() {
    let x = |text: &str| table(text).numbers("x", ["a", "b"]).load();
    refused(x("a,b\n1,2\n3,tall\n"), &["the table, line 3, column `b`: expected a finite number, found `tall`"]);
    refused(x("a,b\n1,2\n3,\n"), &["line 3, column `b`", "found an empty cell"]);
    for wrong in ["nan", "inf", "1e99", "0x10", "1 000"] {
        refused(x(&format!("a,b\n{wrong},2\n")), &["line 2, column `a`", wrong]);
    }
    refused(x("a,b\n1,2\n3\n"), &["line 3: expected 2 cells as in the first line, found 1 cells"]);
    refused(x("a,c\n1,2\n"), &["field `b`", "only `a`, `c`"]);
    refused(x("a,b,b\n1,2,3\n"), &["field `b`", "several"]);
    refused(x("a,b\n"), &["expected lines below the header"]);
    refused(x(""), &["expected a table, found an empty file"]);
    refused(table("1,2").no_header().numbers("x", ["a"]).load(), &["without header: choose by position"]);
    refused(table("1,2").no_header().numbers("x", [2]).load(), &["a column below 2 (from 0), found 2"]);
    refused(table("1,2").no_header().numbers("x", [0, 1]).rest("y").load(), &["field `y`", "nothing else takes"]);
    refused(table("1,2").no_header().number("x", 0).number("x", 1).load(), &["field `x`", "every name once"]);
    refused(table("a\n\"\"").classes("y", "a").load(), &["line 2, column `a`: expected a label, found an empty cell"]);
    // A cell that is no text, and one that is too long for a message.
    let text = refused(Csv::from_bytes(*b"a\n\xff\xfe\n").load(), &["line 2, column `a`"]);
    assert!(text.len() < 200);
    assert!(refused(x(&format!("a,b\n{},2\n", "long ".repeat(9999))), &["line 2"]).len() < 200);
}
