//! Random products, and matrices in all orientations, against the definition in double precision.

use saddlepoint_compiler::plan::{BatchAxis, ContractAxis, LeftAxis, RightAxis};

use super::*;
use crate::device::cpu::testing::{Layout, Numbers, Scratch, check};

/// The definition, in double precision, at every place of the result: (offset in c, value).
fn reference(spec: &DotSpec, a: &Layout, b: &Layout) -> Vec<(isize, f64)> {
    let places = |extents: Vec<usize>| {
        let total: usize = extents.iter().product();
        (0..total).map(move |mut i| {
            let mut place = vec![0isize; extents.len()];
            for (digit, extent) in place.iter_mut().zip(&extents).rev() {
                *digit = (i % extent) as isize;
                i /= extent;
            }
            place
        })
    };
    let along = |place: &[isize], strides: Vec<isize>| place.iter().zip(strides).map(|(i, s)| i * s).sum::<isize>();
    let mut out = Vec::new();
    for batch in places(spec.batch.iter().map(|x| x.extent).collect()) {
        for m in places(spec.m.iter().map(|x| x.extent).collect()) {
            for n in places(spec.n.iter().map(|x| x.extent).collect()) {
                let a_at = along(&batch, spec.batch.iter().map(|x| x.a).collect())
                    + along(&m, spec.m.iter().map(|x| x.a).collect());
                let b_at = along(&batch, spec.batch.iter().map(|x| x.b).collect())
                    + along(&n, spec.n.iter().map(|x| x.b).collect());
                let c_at = along(&batch, spec.batch.iter().map(|x| x.c).collect())
                    + along(&m, spec.m.iter().map(|x| x.c).collect())
                    + along(&n, spec.n.iter().map(|x| x.c).collect());
                let sum = places(spec.k.iter().map(|x| x.extent).collect())
                    .map(|k| {
                        let a_at = a_at + along(&k, spec.k.iter().map(|x| x.a).collect());
                        let b_at = b_at + along(&k, spec.k.iter().map(|x| x.b).collect());
                        f64::from(a.at(a_at)) * f64::from(b.at(b_at))
                    })
                    .sum();
                out.push((c_at, sum));
            }
        }
    }
    out
}

/// Runs a plan, workers one after another, with the operand packed that it wants packed; `after` sees the result after every worker.
fn run(plan: &DotPlan, a: &Layout, b: &Layout, c: &mut Layout, workers: usize, mut after: impl FnMut(usize, &Layout)) {
    let scratch = Scratch::new(plan.scratch_of_worker());
    let mut operands = [a.base(), b.base()];
    let packed = plan.packing().map(|(operand, packing)| {
        let memory = Scratch::new(packing.elements());
        for worker in 0..workers {
            // SAFETY: the layout holds all places of the operand, the memory all of the form; workers run one after another.
            unsafe { packing.run(operands[operand], memory.start(), worker, workers) };
        }
        operands[operand] = memory.start();
        memory
    });
    for worker in (0..workers).rev() {
        // SAFETY: the layouts hold all places of the spec's views; workers run one after another.
        unsafe { plan.run(operands[0], operands[1], c.base_mut(), scratch.start(), worker, workers) };
        after(worker, c);
    }
    scratch.check();
    packed.iter().for_each(Scratch::check);
}

/// Runs the plan for several numbers of workers and compares each with the definition, and all with each other bit by bit; also with
/// operands packed before, and added to what is there.
fn verify(spec: &DotSpec, a: &Layout, b: &Layout, c: &Layout) {
    let expected = reference(spec, a, b);
    let twice: Vec<(isize, f64)> = expected.iter().map(|(at, value)| (*at, 2.0 * value)).collect();
    let mut first: Option<Vec<f32>> = None;
    for workers in 1..=3 {
        for reused in [[false; 2], [true; 2], [false, true]] {
            let spec = DotSpec { reused, ..spec.clone() };
            let plan = DotPlan::new(&spec, workers);
            let mut c = c.clone();
            run(&plan, a, b, &mut c, workers, |_, _| {});
            check(&c, &expected, &format!("{spec:?} {workers} workers: {plan:?}"));
            match &first {
                None => first = Some(c.values().to_vec()),
                Some(first) => assert!(c.values().iter().zip(first).all(|(x, y)| x.to_bits() == y.to_bits()), "{spec:?}"),
            }
            let adding = DotPlan::new(&DotSpec { accumulate: true, ..spec.clone() }, workers);
            run(&adding, a, b, &mut c, workers, |_, _| {});
            check(&c, &twice, &format!("{spec:?} {workers} workers, added: {plan:?}"));
        }
    }
}

