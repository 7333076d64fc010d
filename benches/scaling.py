#!/usr/bin/env python3
"""How time and memory grow with the width m, at n = 256, d = 15: no packages needed.

Usage: benches/scaling.py [path/to/widefield]    (ENGINE=cpu|gpu, ADAPTER=NAME, LARGEST=m)

Time per step comes from `widefield bench --json --case`, and its exponent from a straight line
through (log m, log time). Memory is the peak of a whole `widefield run` of three steps, with its
checkpoint and files, less that of the same run with 10 neurons; the cpu engine only, as what a GPU
holds is not seen here. Ends with 1 where the exponent is more than 0.05 from 1, or where a
run of 10^6 or more neurons takes more than 1.3 times its particles and data.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

N, D = 256, 15
WIDTHS = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]

EXPERIMENT = f"""[data]
source = "clusters"
n = {N}
d = {D}
test = 0
[network]
width = {{m}}
[risk]
loss = "softmin"
[flow]
steps = 3
step = 0.5
[output]
records = 2
snapshots = 0
"""


def peak_bytes(program, engine, m):
    """Largest resident memory of a run."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "scaling.toml")
        with open(path, "w") as file:
            file.write(EXPERIMENT.format(m=m))
        command = [program, "run", path, "--out", os.path.join(folder, "out"), "--quiet", *engine]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit(f"{' '.join(command)} failed")
        return usage.ru_maxrss * 1024


def ms_per_step(program, engine, m):
    command = [program, "bench", "--json", *engine, "--case", f"{m},{N},{D}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return json.loads(done.stdout)["cases"][0]["ms_per_step"]


def exponent(widths, times):
    """Slope of log time against log m, and its standard error."""
    x, y = [math.log(m) for m in widths], [math.log(t) for t in times]
    slope, start = statistics.linear_regression(x, y)
    left = sum((v - start - slope * u) ** 2 for u, v in zip(x, y)) / (len(x) - 2)
    middle = statistics.fmean(x)
    return slope, math.sqrt(left / sum((u - middle) ** 2 for u in x))


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "target/release/widefield"
    name = os.environ.get("ENGINE", "cpu")
    engine = ["--engine", name]
    if os.environ.get("ADAPTER"):
        engine += ["--adapter", os.environ["ADAPTER"]]
    widths = [m for m in WIDTHS if m <= int(os.environ.get("LARGEST", WIDTHS[-1]))]
    base = peak_bytes(program, engine, 10) if name == "cpu" else None
    print("| m | ms per step | ns per neuron | peak MiB | of particles and data |\n|---|---|---|---|---|")
    times, good = [], True
    for m in widths:
        times.append(ms_per_step(program, engine, m))
        memory = "- | -"
        if base is not None:
            peak = peak_bytes(program, engine, m) - base
            share = peak / (4 * m * (D + 1) + 4 * N * (D + 1))
            good &= m < 1_000_000 or share <= 1.3
            memory = f"{peak / 2**20:.1f} | {share:.2f}"
        print(f"| {m} | {times[-1]:.4g} | {1e6 * times[-1] / m:.3g} | {memory} |", flush=True)
    slope, error = exponent(widths, times)
    print(f"\nTime grows like m to the power {slope:.3f} ± {error:.3f}.")
    good &= abs(slope - 1) <= 0.05
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
