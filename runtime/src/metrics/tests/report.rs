//! All measures together: order, threads, and what is shown.

use super::{changed, close, normal, shuffled};
use crate::metrics::parallel::on_threads;
use crate::metrics::*;

#[test]
fn the_number_of_threads_changes_no_bit() {
    // More rows than a tile has, and more features than a band of a product.
    let (real, generated) = (normal(1, 700, 150), changed(&normal(2, 600, 150), |column, x| x + 0.1 * (column % 3) as f32));
    let on = |threads| {
        on_threads(threads, || {
            let found = memorisation(&generated, &real, &generated).unwrap();
            let parzen = parzen(&generated, &real, &real, &[1.0, 2.0]).unwrap();
            let subsets = kernel_distance_in_subsets(&real, &generated, Subsets { count: 3, size: 300, seed: 0 }).unwrap();
            (evaluate(&real, &generated).unwrap(), found, parzen, subsets)
        })
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(5));
}

#[test]
fn the_order_of_samples_does_not_matter() {
    let (real, generated) = (normal(1, 300, 5), changed(&normal(2, 250, 5), |_, x| 1.2 * x));
    let (before, after) =
        (evaluate(&real, &generated).unwrap(), evaluate(&shuffled(&real, 3), &shuffled(&generated, 4)).unwrap());
    assert_eq!(before.precision_recall, after.precision_recall);
    assert_eq!(before.density_coverage, after.density_coverage);
    for ((name, a, _), (_, b, _)) in before.lines().into_iter().zip(after.lines()) {
        assert!((a - b).abs() <= 1e-9 * a.abs(), "{name}: {a} and {b}");
    }
    // Nor does which set is which, where the measure is a distance.
    let turned = evaluate(&generated, &real).unwrap();
    close(turned.frechet_distance, before.frechet_distance, 1e-9);
    close(turned.kernel_distance, before.kernel_distance, 1e-9);
    close(turned.sliced_wasserstein, before.sliced_wasserstein, 1e-9);
    let (a, b) = (turned.precision_recall, before.precision_recall);
    assert_eq!((a.precision, a.recall), (b.recall, b.precision));
}

#[test]
fn trailing_axes_make_no_difference() {
    let (real, generated) = (normal(1, 40, 12), normal(2, 40, 12));
    let pictures = |t: &crate::Tensor| t.clone().reshape([40, 3, 2, 2]).unwrap();
    assert_eq!(evaluate(&pictures(&real), &pictures(&generated)).unwrap(), evaluate(&real, &generated).unwrap());
}

#[test]
fn the_report_has_one_line_a_measure_and_its_columns_are_aligned() {
    let (real, generated) = (normal(1, 50, 3), normal(2, 40, 3));
    let report = evaluate(&real, &generated).unwrap();
    assert_eq!((report.real, report.generated, report.features), (50, 40, 3));
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "40 generated samples against 50 real ones, 3 features");
    assert_eq!(lines.len(), 2 + report.lines().len());
    for (line, (name, value, best)) in lines[2..].iter().zip(report.lines()) {
        let line: Vec<char> = line.chars().collect();
        let column = |range: std::ops::Range<usize>| line[range].iter().collect::<String>().trim().to_string();
        assert_eq!(column(0..22), name.trim());
        let shown: f64 = column(22..36).parse().unwrap();
        assert!((shown - value).abs() <= 1e-5 * value.abs().max(1e-3), "{name}: {shown} for {value}");
        assert_eq!(column(39..line.len()), best);
    }
}
