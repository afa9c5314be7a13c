//! Times the products and convolutions of small adversarial models next to a large product in the same process.
//!
//! `cargo run --release -p saddlepoint-runtime --example contraction_bench [workers] [rounds] [filter]` prints, for each, GFLOP/s of the
//! fastest and of the tenth-percentile run, and the part of the large product's speed. Rounds alternate over all cases, so that a
//! busy machine slows all of them alike.

use std::time::Instant;

use saddlepoint_compiler::plan::{BatchAxis, ContractAxis, ConvSpec, DotSpec, LeftAxis, RightAxis, SpatialAxis};
use saddlepoint_runtime::device::cpu::{ConvPlan, DotPlan, Workers, share};

const BATCH: usize = 64;

/// A case's work: run by every worker.
type Work = Box<dyn Fn(usize, usize) + Sync>;

struct Case {
    name: String,
    flops: f64,
    work: Work,
    seconds: Vec<f64>,
}

/// Memory that workers write disjoint parts of.
struct Shared(Vec<f32>);

// SAFETY: used only through raw pointers, by plans whose workers write disjoint parts.
unsafe impl Sync for Shared {}

impl Shared {
    fn new(length: usize) -> Self {
        Self((0..length).map(|i| (i % 17) as f32 * 0.01 - 0.08).collect())
    }

    fn at(&self) -> *mut f32 {
        self.0.as_ptr().cast_mut()
    }
}

fn dot(name: &str, spec: DotSpec, workers: usize) -> Case {
    let extent = |all: &mut dyn Iterator<Item = usize>| all.product::<usize>();
    let (m, n) = (extent(&mut spec.m.iter().map(|x| x.extent)), extent(&mut spec.n.iter().map(|x| x.extent)));
    let k = extent(&mut spec.k.iter().map(|x| x.extent));
    let plan = DotPlan::new(&spec, workers);
    let (a, b, c) = (Shared::new(m * k), Shared::new(k * n), Shared::new(m * n));
    let own = plan.scratch_of_worker();
    let scratch = Shared::new(workers * own);
    let work = move |worker: usize, count: usize| {
        // SAFETY: dense matrices of exactly these sizes.
        unsafe { plan.run(a.at(), b.at(), c.at(), scratch.at().add(worker * own), worker, count) };
    };
    Case { name: name.into(), flops: 2.0 * (m * n * k) as f64, work: Box::new(work), seconds: vec![] }
}

/// c[m, n] = a[m, k] · b[k, n] with the operands stored as named or transposed.
fn matrices(name: &str, [m, n, k]: [usize; 3], transposed: [bool; 3], workers: usize) -> Case {
    let strides = |rows: usize, columns: usize, transposed: bool| -> [isize; 2] {
        if transposed { [1, rows as isize] } else { [columns as isize, 1] }
    };
    let (a, b, c) = (strides(m, k, transposed[0]), strides(k, n, transposed[1]), strides(m, n, transposed[2]));
    let spec = DotSpec {
        m: vec![LeftAxis { extent: m, a: a[0], c: c[0] }],
        n: vec![RightAxis { extent: n, b: b[1], c: c[1] }],
        k: vec![ContractAxis { extent: k, a: a[1], b: b[0] }],
        ..DotSpec::default()
    };
    dot(name, spec, workers)
}

/// The products of a dense layer, with the weight stored as [out, in] and as [in, out].
fn dense(cases: &mut Vec<Case>, batch: usize, inputs: usize, outputs: usize, workers: usize) {
    let mut add = |what: &str, sizes, transposed| {
        cases.push(matrices(&format!("dense {batch}x{inputs}->{outputs} {what}"), sizes, transposed, workers));
    };
    add("forward, [out,in]", [batch, outputs, inputs], [false, true, false]);
    add("forward, [in,out]", [batch, outputs, inputs], [false, false, false]);
    add("input gradient, [out,in]", [batch, inputs, outputs], [false, false, false]);
    add("input gradient, [in,out]", [batch, inputs, outputs], [false, true, false]);
    add("weight gradient, [out,in]", [outputs, inputs, batch], [true, false, false]);
    add("weight gradient, [in,out]", [inputs, outputs, batch], [true, false, false]);
}

