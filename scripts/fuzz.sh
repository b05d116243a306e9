#!/usr/bin/env bash
# Runs each fuzz target, or those that are named, for a bounded time; fails with the first crash.
#   scripts/fuzz.sh [seconds for each [target...]]
# New inputs go to fuzz/found, crashes to fuzz/artifacts; the corpora in fuzz/corpus stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: scripts/fuzz.sh [seconds for each [target...]]" >&2
  exit 2
fi
shift || true
if ! cargo fuzz --version >/dev/null 2>&1; then
  echo "installing cargo-fuzz"
  cargo install cargo-fuzz --locked
fi

# The coverage that the fuzzer steers by needs flags that the stable compiler keeps for itself. Memory is safe here: the
# sanitizers that need a nightly one would find nothing.
export RUSTC_BOOTSTRAP=1
all=$(cargo fuzz list)
targets=("$@")
if ((${#targets[@]} == 0)); then mapfile -t targets <<<"$all"; fi
for target in "${targets[@]}"; do
  if ! grep -qx -- "$target" <<<"$all"; then
    echo "there is no fuzz target $target; there are: ${all//$'\n'/ }" >&2
    exit 2
  fi
done
for target in "${targets[@]}"; do
  printf '\n== %s, %s s\n' "$target" "$seconds"
  mkdir -p "fuzz/found/$target" "fuzz/corpus/$target"
  # A run that takes 10 s, or needs 2 GiB, is a crash too.
  cargo fuzz run --sanitizer none "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
done
