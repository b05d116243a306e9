#!/usr/bin/env bash
# Everything that has to pass before a change goes in. Needs Rust; installs what else is missing.
set -euo pipefail
cd "$(dirname "$0")"

as_root=()
if [[ $(id -u) -ne 0 ]]; then as_root=(sudo); fi
get() {
  echo "installing $*"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# The programs and the Debian packages that they come in. A C compiler builds SQLite, curl runs the README's lines.
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v curl >/dev/null || missing+=(curl)
# Python and Node run verifiers of signatures that others wrote.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
scripts/postgres.sh find >/dev/null 2>&1 || missing+=(postgresql)
[[ -x /usr/sbin/pgbouncer ]] || missing+=(pgbouncer)
if ((${#missing[@]})); then "${as_root[@]}" apt-get update -qq; fi
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
  # The package would make a cluster of its own, start it and leave it running: the tests start their own.
  get postgresql-common
  "${as_root[@]}" sed -ri 's/^#?\s*create_main_cluster\s*=.*/create_main_cluster = false/' \
    /etc/postgresql-common/createcluster.conf
fi
if ((${#missing[@]})); then get "${missing[@]}"; fi
if [[ " ${missing[*]} " == *" pgbouncer "* ]]; then
  # Nor should this package's service run: the tests start one of their own.
  "${as_root[@]}" service pgbouncer stop >/dev/null 2>&1 || true
fi

for component in rustfmt clippy; do
  if ! cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1; then rustup component add "$component"; fi
done

step() {
  printf '\n== %s\n' "$*"
  "$@"
}

# A PostgreSQL server for the tests, which is stopped whatever happens. Each test makes a schema of its own in it.
start_postgres() {
  local home
  home=$(mktemp -d /tmp/resthooks-test.XXXXXX)
  chmod 0755 "$home"
  trap "scripts/postgres.sh stop '$home/postgres'; rm -rf '$home'" EXIT
  # A signal ends the script by way of the trap above.
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  RESTHOOKS_TEST_POSTGRES=$(scripts/postgres.sh start "$home/postgres")
  export RESTHOOKS_TEST_POSTGRES
}

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --locked
start_postgres
# The whole of it: unit tests, integration tests over real sockets, the examples in the documentation.
step cargo test --workspace --locked