/// Gives the rows out in parts: the result is the same to the bit, and each worker writes its own rows and no others.
fn verify_parts(spec: &DotSpec, a: &Layout, b: &Layout, c: &Layout, parts: &[(usize, usize)]) {
    let expected = reference(spec, a, b);
    let mut alone = c.clone();
    run(&DotPlan::new(spec, 1), a, b, &mut alone, 1, |_, _| {});
    let parted = DotSpec { rows: parts.to_vec(), ..spec.clone() };
    let columns = expected.len() / spec.m[0].extent;
    let (mut shared, mut before) = (c.clone(), c.clone());
    run(&DotPlan::new(&parted, parts.len()), a, b, &mut shared, parts.len(), |worker, after| {
        for (i, (offset, _)) in expected.iter().enumerate() {
            let own = (parts[worker].0..parts[worker].1).contains(&(i / columns));
            let still = before.at(*offset).to_bits() == after.at(*offset).to_bits();
            assert!(own || still, "{parted:?}: worker {worker} writes row {}", i / columns);
        }
        before = after.clone();
    });
    check(&shared, &expected, &format!("{parted:?}"));
    assert!(alone.values().iter().zip(shared.values()).all(|(x, y)| x.to_bits() == y.to_bits()), "{parted:?}");
}

fn random_spec(numbers: &mut Numbers, largest: &[usize]) -> (DotSpec, Layout, Layout, Layout) {
    let mut extents = |many: usize, largest: usize| -> Vec<usize> {
        let count = numbers.below(many + 1);
        (0..count).map(|_| 1 + numbers.below(largest)).collect()
    };
    let (batch, m, n, k) = (extents(2, largest[0]), extents(2, largest[1]), extents(2, largest[2]), extents(2, largest[3]));
    let join = |x: &[usize], y: &[usize], z: &[usize]| [x, y, z].concat();
    let (a, a_strides) = Layout::random(numbers, &join(&batch, &m, &k), true);
    let (b, b_strides) = Layout::random(numbers, &join(&batch, &k, &n), true);
    let (c, c_strides) = Layout::random(numbers, &join(&batch, &m, &n), false);
    let (s, mn) = (batch.len(), m.len());
    let spec = DotSpec {
        batch: (0..s).map(|i| BatchAxis { extent: batch[i], a: a_strides[i], b: b_strides[i], c: c_strides[i] }).collect(),
        m: (0..mn).map(|i| LeftAxis { extent: m[i], a: a_strides[s + i], c: c_strides[s + i] }).collect(),
        n: (0..n.len())
            .map(|i| RightAxis { extent: n[i], b: b_strides[s + k.len() + i], c: c_strides[s + mn + i] })
            .collect(),
        k: (0..k.len()).map(|i| ContractAxis { extent: k[i], a: a_strides[s + mn + i], b: b_strides[s + i] }).collect(),
        ..DotSpec::default()
    };
    (spec, a, b, c)
}

#[test]
fn random_products_agree_with_the_definition() {
    let mut numbers = Numbers::new(1);
    for round in 0..400 {
        let largest: [usize; 4] = match round % 4 {
            0 => [3, 5, 5, 5],
            1 => [2, 40, 9, 6],
            2 => [2, 9, 40, 6],
            _ => [2, 4, 3, 30],
        };
        let (spec, a, b, c) = random_spec(&mut numbers, &largest);
        verify(&spec, &a, &b, &c);
    }
}

/// Two-dimensional products in all orientations, at sizes around the edges of tiles, panels and blocks.
#[test]
fn matrices_in_all_orientations() {
    let mut numbers = Numbers::new(2);
    let sizes =
        [(1, 1, 700), (1, 70, 20), (65, 1, 33), (64, 6, 0), (129, 50, 3), (130, 31, 70), (7, 131, 64), (67, 7, 1300)];
    for (m, n, k) in sizes {
        for orientation in 0..8 {
            let transposed = |bit: usize, rows: usize, columns: usize| {
                if orientation >> bit & 1 == 0 { [columns as isize, 1] } else { [1, rows as isize] }
            };
            let (sa, sb, sc) = (transposed(0, m, k), transposed(1, k, n), transposed(2, m, n));
            let spec = DotSpec {
                m: vec![LeftAxis { extent: m, a: sa[0], c: sc[0] }],
                n: vec![RightAxis { extent: n, b: sb[1], c: sc[1] }],
                k: vec![ContractAxis { extent: k, a: sa[1], b: sb[0] }],
                ..DotSpec::default()
            };
            let a = Layout::filled(&mut numbers, &[m, k], &sa);
            let b = Layout::filled(&mut numbers, &[k, n], &sb);
            let c = Layout::empty(&[m, n], &sc);
            verify(&spec, &a, &b, &c);
            // The plan gives out many rows only; with few, another routine suits and sums in another order.
            let third = if m > FEW_COLUMNS { m / 3 } else { continue };
            for parts in [vec![(0, third), (third, m)], vec![(0, m - third), (m - third, m - third), (m - third, m)]] {
                verify_parts(&spec, &a, &b, &c, &parts);
                for reused in [[false, true], [true, true]] {
                    verify_parts(&DotSpec { reused, ..spec.clone() }, &a, &b, &c, &parts);
                }
            }
        }
    }
}
