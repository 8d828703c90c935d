#!/usr/bin/env bash
# tests/fuzz/run.sh SECONDS [TARGET...]: runs the libFuzzer targets of build/fuzz, two at a time
# (PARALLEL), each for so long. What they learn stays in build/fuzz/corpus; an input that breaks something is kept in
# build/fuzz/broken, and `build/fuzz/bin/fuzz_<target> FILE` runs it again.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}
shift
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(cd build/fuzz/bin && ls fuzz_* | sed 's/^fuzz_//')
mkdir -p build/fuzz/corpus build/fuzz/broken

fuzz() {
  local target=$1 log=build/fuzz/$1.log
  mkdir -p "build/fuzz/corpus/$target"
  # Bytes of a body are many: most defects are near its beginning.
  if "build/fuzz/bin/fuzz_$target" "build/fuzz/corpus/$target" "tests/fuzz/seeds/$target" \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=16384 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/broken/$target-" >"$log" 2>&1; then
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing broken"
  else
    tail -n 60 "$log"
    echo "$target: BROKEN; the input is in build/fuzz/broken"
    return 1
  fi
}
export -f fuzz
export seconds
printf '%s\n' "${targets[@]}" | xargs -n 1 -P "${PARALLEL:-2}" bash -c 'fuzz "$0"'
