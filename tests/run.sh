#!/usr/bin/env bash
# Runs the whole test suite, on the CPU and on a graphics adapter. Where no Vulkan driver is found
# it installs Mesa's software driver (Debian, Ubuntu); elsewhere it says what to install.
# WIDEFIELD_ALLOW_NO_GPU=1 leaves the gpu engine untested instead of failing.
set -euo pipefail
cd "$(dirname "$0")/.."

has_driver() {
    compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null ||
        compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null ||
        [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] || [ "$(uname)" != Linux ]
}

install_driver() {
    if ! command -v apt-get >/dev/null; then
        echo "tests/run.sh: no Vulkan driver found. Install Mesa's software driver (Fedora:" \
            "mesa-vulkan-drivers; Arch: vulkan-swrast; Nix: mesa) and run this again." >&2
        return 1
    fi
    local root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "tests/run.sh: no Vulkan driver found, and neither root nor sudo to install it." \
                "As root: apt-get install mesa-vulkan-drivers libvulkan1" >&2
            return 1
        }
        root=sudo
    fi
    echo "tests/run.sh: no Vulkan driver found: installing mesa-vulkan-drivers" >&2
    $root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq mesa-vulkan-drivers libvulkan1 >&2
}

if ! has_driver && ! install_driver; then
    [ "${WIDEFIELD_ALLOW_NO_GPU:-}" = 1 ] || exit 1
    echo "tests/run.sh: WIDEFIELD_ALLOW_NO_GPU=1: the gpu engine stays untested" >&2
fi
cargo test --release "$@"
