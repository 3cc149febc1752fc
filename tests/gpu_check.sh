#!/usr/bin/env bash
# The checks that need a CUDA device, in one go of under nine minutes.
#
#     tests/gpu_check.sh pack            where there is a network: headers and small libraries from Debian into build/gpu_check
#     tests/gpu_check.sh [FOLDER]        on the machine with the device: build, test, attack, bench; results into FOLDER
#
# libtorch is that of the machine's python3 (any 2.x with CUDA), OpenCV is not needed. Every part has a time limit of its own and says how it ended;
# the last line is the number of parts that failed. FOLDER gets log files, the attack's run and steps.jsonl.
set -uo pipefail
cd "$(dirname "$0")/.."
packed=$PWD/build/gpu_check
packages=(libstb-dev nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev libfmt9 libtomlplusplus-dev libpcre2-dev libpcre2-8-0 libutf8proc-dev
          libutf8proc2 libboost1.74-dev libssl-dev libssl3 zlib1g-dev zlib1g libgtest-dev libbenchmark-dev)

pack() {
  set -e
  rm -rf "$packed"
  mkdir -p "$packed/archives" "$packed/unpacked"
  (cd "$packed/archives" && apt-get download -qq "${packages[@]}")
  local archive
  for archive in "$packed"/archives/*.deb; do dpkg -x "$archive" "$packed/unpacked"; done
  rm -rf "$packed/archives" "$packed"/unpacked/usr/share/{doc,man} "$packed/unpacked/usr/include/boost/"{asio,spirit,phoenix,geometry,fusion,log,python,wave,test}
  du -sh "$packed"
}

failed=0
part() {  # NAME SECONDS COMMAND...
  local name=$1 limit=$2 start code
  shift 2
  start=$(date +%s)
  timeout "$limit" bash -c "$*" >"$out/$name.log" 2>&1  # functions are exported
  code=$?
  echo "$name: exit code $code, $(($(date +%s) - start)) s"
  [ "$code" -eq 0 ] || { failed=$((failed + 1)); tail -n 15 "$out/$name.log"; }
  return "$code"
}

configure() {
  local unpacked=$packed/unpacked/usr
  local flags=(-S . -B build/gpu -DCMAKE_BUILD_TYPE=Release -DHIJACK_TESTS=ON)
  if [ -d "$unpacked" ]; then
    export PKG_CONFIG_PATH=$unpacked/lib/x86_64-linux-gnu/pkgconfig:$unpacked/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$packed/unpacked
    export LD_LIBRARY_PATH=$unpacked/lib/x86_64-linux-gnu:${LD_LIBRARY_PATH:-}
    flags+=("-DCMAKE_PREFIX_PATH=$unpacked" "-DOPENSSL_ROOT_DIR=$unpacked" -DCMAKE_LIBRARY_ARCHITECTURE=x86_64-linux-gnu)
  fi
  command -v ninja >/dev/null && flags+=(-G Ninja)
  cmake "${flags[@]}"
}

attack() {
  build/gpu/hijack attack --image samples/images/chelsea.png --behavior string --epsilon 16/255 --steps 300 --device cuda --out "$out/attack"
}

bench() {
  python3 tests/bench/make_checkpoints.py smolvlm-256m llava-7b
  python3 tests/bench/side_by_side.py --models smolvlm-256m,llava-7b --contexts 1,8 --dtypes bfloat16,autocast --device cuda --server build/gpu/tests/hijack_step \
    --rows "$out/steps.jsonl" --rounds 3
}

check() {
  out=${1:-build/gpu_check/results}
  mkdir -p "$out"
  nvidia-smi >"$out/device.log" 2>&1 || { echo "no CUDA device: nvidia-smi does not answer"; exit 1; }
  configure >"$out/configure.log" 2>&1 || { tail -n 20 "$out/configure.log"; echo "configure failed"; exit 1; }
  part build 240 cmake --build build/gpu -j "$(nproc)" --target hijack hijack_step test_gpu test_golden || exit 1
  part gpu_tests 90 build/gpu/tests/test_gpu
  part golden_tests 90 build/gpu/tests/test_golden
  part attack 60 attack
  part bench 180 bench
  echo "$failed parts failed"
  [ "$failed" -eq 0 ]
}

export -f attack bench
export packed out
case "${1:-}" in
  pack) pack ;;
  *) out=${1:-build/gpu_check/results}; check "$out" ;;
esac
