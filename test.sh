#!/usr/bin/env bash
# Everything that has to pass before a change goes in. Needs Rust; installs what else is missing.
set -euo pipefail
cd "$(dirname "$0")"

# The programs and the Debian packages that they come in. A C compiler builds SQLite, curl runs the README's lines.
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v curl >/dev/null || missing+=(curl)
if ((${#missing[@]})); then
  as_root=()
  if [[ $(id -u) -ne 0 ]]; then as_root=(sudo); fi
  echo "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

for component in rustfmt clippy; do
  if ! cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1; then rustup component add "$component"; fi
done

step() {
  printf '\n== %s\n' "$*"
  "$@"
}

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --locked
# The whole of it: unit tests, integration tests over real sockets, the examples in the documentation.
step cargo test --workspace --locked
