#!/usr/bin/env bash
# The alternatives beside widefield on this machine, in one go: installs what can be installed in a
# virtual environment, makes the cases, times the cpu engine's steps, checks that every peer computes
# the same predictions, and prints the table. Needs no network where the packages are installed:
# PYTHON=python3 benches/peers/run.sh uses that interpreter as it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
export THREADS=${THREADS:-$(nproc)}
export OMP_NUM_THREADS=$THREADS OPENBLAS_NUM_THREADS=$THREADS MKL_NUM_THREADS=$THREADS NUMBA_NUM_THREADS=$THREADS
work=${WORK:-target/peers}
mkdir -p "$work"
if [ -z "${PYTHON:-}" ]; then
    python3 -m venv "$work/venv"
    PYTHON=$work/venv/bin/python
    "$PYTHON" -m pip install -q numpy jax numba
    # Large; a machine that can install it gets its rows.
    [ "${TORCH:-}" = 0 ] || "$PYTHON" -m pip install -q torch || echo "torch left out" >&2
fi
cargo build --release --quiet
widefield=target/release/widefield
"$PYTHON" - "$work" <<'PY'
import sys, numpy as np
rng = np.random.default_rng(1)
for m, n, d in [(1000, 256, 15), (100000, 256, 15), (1000000, 256, 3), (10000, 4096, 785)]:
    f = lambda *s: rng.standard_normal(s, dtype=np.float32)
    X = f(n, d) if d < 100 else f(n, d) / np.float32(d) ** 0.5
    np.savez(f"{sys.argv[1]}/{m}-{n}-{d}.npz", X=X, y=np.where(np.arange(n) % 2, -1, 1), w=f(m, d), a=f(m))
PY
for case in 1000-256-15 100000-256-15 1000000-256-3 10000-4096-785; do
    cat >"$work/case.toml" <<TOML
[data]
source = "file"
path = "$case.npz"
[network]
width = ${case%%-*}
[init]
kind = "file"
path = "$case.npz"
[risk]
loss = "softmin"
[flow]
steps = 5
step = 1e-3
schedule = "constant"
[output]
snapshots = 0
records = 2
TOML
    "$widefield" run "$work/case.toml" --out "$work/out" --force --quiet --engine cpu >/dev/null
    cp "$work/out/runs/000/particles.npz" "$work/$case-after.npz"
done
cargo bench --quiet --bench steps -- 'ceiling|step/cpu (1000|100000|1000000)-256|step/cpu 10000-4096' >"$work/bench.log" 2>&1
"$PYTHON" - "$work" <<'PY'
import glob, json, sys
times, ceiling = {}, None
for path in glob.glob("target/criterion/step/cpu *-*-* x*/new/estimates.json"):
    name = path.split("/")[3]
    case, count = name[4:].split(" x")
    times[case] = 1e3 * json.load(open(path))["median"]["point_estimate"] / 1e9 / int(count)
wanted = ["1000-256-15", "100000-256-15", "1000000-256-3", "10000-4096-785"]
json.dump({c: times[c] for c in wanted}, open(f"{sys.argv[1]}/steps.json", "w"))
PY
grep -A2 '^ceiling' "$work/bench.log" || true
"$PYTHON" benches/peers/peers.py "$work"
