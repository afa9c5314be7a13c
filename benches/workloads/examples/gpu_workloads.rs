//! The workloads that speed is measured on, and one large product, on a GPU.
//!
//! `cargo run --release -p saddlepoint-workloads --features gpu --example gpu_workloads -- w1 w2 w3 w4 dcgan64 product`

use clap::Parser;
use saddlepoint::compiler::ir::{Builder, DotDims, Type};
use saddlepoint::{Config, Device};
use saddlepoint_runtime::device::HostSlice;
use saddlepoint_runtime::device::gpu::GpuDevice;
use saddlepoint_workloads::{Size, Workload};
use std::time::Instant;

/// Rows and columns of the product's matrices.
const PRODUCT: usize = 4096;
/// The batch of pictures of 64×64.
const PICTURES: usize = 256;

/// Measures steps on a GPU. Steps are made in blocks, at the end of which the host waits, as training waits where it logs; for each workload
/// median and tenth percentile of a block over its steps.
#[derive(Parser)]
struct Options {
    /// w1 w2 w3 w4 dcgan64 product; all if none is named.
    workloads: Vec<String>,
    /// Seconds of measuring for each.
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Steps of a block.
    #[arg(long, default_value_t = 20)]
    block: usize,
    /// A part of the name of the GPU to be used; the best one if absent.
    #[arg(long)]
    adapter: Option<String>,
    /// Print where the time of a step goes instead: this many of the longest parts of each turn.
    #[arg(long, value_name = "PARTS", num_args = 0..=1, default_missing_value = "12")]
    profile: Option<usize>,
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::parse();
    let all = ["w1", "w2", "w3", "w4", "dcgan64", "product"].map(str::to_string).to_vec();
    let named = if options.workloads.is_empty() { all } else { options.workloads.clone() };
    println!("adapter {}", GpuDevice::new(options.adapter.as_deref())?.adapter());
    for name in named {
        match (name.as_str(), Workload::named(&name)) {
            ("product", _) => product(&options)?,
            (_, Some(workload)) => steps(workload, &options)?,
            _ => println!("there is no workload {name}"),
        }
    }
    Ok(())
}

/// Times blocks of `work`, each ended by `wait`: median and tenth percentile of a single one, in seconds, and how many blocks.
fn blocks<T>(
    options: &Options,
    state: &mut T,
    work: impl Fn(&mut T) -> saddlepoint::Result<()>,
    wait: impl Fn(&mut T) -> saddlepoint::Result<()>,
) -> saddlepoint::Result<(f64, f64, usize)> {
    work(state)?;
    wait(state)?;
    let (mut times, begin) = (Vec::new(), Instant::now());
    while times.is_empty() || begin.elapsed().as_secs_f64() < options.seconds {
        let start = Instant::now();
        (0..options.block).try_for_each(|_| work(state))?;
        wait(state)?;
        times.push(start.elapsed().as_secs_f64() / options.block as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[times.len() / 10], times.len()))
}

fn steps(workload: Workload, options: &Options) -> saddlepoint::Result<()> {
    let own = workload.size();
    let size = if workload == Workload::Dcgan64 { Size { batch: PICTURES, ..own } } else { own };
    let mut config = Config::new().seed(0).device(Device::Gpu);
    if let Some(adapter) = &options.adapter {
        config = config.adapter(adapter);
    }
    let start = Instant::now();
    let mut running = workload.build_with(size, config)?;
    running.step()?;
    running.wait()?;
    let build = start.elapsed().as_secs_f64();
    if let Some(longest) = options.profile {
        for turn in running.profile()? {
            let mut parts = turn.parts;
            let all: f64 = parts.iter().map(|part| part.seconds).sum();
            println!("turn {}: {:.3} ms in {} parts", turn.players.join("+"), 1e3 * all, parts.len());
            parts.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
            for part in parts.iter().take(longest) {
                let gflops = part.contraction_flops as f64 / part.seconds / 1e9;
                println!("{:9.1} us {gflops:9.1} GFLOP/s  {}", 1e6 * part.seconds, part.what);
            }
        }
        return Ok(());
    }
    let (median, p10, blocks) =
        blocks(options, &mut running, |running| running.step(), |running| running.wait().map(|_| ()))?;
    println!(
        "saddlepoint {} median_ms {:.4} p10_ms {:.4} build_s {build:.3} useful_gflop {:.3} gflops {:.1} n {blocks}",
        workload.name(),
        1e3 * median,
        1e3 * p10,
        workload.useful_flops(size) / 1e9,
        workload.useful_flops(size) / p10 / 1e9,
    );
    Ok(())
}

fn product(options: &Options) -> saddlepoint::Result<()> {
    let start = Instant::now();
    let device = GpuDevice::new(options.adapter.as_deref())?;
    let b = Builder::new();
    let ty = || Type::f32([PRODUCT, PRODUCT]);
    let dims = DotDims { lhs_contract: vec![1], rhs_contract: vec![0], ..DotDims::default() };
    b.output("corner", &b.state("a", ty()).dot(&b.state("b", ty()), dims).slice(&[0, 0], &[1, 1], &[1, 1]));
    let mut program = device.compile(&b.finish()?)?;
    let mut states = device.states();
    for (number, name) in ["a", "b"].into_iter().enumerate() {
        states.declare(name, &ty())?;
        let values: Vec<f32> = (0..PRODUCT * PRODUCT).map(|i| ((i * (number + 7)) % 31) as f32 / 31.0 - 0.5).collect();
        states.write_f32(name, &values)?;
    }
    let inputs: [HostSlice<'_>; 0] = [];
    program.run(&mut states, &inputs)?;
    let build = start.elapsed().as_secs_f64();
    let mut state = (program, states);
    let (median, p10, blocks) = blocks(
        options,
        &mut state,
        |(program, states)| program.run(states, &[]),
        |(program, _)| program.result("corner").map(|_| ()),
    )?;
    let flops = 2.0 * (PRODUCT as f64).powi(3);
    println!(
        "saddlepoint product median_ms {:.4} p10_ms {:.4} build_s {build:.3} useful_gflop {:.3} gflops {:.1} n {blocks}",
        1e3 * median,
        1e3 * p10,
        flops / 1e9,
        flops / p10 / 1e9
    );
    Ok(())
}
