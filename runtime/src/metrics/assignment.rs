//! The assignment problem, by the Hungarian method with potentials (Kuhn 1955; Jonker & Volgenant 1987), O(n³).

/// For each row of a square matrix of gains, row-major, a column of its own, such that the sum of gains is greatest.
pub(super) fn best_assignment(gains: &[i64], size: usize) -> Vec<usize> {
    // Rows enter one after another; each extends the matching along the shortest path in costs reduced by the potentials, which
    // keep these from 0 up. Column `size` is where a path starts.
    let cost = |row: usize, column: usize| -gains[row * size + column];
    let (mut of_rows, mut of_columns) = (vec![0_i64; size], vec![0_i64; size + 1]);
    let mut row_of: Vec<Option<usize>> = vec![None; size + 1];
    for entering in 0..size {
        row_of[size] = Some(entering);
        let mut at = size;
        let (mut least, mut from) = (vec![i64::MAX; size], vec![size; size]);
        let mut seen = vec![false; size + 1];
        while let Some(row) = row_of[at] {
            seen[at] = true;
            let (mut step, mut next) = (i64::MAX, at);
            for column in (0..size).filter(|&column| !seen[column]) {
                let reduced = cost(row, column) - of_rows[row] - of_columns[column];
                if reduced < least[column] {
                    (least[column], from[column]) = (reduced, at);
                }
                if least[column] < step {
                    (step, next) = (least[column], column);
                }
            }
            for column in 0..=size {
                if seen[column] {
                    if let Some(row) = row_of[column] {
                        of_rows[row] += step;
                    }
                    of_columns[column] -= step;
                } else {
                    least[column] -= step;
                }
            }
            at = next;
        }
        while at != size {
            (row_of[at], at) = (row_of[from[at]], from[at]);
        }
    }
    let mut columns = vec![0; size];
    for (column, row) in row_of[..size].iter().enumerate() {
        row.iter().for_each(|&row| columns[row] = column);
    }
    columns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(gains: &[i64], columns: &[usize]) -> i64 {
        columns.iter().enumerate().map(|(row, column)| gains[row * columns.len() + column]).sum()
    }

    /// The greatest sum over all permutations.
    fn by_trial(gains: &[i64], columns: &mut Vec<usize>, size: usize) -> i64 {
        if columns.len() == size {
            return total(gains, columns);
        }
        let mut best = i64::MIN;
        for column in 0..size {
            if !columns.contains(&column) {
                columns.push(column);
                best = best.max(by_trial(gains, columns, size));
                columns.pop();
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_permutation_gains_more(size in 0_usize..6, values in proptest::collection::vec(-4_i64..20, 36)) {
            let gains = &values[..size * size];
            let columns = best_assignment(gains, size);
            let distinct: std::collections::BTreeSet<_> = columns.iter().collect();
            prop_assert_eq!(distinct.len(), size);
            prop_assert_eq!(total(gains, &columns), by_trial(gains, &mut Vec::new(), size));
        }
    }
}
