//! Random convolutions, and those of real networks, against the definition in double precision.

use saddlepoint_compiler::plan::{BatchAxis, ContractAxis, ConvSpec, LeftAxis, RightAxis, SpatialAxis};

use super::{ConvPlan, Work};
use crate::device::cpu::testing::{Layout, Numbers, Scratch, check, for_places, offset};

/// The definition: (offset in the result, value) for every place.
fn reference(spec: &ConvSpec, x: &Layout, w: &Layout) -> Vec<(isize, f64)> {
    let rank = spec.spatial.len();
    let mut out = Vec::new();
    let outputs: Vec<usize> = spec.spatial.iter().map(|axis| axis.output).collect();
    let inner: Vec<usize> = [spec.channels.extent].into_iter().chain(spec.spatial.iter().map(|axis| axis.kernel)).collect();
    let outer = [vec![spec.samples.extent, spec.groups.extent, spec.features.extent], outputs].concat();
    for_places(&outer, |place| {
        let (sample, group, feature, o) = (place[0] as isize, place[1] as isize, place[2] as isize, &place[3..]);
        let mut sum = 0.0;
        for_places(&inner, |inner| {
            let (channel, k) = (inner[0] as isize, &inner[1..]);
            let mut x_at = sample * spec.samples.a + group * spec.groups.a + channel * spec.channels.a;
            let mut w_at = group * spec.groups.b + feature * spec.features.b + channel * spec.channels.b;
            for d in 0..rank {
                let axis = &spec.spatial[d];
                let at = (o[d] * axis.window_stride + k[d] * axis.kernel_dilation) as isize - axis.pad_lo;
                let dilation = axis.input_dilation as isize;
                if at.rem_euclid(dilation) != 0 || !(0..axis.input as isize).contains(&(at / dilation)) || at < 0 {
                    return;
                }
                x_at += at / dilation * axis.x;
                w_at += k[d] as isize * axis.w;
            }
            sum += f64::from(x.at(x_at)) * f64::from(w.at(w_at));
        });
        let strides: Vec<isize> = spec.spatial.iter().map(|axis| axis.out).collect();
        let at = sample * spec.samples.c + group * spec.groups.c + feature * spec.features.c + offset(o, &strides);
        out.push((at, sum));
    });
    out
}

/// Runs the plan for several numbers of workers and compares each with the definition, and all with each other bit by bit.
fn verify(spec: &ConvSpec, x: &Layout, w: &Layout, out: &Layout) -> Vec<&'static str> {
    let expected = reference(spec, x, w);
    let mut first: Option<Vec<f32>> = None;
    let mut forms = Vec::new();
    for workers in 1..=3 {
        let plan = ConvPlan::new(spec, workers);
        forms = plan
            .parts
            .iter()
            .map(|part| match part.work {
                Work::Zero(_) => "zero",
                Work::Direct(_) => "direct",
                Work::Forward(_) => "forward",
                Work::Gradient(_) => "gradient",
                Work::Fold(_) => "fold",
            })
            .collect();
        let scratch = Scratch::new(plan.scratch_of_worker());
        let mut out = out.clone();
        for worker in (0..workers).rev() {
            // SAFETY: the layouts hold all places of the spec's views; workers run one after another.
            unsafe { plan.run(x.base(), w.base(), out.base_mut(), scratch.start(), worker, workers) };
        }
        scratch.check();
        check(&out, &expected, &format!("{spec:?} {workers} workers {forms:?}"));
        match &first {
            None => first = Some(out.values().to_vec()),
            Some(first) => assert!(out.values().iter().zip(first).all(|(x, y)| x.to_bits() == y.to_bits()), "{spec:?}"),
        }
    }
    verify_parts(spec, x, w, out, &expected);
    forms
}

/// Gives the samples out in parts: each worker writes the results of its own samples and no others.
fn verify_parts(spec: &ConvSpec, x: &Layout, w: &Layout, out: &Layout, expected: &[(isize, f64)]) {
    let samples = spec.samples.extent;
    if samples == 0 || expected.is_empty() {
        return;
    }
    let parts = vec![(0, samples / 2), (samples / 2, samples), (samples, samples)];
    let spec = ConvSpec { parts: parts.clone(), ..spec.clone() };
    let plan = ConvPlan::new(&spec, parts.len());
    let scratch = Scratch::new(plan.scratch_of_worker());
    let mut out = out.clone();
    for (worker, (begin, end)) in parts.iter().enumerate() {
        let before = out.clone();
        // SAFETY: as in `verify`.
        unsafe { plan.run(x.base(), w.base(), out.base_mut(), scratch.start(), worker, parts.len()) };
        for (sample, offset) in places_of_samples(&spec) {
            let still = before.at(offset).to_bits() == out.at(offset).to_bits();
            assert!((*begin..*end).contains(&sample) || still, "{spec:?}: worker {worker} writes sample {sample}");
        }
    }
    scratch.check();
    check(&out, expected, &format!("{spec:?}"));
}

