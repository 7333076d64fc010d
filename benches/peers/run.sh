#!/usr/bin/env bash
# widefield and its rivals on this machine, in one go: makes the cases, checks that everybody computes
# the same predictions, times all of them, prints the table. On a machine with network and cargo:
#
#   benches/peers/run.sh                                          # the cpu engine
#   ENGINE=gpu benches/peers/run.sh                               # the gpu engine; ADAPTER=NAME picks one
#
# Without either, with a program built elsewhere and the Python packages that are installed:
#
#   WIDEFIELD=path/to/widefield PYTHON=python3 benches/peers/run.sh
#
# THREADS, CASES ("m,n,d m,n,d"), RIVALS ("numba,JAX jit"), PATIENCE and DEADLINE (seconds for each
# rival, and for all) and WORK (a folder) may be set as well; TORCH=0 leaves PyTorch, which is large, uninstalled.
set -euo pipefail
# Paths are meant from where the script was called.
for name in WIDEFIELD PYTHON WORK; do
    [[ ${!name:-} != */* ]] || declare -x "$name=$(realpath -ms "${!name}")"
done
cd "$(dirname "$0")/../.."
COMMAND=$(for name in WIDEFIELD PYTHON ENGINE ADAPTER THREADS CASES RIVALS; do
    [ -z "${!name:-}" ] || printf '%s="%s" ' "$name" "${!name##*/}"
done)benches/peers/run.sh
export COMMAND
cores=$(nproc)
export THREADS=${THREADS:-$cores} WORK=${WORK:-$PWD/target/peers}
export OMP_NUM_THREADS=$THREADS OPENBLAS_NUM_THREADS=$THREADS MKL_NUM_THREADS=$THREADS
export NUMBA_NUM_THREADS=$THREADS RAYON_NUM_THREADS=$THREADS
export XLA_PYTHON_CLIENT_PREALLOCATE=false NODEVICE_SELECT=1
export KEOPS_CACHE_FOLDER=${KEOPS_CACHE_FOLDER:-$WORK/keops}
mkdir -p "$KEOPS_CACHE_FOLDER"
if [ -z "${PYTHON:-}" ]; then
    [ -d "$WORK/venv" ] || python3 -m venv "$WORK/venv"
    PYTHON=$WORK/venv/bin/python
    "$PYTHON" -m pip install -q numpy jax numba
    [ "${TORCH:-}" = 0 ] || "$PYTHON" -m pip install -q torch pykeops || echo "PyTorch and KeOps are left out" >&2
fi
if [ -z "${WIDEFIELD:-}" ]; then
    cargo build --release --quiet
    WIDEFIELD=target/release/widefield
fi
export WIDEFIELD
COMMIT=${COMMIT:-$(git rev-parse --short HEAD 2>/dev/null || true)}
export COMMIT
# XLA takes every core that it may run on.
pin=()
if [ "$THREADS" -lt "$cores" ] && command -v taskset >/dev/null; then
    pin=(taskset -c "0-$((THREADS - 1))")
fi
"${pin[@]}" "$PYTHON" benches/peers/peers.py
