"""Runs the four workloads in saddlepoint, JAX and PyTorch on this machine and writes a table.

usage: python benches/peers/compare.py [w1 w2 w3 w4] [--seconds S] [--rounds N] [--out FILE]

The frameworks take turns, each workload in a process of its own, for several rounds, so that a machine shared with others slows
all of them alike; of each, the round with the smallest tenth percentile counts. A framework that is not installed is left out
and named. Needs only Python's standard library itself; the peers want `jax optax` and `torch` in the same Python.
"""

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NAMES = ["w1", "w2", "w3", "w4"]
PEERS = {"jax": ["jax", "optax"], "torch": ["torch"]}


def build_saddlepoint():
    """Builds the example and gives the path that cargo says it has."""
    import json

    command = ["cargo", "build", "--release", "--example", "workloads", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == "workloads" and message.get("executable"):
            return message["executable"]
    sys.exit("error: cargo built the example but did not say where it is")


def missing(modules):
    """The first of these modules that this Python cannot import."""
    for module in modules:
        found = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True)
        if found.returncode != 0:
            return module
    return None


def measure(command):
    """Runs a measurement and reads its numbers: the words of its lines in pairs."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode != 0:
        return None
    values = {}
    for line in done.stdout.splitlines():
        words = line.split()[2:]
        values.update(zip(words[::2], words[1::2]))
    return values


def machine():
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def versions(frameworks):
    """What runs beside saddlepoint, with the releases that this Python has."""
    modules = [module for framework in frameworks for module in PEERS.get(framework, [])]
    return ", ".join(f"{module} {importlib.metadata.version(module)}" for module in modules)


def table(workloads, frameworks, best, rounds, peak):
    columns = ["", "", "median, ms", "p10, ms", "saddlepoint is faster by", "of the GEMM roofline", "peak, MB", "build, s"]
    beside = versions(frameworks)
    head = f"{machine()}{'; ' if beside else ''}{beside}; best of {rounds} round{'' if rounds == 1 else 's'}."
    lines = [head, "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for workload in workloads:
        own = best.get((workload, "saddlepoint"))
        for framework in frameworks:
            values = best.get((workload, framework))
            if values is None:
                lines.append(f"| {workload} | {framework} | failed | | | | | |")
                continue
            p10 = float(values["p10_ms"])
            ratio, share = "", ""
            if own:
                ratio = "" if framework == "saddlepoint" else f"{p10 / float(own['p10_ms']):.2f}×"
                at_peak = 1e3 * float(own["useful_gflop"]) / peak
                share = f"{100 * at_peak / p10:.0f}%"
            cells = [workload, framework, values["median_ms"], values["p10_ms"], ratio, share, values["peak_mb"], values["build_s"]]
            lines.append("| " + " | ".join(cells) + " |")
    if peak:
        lines += ["", f"GEMM peak of all cores, the fastest measured beside saddlepoint's steps: {peak:.0f} GFLOP/s."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds of measuring for each workload and round")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    parser.add_argument("--binary", help="the built example `workloads`; built with cargo if absent")
    options = parser.parse_args()
    workloads = options.workloads or NAMES
    for name in workloads:
        if name not in NAMES:
            parser.error(f"there is no workload {name}; the workloads are {', '.join(NAMES)}")

    commands = {"saddlepoint": [options.binary or build_saddlepoint()]}
    for peer, modules in PEERS.items():
        absent = missing(modules)
        if absent:
            print(f"{peer} is left out: {absent} cannot be imported by {sys.executable}", file=sys.stderr)
        else:
            commands[peer] = [sys.executable, str(HERE / f"with_{peer}.py")]

    # The peak is the machine's, not a workload's: one that was measured while others used the cores would flatter its row.
    best, peak = {}, 0.0
    for round_number in range(1, options.rounds + 1):
        for workload in workloads:
            for framework, command in commands.items():
                values = measure([*command, workload, "--seconds", str(options.seconds)])
                if values is None:
                    print(f"{framework} {workload} failed", file=sys.stderr)
                    continue
                print(f"round {round_number} {workload} {framework} p10 {values['p10_ms']} ms", file=sys.stderr)
                peak = max(peak, float(values.get("gemm_peak_gflops", 0.0)))
                key = (workload, framework)
                if key not in best or float(values["p10_ms"]) < float(best[key]["p10_ms"]):
                    best[key] = values
    text = table(workloads, list(commands), best, options.rounds, peak)
    print(text, end="")
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