fn conv(name: &str, spec: ConvSpec, flops: f64, lengths: [usize; 3], workers: usize) -> Case {
    let plan = ConvPlan::new(&spec, workers);
    let [x, w, out] = lengths.map(Shared::new);
    let own = plan.scratch_of_worker();
    let scratch = Shared::new(workers * own);
    let work = move |worker: usize, count: usize| {
        // SAFETY: dense arrays of exactly these sizes.
        unsafe { plan.run(x.at(), w.at(), out.at(), scratch.at().add(worker * own), worker, count) };
    };
    Case { name: name.into(), flops, work: Box::new(work), seconds: vec![] }
}

/// The three products of a convolution k4 s2 p1 on channels-last images, with the weight stored as [feature, channel, tap] and as
/// [tap, channel, feature].
fn strided(cases: &mut Vec<Case>, channels: usize, features: usize, large: usize, workers: usize) {
    let small = large / 2;
    let (x, w, y) = (BATCH * large * large * channels, features * channels * 16, BATCH * small * small * features);
    let flops = 2.0 * (BATCH * small * small * features * channels * 16) as f64;
    let (c, f) = (channels as isize, features as isize);
    let groups = BatchAxis { extent: 1, a: 0, b: 0, c: 0 };
    let point = SpatialAxis {
        input: 0,
        kernel: 4,
        output: 0,
        x: 0,
        w: 0,
        out: 0,
        window_stride: 1,
        pad_lo: 1,
        input_dilation: 1,
        kernel_dilation: 1,
    };
    let images = |size: usize, channels: isize| [(size * size) as isize * channels, size as isize * channels, channels];
    let ([x_image, x_row, x_pixel], [y_image, y_row, y_pixel]) = (images(large, c), images(small, f));
    for (layout, w_feature, w_channel, w_row, w_tap) in
        [("[f,c,tap]", c * 16, 16, 4, 1), ("[tap,c,f]", 1, f, 4 * c * f, c * f)]
    {
        let name = |what: &str| format!("conv {channels}->{features} {large}->{small} {what}, {layout}");
        let spec = ConvSpec {
            parts: vec![],
            samples: LeftAxis { extent: BATCH, a: x_image, c: y_image },
            groups,
            channels: ContractAxis { extent: channels, a: 1, b: w_channel },
            features: RightAxis { extent: features, b: w_feature, c: 1 },
            spatial: [(x_row, w_row, y_row), (x_pixel, w_tap, y_pixel)]
                .map(|(x, w, out)| SpatialAxis { input: large, output: small, x, w, out, window_stride: 2, ..point })
                .to_vec(),
        };
        cases.push(conv(&name("forward"), spec, flops, [x, w, y], workers));
        let last_tap = |w: isize| -w;
        let mut spec = ConvSpec {
            parts: vec![],
            samples: LeftAxis { extent: BATCH, a: y_image, c: x_image },
            groups,
            channels: ContractAxis { extent: features, a: 1, b: w_feature },
            features: RightAxis { extent: channels, b: w_channel, c: 1 },
            spatial: [(y_row, w_row, x_row), (y_pixel, w_tap, x_pixel)]
                .map(|(x, w, out)| SpatialAxis {
                    input: small,
                    output: large,
                    x,
                    w,
                    out,
                    input_dilation: 2,
                    pad_lo: 2,
                    ..point
                })
                .to_vec(),
        };
        cases.push(conv(&name("input gradient, unreversed"), spec.clone(), flops, [y, w, x], workers));
        for axis in &mut spec.spatial {
            axis.w = last_tap(axis.w);
        }
        cases.push(reversed(&name("input gradient"), spec, flops, [y, w, x], workers));
        let spec = ConvSpec {
            parts: vec![],
            samples: LeftAxis { extent: channels, a: 1, c: w_channel },
            groups,
            channels: ContractAxis { extent: BATCH, a: x_image, b: y_image },
            features: RightAxis { extent: features, b: 1, c: w_feature },
            spatial: [(x_row, y_row, w_row), (x_pixel, y_pixel, w_tap)]
                .map(|(x, w, out)| SpatialAxis {
                    input: large,
                    kernel: small,
                    output: 4,
                    x,
                    w,
                    out,
                    kernel_dilation: 2,
                    ..point
                })
                .to_vec(),
        };
        cases.push(conv(&name("weight gradient"), spec, flops, [x, y, w], workers));
    }
}

