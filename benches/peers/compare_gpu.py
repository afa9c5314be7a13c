"""Runs the workloads in saddlepoint, JAX and PyTorch (eager and as CUDA graphs) on this machine's GPU and writes a table.

usage: python benches/peers/compare_gpu.py [w1 w2 w3 w4 dcgan64 product] [--seconds S] [--rounds N] [--peak TFLOPS] [--out FILE]

The frameworks take turns, each in a process of its own, for several rounds; of each, the round with the smallest tenth percentile
counts. Steps are made in blocks with a wait at their end. All compute in full single precision; what a peer does by default
(products of fewer digits on recent cards) stands in rows of its own. A framework that is not installed, or sees no GPU, is left out and named.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from clock import ON_GPU
from compare import HERE, ROOT, measure, missing, versions

ROWS = {
    "jax": ("jax", []),
    "jax, default precision": ("jax", ["--precision", "default"]),
    "torch, eager": ("torch", []),
    "torch, eager, default precision": ("torch", ["--precision", "default"]),
    "torch, CUDA graph": ("torch", ["--graph"]),
    "torch, CUDA graph, default precision": ("torch", ["--graph", "--precision", "default"]),
}
NEEDS = {"jax": ["jax", "optax"], "torch": ["torch"]}


def built():
    """Builds the example and gives its path."""
    command = ["cargo", "build", "--release", "-p", "saddlepoint-workloads", "--features", "gpu", "--example", "gpu_workloads"]
    subprocess.run(command, cwd=ROOT, check=True)
    return str(ROOT / "target" / "release" / "examples" / "gpu_workloads")


def card():
    """What the driver's own tool says the card is, if it is there."""
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(query, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown card"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(ON_GPU))
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of measuring for each workload and round")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    parser.add_argument("--block", type=int, default=20, help="steps between two waits")
    parser.add_argument("--peak", type=float, help="the card's peak in single precision, TFLOP/s")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    parser.add_argument("--binary", help="the built example `gpu_workloads`; built with cargo if absent")
    options = parser.parse_args()
    workloads = options.workloads or ON_GPU
    for name in workloads:
        if name not in ON_GPU:
            parser.error(f"there is no workload {name}; the workloads are {', '.join(ON_GPU)}")

    commands = {"saddlepoint": [options.binary or built()]}
    absent = {peer: missing(modules) for peer, modules in NEEDS.items()}
    for peer, module in absent.items():
        if module:
            print(f"{peer} is left out: {module} cannot be imported by {sys.executable}", file=sys.stderr)
    for row, (peer, more) in ROWS.items():
        if not absent[peer]:
            commands[row] = [sys.executable, str(HERE / f"with_{peer}.py"), "--gpu", *more]

    best = {}
    for round_number in range(1, options.rounds + 1):
        for workload in workloads:
            for row, command in commands.items():
                limits = ["--seconds", str(options.seconds), "--block", str(options.block)]
                values = measure([command[0], *command[1:2], workload, *command[2:], *limits])
                if not values or "p10_ms" not in values:
                    print(f"{row} {workload} failed", file=sys.stderr)
                    continue
                print(f"round {round_number} {workload} {row} p10 {values['p10_ms']} ms", file=sys.stderr)
                if (workload, row) not in best or float(values["p10_ms"]) < float(best[workload, row]["p10_ms"]):
                    best[workload, row] = values

    beside = versions(peer for peer, module in absent.items() if not module)
    lines = [f"{card()}{'; ' if beside else ''}{beside}; best of {options.rounds} rounds.", ""]
    lines += ["| | | median, ms | p10, ms | saddlepoint is faster by | TFLOP/s | of peak |", "|---|---|---|---|---|---|---|"]
    for workload in workloads:
        own = best.get((workload, "saddlepoint"))
        for row in commands:
            values = best.get((workload, row))
            if not values:
                lines.append(f"| {workload} | {row} | failed | | | | |")
                continue
            p10 = float(values["p10_ms"])
            ratio = "" if row == "saddlepoint" or not own else f"{p10 / float(own['p10_ms']):.2f}×"
            speed = float(own["useful_gflop"]) / p10 if own else 0.0
            share = f"{100 * speed / options.peak:.0f}%" if options.peak else ""
            lines.append(f"| {workload} | {row} | {values['median_ms']} | {values['p10_ms']} | {ratio} | {speed:.2f} | {share} |")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
