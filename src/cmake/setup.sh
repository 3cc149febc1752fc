#!/usr/bin/env bash
# Installs what the build needs and is not there yet: Debian packages, and libtorch into .venv where none is found.
# Touches nothing (and needs no network) when everything is installed. Arguments are further Debian packages.
set -euo pipefail
cd "$(dirname "$0")/../.."

torch_version=2.13.0
packages=(g++ cmake ninja-build ccache pkg-config python3 libopencv-dev libstb-dev libcli11-dev libspdlog-dev libgtest-dev
          libbenchmark-dev fonts-dejavu-core nlohmann-json3-dev libtomlplusplus-dev libpcre2-dev libutf8proc-dev
          libcpp-httplib-dev libssl-dev libboost-dev zlib1g-dev libtesseract-dev tesseract-ocr-eng "$@")

say() { echo "setup: $*"; }

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' || echo "$package"
  done
}

install_packages() {
  if ! command -v dpkg >/dev/null; then
    say "this is not a Debian system; install the equivalents of: ${packages[*]}"
    return
  fi
  local missing as_root=()
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      say "missing packages; as root run: apt-get install ${missing}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  say "installing ${missing}"
  "${as_root[@]}" apt-get update -qq
  # shellcheck disable=SC2086
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# The Python command $1 can import a torch of version 2 or newer.
has_torch() { "$1" -c 'import sys, torch; sys.exit(int(torch.__version__.split(".")[0]) < 2)' >/dev/null 2>&1; }

# TorchConfig.cmake lies where CMake will look: Torch_DIR, or a folder of CMAKE_PREFIX_PATH.
given_torch() {
  local prefix prefixes
  [ -z "${Torch_DIR:-}" ] || { [ -e "$Torch_DIR/TorchConfig.cmake" ] && return 0; }
  IFS=':;' read -ra prefixes <<<"${CMAKE_PREFIX_PATH:-}"
  for prefix in "${prefixes[@]}"; do
    [ ! -e "$prefix/share/cmake/Torch/TorchConfig.cmake" ] && [ ! -e "$prefix/Torch/TorchConfig.cmake" ] || return 0
  done
  return 1
}

install_torch() {
  if given_torch || has_torch python3 || has_torch .venv/bin/python; then
    return
  fi
  if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    packages=(python3 python3-venv)
    install_packages
  fi
  say "installing torch ${torch_version} into .venv (no libtorch found)"
  python3 -m venv .venv
  # Exactly this version: any other specifier may pull several GB of CUDA packages.
  .venv/bin/pip install --quiet --disable-pip-version-check "torch==${torch_version}"
  has_torch .venv/bin/python || { say "torch was installed into .venv but cannot be imported" >&2; exit 1; }
}

install_packages
install_torch
