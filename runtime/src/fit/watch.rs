//! What goes wrong without an infinite number: outputs that collapse, players that no longer move. Noticed while training and
//! said once each.

use std::collections::BTreeSet;

use crate::tensor::Tensor;

/// So many logged values in a row, equal to the last bit, are no chance.
const STILL: u32 = 8;
/// Samples that vary less than this part of what their elements vary are one sample.
const COLLAPSED: f64 = 1e-4;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The last value of each player's objective, and how often in a row it was seen.
    last: Vec<(Option<f32>, u32)>,
    said: BTreeSet<String>,
}

impl Watch {
    /// Looks at the players' objectives of a logging step; what there is to say.
    pub(super) fn objectives(&mut self, players: &[String], values: &[Option<f32>]) -> Vec<String> {
        self.last.resize(players.len(), (None, 0));
        let mut remarks = Vec::new();
        for ((player, &value), (last, times)) in players.iter().zip(values).zip(&mut self.last) {
            let same = value.is_some() && value.map(f32::to_bits) == last.map(f32::to_bits);
            (*last, *times) = (value, if same { *times + 1 } else { 1 });
            if let Some(value) = value
                && *times >= STILL
                && self.said.insert(format!("player {player}"))
            {
                remarks.push(format!(
                    "player {player}: its objective was {value} in each of the last {STILL} logged steps. It no longer learns: the \
                     objective is saturated, or the other player has won"
                ));
            }
        }
        remarks
    }

    /// Looks at the samples of an output; what there is to say.
    pub(super) fn samples(&mut self, output: &str, samples: &Tensor) -> Option<String> {
        let part = variation(samples)?;
        let collapsed = part < COLLAPSED && self.said.insert(format!("output {output}"));
        collapsed.then(|| {
            format!(
                "output `{output}`: its {} samples are all but the same. The generator has collapsed, or no noise reaches it",
                samples.rows()
            )
        })
    }
}

/// The variance from sample to sample as a part of all variance; 0 where nothing varies, nothing where it makes no sense.
fn variation(samples: &Tensor) -> Option<f64> {
    let (count, width) = (samples.rows(), samples.as_slice().len().checked_div(samples.rows())?);
    if count < 2 || width < 2 || samples.shape().len() < 2 {
        return None;
    }
    let variance = |values: &mut dyn Iterator<Item = f32>| {
        let (mut number, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for value in values.map(f64::from) {
            (number, sum, squares) = (number + 1.0, sum + value, squares + value * value);
        }
        (squares / number - (sum / number) * (sum / number)).max(0.0)
    };
    let whole = variance(&mut samples.as_slice().iter().copied());
    let element = |at: usize| variance(&mut samples.as_slice().iter().skip(at).step_by(width).copied());
    let between = (0..width).map(element).sum::<f64>() / width as f64;
    Some(if whole > 0.0 { between / whole } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_that_stands_still_is_noticed_once_and_one_that_moves_is_not() {
        let mut watch = Watch::default();
        let players = ["D".to_string(), "G".to_string(), "idle".to_string()];
        let mut said = Vec::new();
        for step in 0..40 {
            said.extend(watch.objectives(&players, &[Some(0.0), Some(step as f32), None]));
        }
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("player D"), "{said:?}");
        // A pause starts the count anew.
        let mut watch = Watch::default();
        for step in 0..40 {
            assert!(watch.objectives(&players[..1], &[Some(if step % 7 == 0 { 1.0 } else { 0.0 })]).is_empty());
        }
    }

    #[test]
    fn equal_samples_are_a_collapse_and_different_ones_are_not() {
        let picture = |sample: usize, at: usize| (at as f32 * 0.3).sin() + 1e-4 * sample as f32;
        let collapsed = (0..64).map(|i| picture(i / 16, i % 16)).collect();
        let collapsed = Tensor::new([4, 1, 4, 4], collapsed).unwrap();
        let varied = Tensor::new([4, 1, 4, 4], (0..64).map(|i| (i as f32 * 1.7).sin()).collect()).unwrap();
        let mut watch = Watch::default();
        assert_eq!(watch.samples("sample", &varied), None);
        assert!(watch.samples("sample", &collapsed).unwrap().contains("4 samples are all but the same"));
        assert_eq!(watch.samples("sample", &collapsed), None);
        assert!(watch.samples("other", &Tensor::zeros([4, 3])).is_some());
        assert_eq!(watch.samples("one", &Tensor::zeros([1, 3])), None);
        assert_eq!(watch.samples("scalars", &Tensor::zeros([9])), None);
    }
}
