"""widefield beside its rivals on this machine, as a table in Markdown. run.sh sets it up and calls it.

Environment: WIDEFIELD (the program), WORK (a folder for data), ENGINE (cpu, gpu), ADAPTER, CASES,
RIVALS (names with commas between them), PATIENCE (seconds for each rival), DEADLINE (seconds for
all of them; those at the end are left out), THREADS, COMMIT.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from common import CHECKED, ETA, case_data, off, predictions

HERE = Path(__file__).parent
ON_CPU = "1000,256,15 100000,256,15 1000000,256,3 10000,4096,785"
ON_GPU = "1000,256,15 100000,256,15 1000000,256,3 1000000,256,15 1000000,256,32 10000,4096,785"
CPU_RIVALS = "NumPy,JAX jit,numba,torch eager,torch.compile,KeOps"
GPU_RIVALS = "torch.compile,torch.compile TF32,JAX jit,JAX jit TF32,torch eager,torch eager TF32,KeOps"
PACKAGES = ["numpy", "jax", "numba", "torch", "pykeops"]

EXPERIMENT = f"""[data]
source = "file"
path = "{{case}}.npz"
[network]
width = {{m}}
[init]
kind = "file"
path = "{{case}}.npz"
[risk]
loss = "softmin"
[flow]
steps = {CHECKED}
step = {ETA}
schedule = "constant"
[output]
snapshots = 0
records = 2
"""


def program(*args):
    """Standard output of widefield, or None where it refuses, which it explains itself."""
    done = subprocess.run([os.environ["WIDEFIELD"], *args], stdout=subprocess.PIPE, text=True)
    return done.stdout if done.returncode == 0 else None


def prepare(work, sizes, engine):
    """CASE.npz, and the predictions that everybody must reach: those of this engine, or of the cpu
    engine where it has no kernels for the case. Checked here against plain float64 NumPy."""
    case = "-".join(map(str, sizes))
    X, y, w, a = case_data(*sizes)
    np.savez(work / f"{case}.npz", X=X, y=y, w=w, a=a)
    (work / "case.toml").write_text(EXPERIMENT.format(case=case, m=sizes[0]))
    run = ["run", str(work / "case.toml"), "--out", str(work / "out"), "--force", "--quiet"]
    if program(*run, *engine) is None and program(*run, "--engine", "cpu") is None:
        sys.exit(f"widefield cannot train {case}")
    after = np.load(work / "out/runs/000/particles.npz")["f"]
    np.savez(work / f"{case}-after.npz", f=after)
    start = predictions(X, w, a)
    m, n, d = sizes
    if m * n <= 1 << 26 and m * n * d <= 1 << 30:
        exact = off(X, start, after, *reference(X, y, w, a))
        if not exact <= 1e-3:
            sys.exit(f"widefield on {case} computes something else than NumPy in float64: {exact:.1e}")
    return case


def reference(X, y, w, a):
    X, y, w, a = (v.astype(np.float64) for v in (X, y, w, a))
    for _ in range(CHECKED):
        z = X @ w.T
        u = y * (np.maximum(z, 0) @ a / len(a))
        p = np.exp(u.min() - u)
        G = ((z > 0) * (-y * p / p.sum())[:, None]).T @ X
        w, a = w - ETA * a[:, None] * G, a - ETA * (w * G).sum(1)
    return w, a


def rival(name, device, work, cases, patience):
    """Milliseconds per step by case and form, as far as it comes in so many seconds."""
    command = [sys.executable, str(HERE / "rival.py"), name, device, str(work), *cases]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=patience)
        text, end = done.stdout, None
        if done.returncode > 0:
            sys.exit(done.returncode)
        if done.returncode < 0:
            end = f"killed by signal {-done.returncode}, for want of memory perhaps"
    except subprocess.TimeoutExpired as late:
        text, end = (late.stdout or b"").decode(), f"cut off after {patience:.0f} s"
    found = {case: {} for case in cases}
    for line in text.splitlines():
        line = json.loads(line)
        if "ms" in line:
            found[line["case"]][line["form"]] = line["ms"]
        else:
            print(f"{name} {line['form']} left out on {line['case']}: {line['why']}", file=sys.stderr)
    if end:
        print(f"{name}: {end}", file=sys.stderr)
    return found


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip().split("\n")[0]
    except OSError:
        return ""


def machine():
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text()) if Path("/proc/cpuinfo").exists() else None
    name = model[1] if model else platform.processor()
    card = first_line("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    return f"{os.environ['THREADS']} of {os.cpu_count()} threads of {name}" + (f"; {card}" if card else "")


def versions():
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def row(name, values, form):
    return f"| {name} | " + " | ".join("-" if v is None else form(v) for v in values) + " |"


def main():
    work = Path(os.environ["WORK"])
    device = os.environ.get("ENGINE", "cpu")
    engine = ["--engine", device]
    if os.environ.get("ADAPTER"):
        engine += ["--adapter", os.environ["ADAPTER"]]
    wanted = os.environ.get("CASES") or (ON_GPU if device == "gpu" else ON_CPU)
    sizes = [tuple(map(int, case.split(","))) for case in wanted.split()]
    cases = [prepare(work, size, engine) for size in sizes]

    own, ceilings = [], []
    for size in sizes:
        text = program("bench", "--json", *engine, "--case", ",".join(map(str, size)))
        report = json.loads(text) if text else None
        own.append(report and report["cases"][0])
        if report:
            adapter = report["adapter"]
            ceilings.append(report["ceilings"])
    if not ceilings:
        sys.exit("widefield timed no case")
    rivals = os.environ.get("RIVALS") or (GPU_RIVALS if device == "gpu" else CPU_RIVALS)
    begun, times = time.monotonic(), {}
    for name in rivals.split(","):
        left = float(os.environ.get("DEADLINE") or "inf") - (time.monotonic() - begun)
        patience = min(float(os.environ.get("PATIENCE") or 900), left)
        if patience < 5:
            print(f"{name} left out: no time is left for it", file=sys.stderr)
            continue
        times[name] = rival(name, device, work, cases, patience)

    ours = [r and r["ms_per_step"] for r in own]
    best = {name: [min(found[c].values(), default=None) for c in cases] for name, found in times.items()}
    best = {name: row for name, row in best.items() if any(v is not None for v in row)}
    strongest = [min((v[k] for v in best.values() if v[k] is not None), default=None) for k in range(len(cases))]
    top = {key: max(c[key] for c in ceilings) for key in ceilings[0]}
    print(f"Date {datetime.date.today()}, commit {os.environ.get('COMMIT') or 'unknown'}, `{os.environ.get('COMMAND', '')}`.")
    print(f"Machine: {machine()}. widefield {device}: {adapter}.")
    print(f"Python {platform.python_version()}, {versions()}.")
    print("Float32, softmin, both layers; every rival reached the same predictions first, and each row is its fastest form.\n")
    print(f"Ceilings in the same run: multiply-adds {top['fma_gflops']:.4g} GFLOP/s, copy {top['copy_gb_per_s']:.4g} GB/s.\n")
    print("| ms per step (m, n, d) | " + " | ".join(c.replace("-", ", ") for c in cases) + " |")
    print("|---" * (len(cases) + 1) + "|")
    print(row(f"**widefield {device}**", ours, "{:.3g}".format))
    for name, values in best.items():
        print(row(name, values, "{:.3g}".format))
    ratio = [o and s and s / o for o, s in zip(ours, strongest)]
    print(row("best rival / widefield", ratio, "{:.2f}".format))
    print(row("widefield, GFLOP/s", [r and r["gflops"] for r in own], "{:.4g}".format))
    share = [r and r["gflops"] and r["gflops"] / top["fma_gflops"] for r in own]
    print(row("share of the ceiling", share, "{:.0%}".format))
    print("\nForms (ms per step):\n")
    for name, found in times.items():
        for case, forms in found.items():
            if forms:
                print(f"* {name}, {case.replace('-', ', ')}: " + ", ".join(f"{f} {ms:.3g}" for f, ms in forms.items()))


if __name__ == "__main__":
    main()
