#!/usr/bin/env bash
# Everything that is to be measured on a machine with a GPU, in one call of less than ten minutes,
# without network and without cargo:
#
#   benches/device.sh [FOLDER]      # results go there; target/device where not given
#
# WIDEFIELD is the program (target/release/widefield), PYTHON an interpreter with torch or jax
# (python3), ADAPTER part of an adapter's name (the discrete GPU where not given), LIBVULKAN a folder
# with libvulkan.so.1 where the system has none. Each part has its own limit of seconds; one that
# fails or is cut off leaves what it printed, and the others go on. FOLDER/parts.md says how each ended.
# PARTS="verify peers" (names as in parts.md) runs these alone; CASES and RIVALS are those of peers/run.sh.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-target/device}
mkdir -p "$out"
out=$(realpath "$out")
WIDEFIELD=$(realpath "${WIDEFIELD:-target/release/widefield}")
export WIDEFIELD PYTHON=${PYTHON:-python3} NODEVICE_SELECT=1
[ -z "${LIBVULKAN:-}" ] || export LD_LIBRARY_PATH="$LIBVULKAN:${LD_LIBRARY_PATH:-}"

# Containers often have NVIDIA's driver without the file that tells the Vulkan loader of it.
if [ -z "${VK_DRIVER_FILES:-}" ] && ! compgen -G '/usr/share/vulkan/icd.d/*' >/dev/null &&
    ! compgen -G '/etc/vulkan/icd.d/*' >/dev/null; then
    for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
        if ldconfig -p | grep -q "$library"; then
            printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3"}}\n' \
                "$library" >"$out/icd.json"
            export VK_DRIVER_FILES=$out/icd.json
            break
        fi
    done
fi

engine=(--engine gpu)
[ -z "${ADAPTER:-}" ] || engine+=(--adapter "$ADAPTER")
printf '| part | ended | seconds |\n|---|---|---|\n' >"$out/parts.md"

# part NAME SECONDS COMMAND...
part() {
    local name=$1 limit=$2 begun=$SECONDS ended=0
    shift 2
    [[ " ${PARTS:-$name} " == *" $name "* ]] || return 0
    timeout -k 5 "$limit" "$@" >"$out/$name.txt" 2>"$out/$name.log" || ended=$?
    [ "$ended" != 124 ] || ended="cut off"
    echo "| $name | $ended | $((SECONDS - begun)) |" | tee -a "$out/parts.md"
}

{ nvidia-smi; lscpu; } >"$out/machine.txt" 2>&1
part adapters 15 "$WIDEFIELD" adapters
part verify 40 "$WIDEFIELD" verify "${engine[@]}"
part bench 45 "$WIDEFIELD" bench "${engine[@]}"
# One by one, so that none takes the others with it. The last has 6.4 GB of particles: do they fit?
for case in 1000000,256,15 1000000,256,32 10000000,256,15 1000000,10000,2 10000,4096,785; do
    part "bench-$case" 20 "$WIDEFIELD" bench "${engine[@]}" --case "$case"
done
part bench-f16 20 "$WIDEFIELD" bench "${engine[@]}" --state f16 --case 10000,4096,785
# Edge 16 is what GPUs with such units have; others refuse it.
part bench-f16-matrices 20 "$WIDEFIELD" bench "${engine[@]}" --state f16 --case 10000,4096,785 \
    --kernels tiled_predict_matrix=16
part verify-matrices 40 "$WIDEFIELD" verify "${engine[@]}" --kernels tiled_predict_matrix=16
part bench-100000000,256,15 70 "$WIDEFIELD" bench "${engine[@]}" --case 100000000,256,15
# shellcheck disable=SC2016
part experiments 70 bash -c 'cd "$1" && shift && time for name in margin-vs-width error-vs-samples error-vs-dimension; do
    time "$WIDEFIELD" run "$name" --out "experiments/$name" --force "$@"
done' -- "$out" "${engine[@]}"
ENGINE=gpu part scaling 45 "$PYTHON" benches/scaling.py "$WIDEFIELD"
export CASES=${CASES:-1000000,256,15 1000,256,15 1000000,256,32}
ENGINE=gpu PATIENCE=45 DEADLINE=140 WORK=$out/peers part peers 180 benches/peers/run.sh
cat "$out/parts.md"
rm -rf "$out/peers" "$out/experiments/"*/runs
