#!/usr/bin/env python3
"""How time and memory grow with the width m, at n = 256 and d = 15, then d = 3: no packages needed.

Usage: benches/scaling.py [path/to/widefield]    (ENGINE=cpu|gpu, ADAPTER=NAME, LARGEST=m, D="15 3")

Time per step comes from `widefield bench --json --case`, and its exponent from a straight line
through (log m, log time). Memory is the peak of a whole `widefield run` of three steps, with its
checkpoint, files and figures, less that of the same run with 10 neurons and no figures; the cpu
engine only, as what a GPU holds is not seen here. Ends with 1 where the exponent is more than 0.05
from 1 (above it, where a short cut sets in on the way), or where a run takes more than 24 MiB, which
figures and code may have, and 1.3 times its particles and data.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

N = 256
DIMENSIONS = [int(d) for d in os.environ.get("D", "15 3").split()]
ALLOWED, ALWAYS = 1.3, 24 << 20
WIDTHS = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]

EXPERIMENT = """[data]
source = "clusters"
n = {n}
d = {d}
test = 0
[network]
width = {m}
[risk]
loss = "softmin"
[flow]
steps = 3
step = 0.5
[output]
records = 2
snapshots = 0
"""


def peak_bytes(program, engine, d, m, *more):
    """Largest resident memory of a run."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "scaling.toml")
        with open(path, "w") as file:
            file.write(EXPERIMENT.format(n=N, d=d, m=m))
        command = [program, "run", path, "--out", os.path.join(folder, "out"), "--quiet", *engine, *more]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit(f"{' '.join(command)} failed")
        return usage.ru_maxrss * 1024


def step_of(program, engine, d, m):
    command = [program, "bench", "--json", *engine, "--case", f"{m},{N},{d}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    case = json.loads(done.stdout)["cases"][0]
    return case["ms_per_step"], case["method"]


def exponent(widths, times):
    """Slope of log time against log m, and its standard error."""
    x, y = [math.log(m) for m in widths], [math.log(t) for t in times]
    slope, start = statistics.linear_regression(x, y)
    left = sum((v - start - slope * u) ** 2 for u, v in zip(x, y)) / (len(x) - 2)
    middle = statistics.fmean(x)
    return slope, math.sqrt(left / sum((u - middle) ** 2 for u in x))


def measure(program, engine, d, widths):
    """Prints the table of one d; whether all is as it should be."""
    base = peak_bytes(program, engine, d, 10, "--no-plots", "--no-report") if "cpu" in engine else None
    print(f"\nd = {d}\n\n| m | method | ms per step | ns per neuron | peak MiB | of particles and data |\n|---|---|---|---|---|---|")
    times, methods, good = [], set(), True
    for m in widths:
        ms, method = step_of(program, engine, d, m)
        times.append(ms)
        methods.add(method)
        memory = "- | -"
        if base is not None:
            peak = peak_bytes(program, engine, d, m) - base
            needed = 4 * (m + N) * (d + 1)
            good &= peak <= ALWAYS + ALLOWED * needed
            memory = f"{peak / 2**20:.1f} | {peak / needed:.2f}"
        print(f"| {m} | {method} | {ms:.4g} | {1e6 * ms / m:.3g} | {memory} |", flush=True)
    slope, error = exponent(widths, times)
    print(f"\nTime grows like m to the power {slope:.3f} ± {error:.3f}.", flush=True)
    least = 0.95 if len(methods) == 1 else 0.0
    return good and least <= slope <= 1.05


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "target/release/widefield"
    engine = ["--engine", os.environ.get("ENGINE", "cpu")]
    if os.environ.get("ADAPTER"):
        engine += ["--adapter", os.environ["ADAPTER"]]
    widths = [m for m in WIDTHS if m <= int(os.environ.get("LARGEST", WIDTHS[-1]))]
    good = [measure(program, engine, d, widths) for d in DIMENSIONS]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
