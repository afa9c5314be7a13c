//! Real samples to show beside generated ones.

use crate::array::Kind;
use crate::source::Source;
use crate::tensor::Tensor;

/// At most this many rows are read: enough for a picture, however large the data set.
const ROWS: usize = 512;

/// Up to `count` rows, spread evenly over the first column that has this shape. `None` where no column has it, or where it
/// cannot be read: then training will say so, not a picture.
pub(super) fn rows(sources: &[&dyn Source], shape: &[usize], count: usize) -> Option<Tensor> {
    for source in sources {
        let columns = source.columns();
        let fits = |column: &crate::source::ColumnSpec| column.kind == Kind::Tensor && column.shape == shape;
        let Some(column) = columns.iter().position(fits) else { continue };
        let (length, count) = (source.len(), source.len().min(count).min(ROWS));
        let rows: Vec<usize> = (0..count).map(|row| row * length / count).collect();
        let mut values = vec![0.0; count * shape.iter().product::<usize>()];
        source.copy_numbers(column, &rows, &mut values).ok()?;
        return Tensor::new([&[count], shape].concat(), values).ok().filter(|tensor| tensor.rows() > 0);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_spread_over_the_first_column_of_the_shape() {
        let other = Tensor::zeros([8, 3]);
        let fitting = Tensor::new([8, 2], (0..16).map(|i| i as f32).collect()).unwrap();
        let sources: [&dyn Source; 2] = [&other, &fitting];
        let real = rows(&sources, &[2], 4).unwrap();
        assert_eq!(real.as_slice(), [0.0, 1.0, 4.0, 5.0, 8.0, 9.0, 12.0, 13.0]);
        assert_eq!(rows(&sources, &[2], 100).unwrap().rows(), 8);
        assert_eq!(rows(&sources, &[5], 4), None);
    }
}