/// A convolution whose kernel view is reversed: its base is the last tap.
fn reversed(name: &str, spec: ConvSpec, flops: f64, lengths: [usize; 3], workers: usize) -> Case {
    let back: isize = spec.spatial.iter().map(|axis| (axis.kernel as isize - 1) * axis.w).sum();
    let plan = ConvPlan::new(&spec, workers);
    let [x, w, out] = lengths.map(Shared::new);
    let own = plan.scratch_of_worker();
    let scratch = Shared::new(workers * own);
    let work = move |worker: usize, count: usize| {
        // SAFETY: dense arrays of exactly these sizes; the base of the kernel is moved to its last tap.
        unsafe { plan.run(x.at(), w.at().wrapping_offset(-back), out.at(), scratch.at().add(worker * own), worker, count) };
    };
    Case { name: name.into(), flops, work: Box::new(work), seconds: vec![] }
}

/// A product of 1024³ by the library itself, each worker a share of the rows.
fn peak(size: usize) -> Case {
    let (a, b, c) = (Shared::new(size * size), Shared::new(size * size), Shared::new(size * size));
    let work = move |worker: usize, count: usize| {
        let rows = share(size, 16, worker, count);
        let stride = size as isize;
        // SAFETY: column-major matrices of size²; workers write disjoint rows.
        unsafe {
            gemm::gemm(
                rows.len(),
                size,
                size,
                c.at().add(rows.start),
                stride,
                1,
                false,
                a.at().add(rows.start),
                stride,
                1,
                b.at(),
                stride,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    };
    Case {
        name: format!("gemm {size}x{size}x{size}"),
        flops: 2.0 * (size as f64).powi(3),
        work: Box::new(work),
        seconds: vec![],
    }
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let count = number(std::thread::available_parallelism().map_or(1, usize::from));
    let rounds = number(50);
    let filter = std::env::args().nth(3).unwrap_or_default();
    let workers = Workers::new(count)?;

    let mut cases = vec![peak(1024), matrices("dot 1024x1024x1024", [1024; 3], [false; 3], count)];
    strided(&mut cases, 1, 32, 28, count);
    strided(&mut cases, 32, 64, 14, count);
    dense(&mut cases, 64, 64, 3136, count);
    dense(&mut cases, 64, 3136, 1, count);
    for (inputs, outputs) in [(64, 256), (256, 512), (512, 784), (784, 512), (512, 256), (256, 1)] {
        dense(&mut cases, 128, inputs, outputs, count);
    }
    for (inputs, outputs) in [(2, 128), (128, 128), (128, 2)] {
        dense(&mut cases, 512, inputs, outputs, count);
    }
    let peak_name = cases[0].name.clone();
    cases.retain(|case| case.name == peak_name || case.name.contains(&filter));

    for _ in 0..rounds {
        for case in &mut cases {
            // Once to warm the caches of its operands, then for the clock.
            for timed in [false, true] {
                let start = Instant::now();
                workers.run(&|worker| {
                    worker.barrier();
                    (case.work)(worker.index, worker.count);
                });
                if timed {
                    case.seconds.push(start.elapsed().as_secs_f64());
                }
            }
        }
    }
    let mut of_peak = None;
    println!("{:58} {:>9} {:>9} {:>7} {:>9}", "", "best", "p10", "of peak", "best, us");
    for case in &mut cases {
        case.seconds.sort_by(f64::total_cmp);
        let (best, tenth) = (case.seconds[0], case.seconds[case.seconds.len() / 10]);
        let speed = case.flops / best * 1e-9;
        let peak = *of_peak.get_or_insert(speed);
        let tenth = case.flops / tenth * 1e-9;
        println!("{:58} {speed:9.1} {tenth:9.1} {:6.0}% {:9.1}", case.name, 100.0 * speed / peak, best * 1e6);
    }
    Ok(())
}
