"""What both peers share: how steps are timed and reported. The line has the form of saddlepoint's own."""

import argparse
import time

NAMES = ["w1", "w2", "w3", "w4"]
ON_GPU = [*NAMES, "dcgan64", "product"]
PRODUCT = 4096
WARM_UP = 5


def peak_megabytes():
    """The most memory this process has had resident, or n/a where the system does not tell."""
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmHWM:"))
        return f"{int(line.split()[1]) * 1024 / 1e6:.1f}"
    except (OSError, StopIteration):
        return "n/a"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds of measuring for each workload")
    parser.add_argument("--workers", type=int, help="threads; one a core if absent (PyTorch only)")
    parser.add_argument("--gpu", action="store_true", help="on the GPU, which knows dcgan64 and product too")
    parser.add_argument("--block", type=int, default=1, help="steps after which one waits for the device")
    parser.add_argument("--precision", choices=["full", "default"], default="full", help="of products on the GPU")
    parser.add_argument("--graph", action="store_true", help="steps as CUDA graphs (PyTorch only)")
    options = parser.parse_args()
    names = ON_GPU if options.gpu else NAMES
    unknown = [name for name in options.workloads if name not in names]
    if unknown:
        parser.error(f"there is no workload {unknown[0]}; the workloads are {', '.join(names)}")
    options.workloads = options.workloads or names
    return options


def report(peer, workload, prepare, seconds, block=1, wait=lambda: None):
    """Builds a workload and times its steps. `prepare` gives a function that makes one whole step; `wait` waits for its end. Times are
    those of blocks of steps with a wait at their end, over their steps.

    Building ends with the first step, since that is when these frameworks compile.
    """
    begin = time.perf_counter()
    step = prepare()
    step()
    wait()
    build = time.perf_counter() - begin
    for _ in range(WARM_UP):
        step()
    wait()
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        for _ in range(block):
            step()
        wait()
        times.append((time.perf_counter() - start) / block)
    times.sort()
    quantile = lambda part: 1e3 * times[min(int(len(times) * part), len(times) - 1)]
    print(
        f"{peer} {workload} median_ms {quantile(0.5):.4f} p10_ms {quantile(0.1):.4f} build_s {build:.3f} "
        f"peak_mb {peak_megabytes()} n {len(times)}",
        flush=True,
    )
