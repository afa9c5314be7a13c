"""What both peers share: how steps are timed and reported. The line has the form of saddlepoint's own."""

import argparse
import time

NAMES = ["w1", "w2", "w3", "w4"]
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
    options = parser.parse_args()
    unknown = [name for name in options.workloads if name not in NAMES]
    if unknown:
        parser.error(f"there is no workload {unknown[0]}; the workloads are {', '.join(NAMES)}")
    options.workloads = options.workloads or NAMES
    return options


def report(peer, workload, prepare, seconds):
    """Builds a workload and times its steps. `prepare` gives a function that makes one whole step and waits for its end.

    Building ends with the first step, since that is when these frameworks compile.
    """
    begin = time.perf_counter()
    step = prepare()
    step()
    build = time.perf_counter() - begin
    for _ in range(WARM_UP):
        step()
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    times.sort()
    quantile = lambda part: 1e3 * times[min(int(len(times) * part), len(times) - 1)]
    print(
        f"{peer} {workload} median_ms {quantile(0.5):.3f} p10_ms {quantile(0.1):.3f} build_s {build:.3f} "
        f"peak_mb {peak_megabytes()} n {len(times)}",
        flush=True,
    )