/// Every place of the result, with the sample it belongs to.
fn places_of_samples(spec: &ConvSpec) -> Vec<(usize, isize)> {
    let mut places: Vec<(usize, isize)> = (0..spec.samples.extent).map(|s| (s, s as isize * spec.samples.c)).collect();
    let axes = [(spec.groups.extent, spec.groups.c), (spec.features.extent, spec.features.c)];
    for (extent, stride) in axes.into_iter().chain(spec.spatial.iter().map(|s| (s.output, s.out))) {
        let along = |(sample, at): &(usize, isize)| {
            let (sample, at) = (*sample, *at);
            (0..extent as isize).map(move |i| (sample, at + i * stride))
        };
        places = places.iter().flat_map(along).collect();
    }
    places
}

struct Shape {
    samples: usize,
    groups: usize,
    channels: usize,
    features: usize,
    /// Only the extents and steps are used.
    spatial: Vec<SpatialAxis>,
}

impl Shape {
    /// The spec with views whose axes lie in memory in the given orders (outermost first), where axis 0, 1, 2 of x are sample, group,
    /// channel, those of w group, feature, channel, those of the result sample, group, feature, and the spatial ones follow.
    fn with_strides(&self, x: &[isize], w: &[isize], out: &[isize]) -> ConvSpec {
        let spatial = |(d, axis): (usize, &SpatialAxis)| SpatialAxis { x: x[3 + d], w: w[3 + d], out: out[3 + d], ..*axis };
        ConvSpec {
            parts: vec![],
            samples: LeftAxis { extent: self.samples, a: x[0], c: out[0] },
            groups: BatchAxis { extent: self.groups, a: x[1], b: w[0], c: out[1] },
            channels: ContractAxis { extent: self.channels, a: x[2], b: w[2] },
            features: RightAxis { extent: self.features, b: w[1], c: out[2] },
            spatial: self.spatial.iter().enumerate().map(spatial).collect(),
        }
    }

    fn extents(&self) -> [Vec<usize>; 3] {
        let of = |head: [usize; 3], extent: fn(&SpatialAxis) -> usize| {
            head.into_iter().chain(self.spatial.iter().map(extent)).collect()
        };
        [
            of([self.samples, self.groups, self.channels], |axis| axis.input),
            of([self.groups, self.features, self.channels], |axis| axis.kernel),
            of([self.samples, self.groups, self.features], |axis| axis.output),
        ]
    }

    /// Runs it with random layouts.
    fn verify_random(&self, numbers: &mut Numbers) -> Vec<&'static str> {
        let [x, w, out] = self.extents();
        let (x, x_strides) = Layout::random(numbers, &x, true);
        let (w, w_strides) = Layout::random(numbers, &w, true);
        let (out, out_strides) = Layout::random(numbers, &out, false);
        verify(&self.with_strides(&x_strides, &w_strides, &out_strides), &x, &w, &out)
    }

    /// Runs it with views whose axes lie in the given orders, outermost first.
    fn verify_ordered(&self, numbers: &mut Numbers, orders: [&[usize]; 3]) -> Vec<&'static str> {
        let extents = self.extents();
        let strides = [0, 1, 2].map(|array: usize| {
            let mut strides = vec![0; extents[array].len()];
            let mut next = 1;
            for &axis in orders[array].iter().rev() {
                strides[axis] = next;
                next *= extents[array][axis] as isize;
            }
            strides
        });
        let x = Layout::filled(numbers, &extents[0], &strides[0]);
        let w = Layout::filled(numbers, &extents[1], &strides[1]);
        let out = Layout::empty(&extents[2], &strides[2]);
        verify(&self.with_strides(&strides[0], &strides[1], &strides[2]), &x, &w, &out)
    }
}

fn axis(input: usize, kernel: usize, output: usize) -> SpatialAxis {
    let (window_stride, pad_lo, input_dilation, kernel_dilation) = (1, 0, 1, 1);
    SpatialAxis { input, kernel, output, x: 0, w: 0, out: 0, window_stride, pad_lo, input_dilation, kernel_dilation }
}

