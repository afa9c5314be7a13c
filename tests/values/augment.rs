//! Differentiable augmentation: what it does to pictures that show it.

use saddlepoint::prelude::*;

gan! {
    pub model Augment {
        data x: [3, 8, 12];
        net N(x: [3, 8, 12]) -> [] { x.prelu().mean() }
        player N minimizes { E[N(diff_augment(x))] }
        train { N: sgd(0.0); }
        output colours(x) = x.diff_augment(translation = 0, cutout = 0, always = true);
        output moved(x) = x.diff_augment(colour = false, translation = 0.25, cutout = 0, always = true);
        output cut(x) = x.diff_augment(colour = false, translation = 0, cutout = 0.5, always = true);
        output nothing(x) = x.diff_augment(colour = false, translation = 0, cutout = 0, always = true);
        output inference(x) = x.diff_augment();
    }
}

const N: usize = 400;
const AREA: usize = 8 * 12;

fn model() -> Augment {
    Augment::build(Config::new().batch(16).seed(11)).expect("the model builds")
}

/// Pictures of which no two elements are equal.
fn pictures() -> Tensor {
    let value = |i: usize| (i % (3 * AREA)) as f32 / 500.0 + 0.1 + ((i / AREA) % 3) as f32 * 0.2;
    Tensor::new([N, 3, 8, 12], (0..N * 3 * AREA).map(value).collect()).expect("pictures")
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64
}

/// Each picture differs from the original by one number added and, about the mean, one factor; the factors between channels and
/// within differ, and all have the range of the paper.
#[test]
fn colours_shift_and_stretch_each_picture_in_its_own_way() {
    let x = pictures();
    let y = model().colours(&x).expect("an output");
    let (mut shifts, mut contrasts, mut saturations) = (vec![], vec![], vec![]);
    for row in 0..N {
        let (x, y) = (x.row(row), y.row(row));
        shifts.push(mean(y) - mean(x));
        // Within a channel the differences are contrast·(saturation·(own − mean over channels) + mean over channels); the mean over
        // channels differs between two places by what contrast alone makes of it.
        let over = |v: &[f32], at: usize| (0..3).map(|c| f64::from(v[c * AREA + at])).sum::<f64>() / 3.0;
        let contrast = (over(y, 50) - over(y, 3)) / (over(x, 50) - over(x, 3));
        let between = |v: &[f32]| f64::from(v[2 * AREA + 7] - v[7]);
        contrasts.push(contrast);
        saturations.push(between(y) / between(x) / contrast);
    }
    for (what, values, low, high) in
        [("brightness", shifts, -0.5, 0.5), ("contrast", contrasts, 0.5, 1.5), ("saturation", saturations, 0.0, 2.0)]
    {
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        let width = high - low;
        assert!(least > low - 1e-3 && least < low + 0.05 * width, "{what}: from {least}");
        assert!(most < high + 1e-3 && most > high - 0.05 * width, "{what}: to {most}");
        let mean = values.iter().sum::<f64>() / N as f64;
        assert!((mean - 0.5 * (low + high)).abs() < 0.05 * width, "{what}: {mean}");
    }
}

#[test]
fn pictures_move_by_whole_pixels_and_zeros_come_in() {
    let x = pictures();
    let y = model().moved(&x).expect("an output");
    let mut seen = std::collections::BTreeSet::new();
    for row in 0..N {
        let (x, y) = (x.row(row), y.row(row));
        let moved = |down: i32, right: i32| {
            (0..3 * AREA).all(|i| {
                let (c, h, w) = (i / AREA, (i / 12 % 8) as i32 - down, (i % 12) as i32 - right);
                let inside = (0..8).contains(&h) && (0..12).contains(&w);
                y[i] == if inside { x[c * AREA + (h * 12 + w) as usize] } else { 0.0 }
            })
        };
        let places = (-2..=2).flat_map(|down| (-3..=3).map(move |right| (down, right)));
        let found: Vec<(i32, i32)> = places.filter(|(down, right)| moved(*down, *right)).collect();
        assert_eq!(found.len(), 1, "picture {row}");
        seen.extend(found);
    }
    assert_eq!(seen.len(), 35, "every move comes up");
}

#[test]
fn a_rectangle_is_cut_out_around_any_place() {
    let x = pictures();
    let y = model().cut(&x).expect("an output");
    let mut corners = std::collections::BTreeSet::new();
    for row in 0..N {
        let (x, y) = (x.row(row), y.row(row));
        let gone: Vec<(i32, i32)> = (0..AREA).filter(|i| y[*i] == 0.0).map(|i| ((i / 12) as i32, (i % 12) as i32)).collect();
        let least = |of: fn(&(i32, i32)) -> i32| gone.iter().map(of).min().expect("something is cut");
        let most = |of: fn(&(i32, i32)) -> i32| gone.iter().map(of).max().expect("something is cut");
        let (top, left, bottom, right) = (least(|p| p.0), least(|p| p.1), most(|p| p.0), most(|p| p.1));
        assert_eq!(gone.len() as i32, (bottom - top + 1) * (right - left + 1), "it is a rectangle");
        // Whole inside of the picture; cut off at its edges, where the middle is near one.
        assert!(bottom - top + 1 == 4 || top == 0 || bottom == 7);
        assert!(right - left + 1 == 6 || left == 0 || right == 11);
        assert!((2..=4).contains(&(bottom - top + 1)) && (3..=6).contains(&(right - left + 1)));
        corners.insert((top, left, bottom, right));
        for i in 0..3 * AREA {
            let inside = gone.contains(&((i / 12 % 8) as i32, (i % 12) as i32));
            assert_eq!(y[i], if inside { 0.0 } else { x[i] });
        }
    }
    assert!(corners.len() > 80, "{}", corners.len());
}

#[test]
fn nothing_chosen_and_inference_change_nothing() {
    let (mut model, x) = (model(), pictures());
    assert_eq!(model.nothing(&x).expect("an output"), x);
    assert_eq!(model.inference(&x).expect("an output"), x);
}
