#!/usr/bin/env bash
# Runs the whole test suite: on the CPU, on a graphics adapter and, in part, on SwiftShader, the pages
# in a headless browser, the Python of the docs on numpy, pandas and matplotlib. What is missing is
# installed: Mesa's software driver, Chromium, strace and ffmpeg (Debian, Ubuntu; elsewhere it says what
# to install), Python packages in target/python. A test that is skipped fails here.
# WIDEFIELD_ALLOW_NO_GPU=1 leaves a part untested instead of failing; so do BROWSER, PYTHON, STRACE and
# FFMPEG in the place of GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

has_driver() {
    compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null ||
        compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null ||
        [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] || [ "$(uname)" != Linux ]
}

has_browser() {
    local name
    for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null; then return 0; fi
    done
    return 1
}

# A Python of our own, whose packages come from PyPI as wheels.
has_python() { target/python/bin/python -c 'import numpy, pandas, matplotlib' 2>/dev/null; }

make_python() {
    command -v python3 >/dev/null && python3 -c 'import ensurepip' 2>/dev/null ||
        install "Python with venv" python3-venv || return 1
    python3 -m venv target/python &&
        target/python/bin/python -m pip install -q --only-binary :all: numpy pandas matplotlib
}

# install WHAT PACKAGE...: by apt, as root.
install() {
    local what=$1 root=""
    shift
    if ! command -v apt-get >/dev/null; then
        echo "tests/run.sh: no $what found. Install it (Debian calls it $*) and run this again." >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "tests/run.sh: no $what found, and neither root nor sudo to install it." \
                "As root: apt-get install $*" >&2
            return 1
        }
        root=sudo
    fi
    echo "tests/run.sh: no $what found: installing $*" >&2
    $root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "$@" >&2
}

# without VARIABLE WHAT: goes on only where the variable allows it.
without() {
    [ "${!1:-}" = 1 ] || exit 1
    echo "tests/run.sh: $1=1: $2" >&2
}

command -v strace >/dev/null || install "strace" strace ||
    without WIDEFIELD_ALLOW_NO_STRACE "errors of the file system and kills at system calls stay untested"
command -v ffmpeg >/dev/null || install "ffmpeg" ffmpeg ||
    without WIDEFIELD_ALLOW_NO_FFMPEG "movies as MP4 stay untested"
has_driver || install "Vulkan driver" mesa-vulkan-drivers libvulkan1 ||
    without WIDEFIELD_ALLOW_NO_GPU "the gpu engine stays untested"
has_browser || install "browser" chromium-headless-shell || install "browser" chromium ||
    without WIDEFIELD_ALLOW_NO_BROWSER "the pages stay untested"
if has_python || make_python; then
    export WIDEFIELD_PYTHON=$PWD/target/python/bin/python
else
    without WIDEFIELD_ALLOW_NO_PYTHON "the Python of the docs stays untested"
fi
export WIDEFIELD_ALL_TESTS=1
cargo test --release "$@"

# A second driver: SwiftShader, which comes with Chromium. It binds too few buffers for arcs.
[ $# = 0 ] || exit 0
for icd in /usr/lib/chromium*/vk_swiftshader_icd.json; do
    [ -f "$icd" ] || continue
    export VK_DRIVER_FILES=$icd WIDEFIELD_ADAPTER=swiftshader
    "${CARGO_TARGET_DIR:-target}/release/widefield" verify --engine gpu --adapter swiftshader
    cargo test --release --test gpu_accumulated
    exit
done
echo "tests/run.sh: SwiftShader stays untested: no vk_swiftshader_icd.json below /usr/lib/chromium" >&2