#[test]
fn random_convolutions_agree_with_the_definition() {
    let mut numbers = Numbers::new(3);
    let mut forms = Vec::new();
    for round in 0..500 {
        // Every fourth one suits folding.
        let unit = round % 4 == 1;
        let rank = 1 + numbers.below(3);
        let largest = [12, 6, 4][rank - 1];
        let spatial = (0..rank).map(|_| SpatialAxis {
            window_stride: if unit { 1 } else { 1 + numbers.below(3) },
            pad_lo: numbers.below(6) as isize - 2,
            input_dilation: 1 + numbers.below(3),
            kernel_dilation: 1 + numbers.below(3),
            ..axis(1 + numbers.below(largest), 1 + numbers.below(5), 1 + numbers.below(largest))
        });
        let spatial: Vec<_> = spatial.collect();
        let few = if round % 3 == 0 { 20 } else { 5 };
        let (channels, features) = if unit {
            (8 + numbers.below(5), 1 + numbers.below(2) * numbers.below(6))
        } else {
            (1 + numbers.below(few), 1 + numbers.below(few))
        };
        let shape = Shape {
            samples: 1 + numbers.below(4),
            groups: 1 + numbers.below(3) / 2 * numbers.below(3),
            channels,
            features,
            spatial,
        };
        let got = shape.verify_random(&mut numbers);
        forms.extend(got);
        // Images as networks have them, channels or samples innermost, and enough of them for tiles across samples.
        let spatial: Vec<usize> = (3..3 + rank).collect();
        let order = |head: &[usize], last: &[usize]| [head, &spatial, last].concat();
        let x = if numbers.below(2) == 0 { order(&[0, 1], &[2]) } else { order(&[2, 1], &[0]) };
        let w = [order(&[0, 2], &[1]), order(&[0, 1], &[2]), order(&[0, 1, 2], &[])][numbers.below(3)].clone();
        let out = if numbers.below(3) > 0 { order(&[0, 1], &[2]) } else { order(&[1, 2], &[0]) };
        let shape = Shape { samples: 1 + numbers.below(14), features: 1 + numbers.below(40), ..shape };
        forms.extend(shape.verify_ordered(&mut numbers, [&x, &w, &out]));
    }
    for form in ["zero", "direct", "forward", "gradient", "fold"] {
        let count = forms.iter().filter(|&&f| f == form).count();
        // Vectors of one number leave nothing to fold for.
        let possible = form != "fold" || crate::device::cpu::kernel::Kernel::of_this_machine().lanes > 1;
        assert!(count >= 20 || !possible, "{form} was tried {count} times only");
    }
}

#[test]
fn nothing_to_sum_is_zero_and_nothing_to_write_is_nothing() {
    let mut numbers = Numbers::new(4);
    for (samples, channels, features, kernel, output) in
        [(0, 2, 3, 2, 4), (2, 0, 3, 2, 4), (2, 2, 0, 2, 4), (2, 2, 3, 0, 4), (2, 2, 3, 2, 0), (2, 9, 1, 3, 0)]
    {
        let shape = Shape { samples, groups: 1, channels, features, spatial: vec![axis(5, kernel, output)] };
        shape.verify_ordered(&mut numbers, [&[0, 1, 3, 2], &[0, 3, 2, 1], &[0, 1, 3, 2]]);
    }
    let shape = Shape { samples: 2, groups: 1, channels: 9, features: 1, spatial: vec![axis(0, 3, 4)] };
    shape.verify_ordered(&mut numbers, [&[0, 1, 3, 2], &[0, 3, 2, 1], &[0, 1, 3, 2]]);
}

/// Channels-last, as the planner lays images out: a strided convolution, its input gradient and its weight gradient, with sizes that
/// need several pieces, passes and panels.
#[test]
fn forms_of_real_layers() {
    let mut numbers = Numbers::new(5);
    let channels_last: &[usize] = &[0, 1, 3, 4, 2];
    // Weights as [tap, channel, feature] and as [feature, tap, channel].
    let (features_inner, features_outer): (&[usize], &[usize]) = (&[0, 3, 4, 2, 1], &[0, 1, 3, 4, 2]);
    let strided = |input, output| SpatialAxis { window_stride: 2, pad_lo: 1, ..axis(input, 4, output) };
    let dilated = |input, output| SpatialAxis { input_dilation: 2, pad_lo: 2, ..axis(input, 4, output) };
    let summed = |input, kernel| SpatialAxis { kernel_dilation: 2, pad_lo: 1, ..axis(input, kernel, 4) };
    // With few samples windows are unfolded, with more of them read where they lie.
    for (channels, features, samples) in [(1, 32, 3), (3, 20, 3), (44, 70, 3), (1, 32, 7), (3, 20, 7), (44, 70, 20)] {
        for weights in [features_inner, features_outer] {
            let shape = |spatial: SpatialAxis, samples, channels, features| Shape {
                samples,
                groups: 1,
                channels,
                features,
                spatial: vec![spatial; 2],
            };
            let orders = [channels_last, weights, channels_last];
            let form = if samples > 3 { "direct" } else { "forward" };
            let forward = shape(strided(10, 5), samples, channels, features).verify_ordered(&mut numbers, orders);
            assert_eq!(forward, [form]);
            let input = shape(dilated(5, 10), samples, features, channels).verify_ordered(&mut numbers, orders);
            assert_eq!(input, if channels <= 3 { vec!["fold"] } else { vec![form; 4] });
            // Here the image channels are the samples, and the batch is summed over.
            let orders: [&[usize]; 3] = [&[2, 1, 3, 4, 0], &[0, 2, 3, 4, 1], weights_as_result(weights)];
            let weight = shape(summed(10, 5), channels, samples, features).verify_ordered(&mut numbers, orders);
            // Few image channels are spread over the taps.
            assert_eq!(weight, ["direct"]);
        }
    }
}

/// The order of a weight's axes (group, feature, channel) said of the result's (sample = channel, group, feature).
fn weights_as_result(order: &[usize]) -> &'static [usize] {
    if order[1] == 1 { &[1, 2, 3, 4, 0] } else { &[1, 3, 4, 0, 2] }
}
