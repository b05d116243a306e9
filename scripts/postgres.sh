#!/usr/bin/env bash
# A PostgreSQL server of the tests' own, in a directory of its own: it listens on the loopback address alone, and all of
# it is gone when it is stopped.
#
#   url=$(scripts/postgres.sh start DIR)    DIR must not be there yet
#   scripts/postgres.sh stop DIR
#   scripts/postgres.sh find                where its programs are
set -euo pipefail
# Whoever runs the server must be able to be here.
cd /

usage() {
  echo "usage: postgres.sh start|stop DIR, or postgres.sh find" >&2
  exit 2
}

# The newest server there is: Debian keeps them out of PATH.
binaries() {
  local newest
  shopt -s nullglob
  newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres | sort -V | tail -n 1)
  if [[ -x $newest ]]; then
    dirname "$newest"
  elif command -v postgres initdb pg_ctl >/dev/null; then
    dirname "$(command -v postgres)"
  else
    echo "there is no PostgreSQL server: install the package postgresql" >&2
    return 1
  fi
}

# PostgreSQL refuses to run as root.
as_owner() {
  if [[ $(id -u) -eq 0 ]]; then runuser -u "$owner" -- "$@"; else "$@"; fi
}

make_cluster() {
  mkdir -m 0700 "$dir"
  if [[ $(id -u) -eq 0 ]]; then chown "$owner" "$dir"; fi
  as_owner mkdir -m 0700 "$dir/socket"
  as_owner tee "$dir/password" >/dev/null <<<"$1"
  # By password in clear over the loopback: hashing it costs more than a test's whole connection does. Nobody else on
  # this machine gets in.
  as_owner "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=password --pwfile="$dir/password" \
    --encoding=UTF8 --no-locale >"$dir.log" 2>&1
  as_owner tee -a "$dir/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir/socket'
# Tests run side by side, each with several nodes.
max_connections = 300
# What counts is whether a promise is kept, so that writes are flushed as they are in earnest.
fsync = on
CONF
}

start() {
  local password port
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  # Whatever fails below ends the script, and leaves nothing behind but what it said.
  trap 'cat "$dir.log" "$dir/server.log" >&2 2>/dev/null || true; stop' EXIT
  make_cluster "$password"
  # A port is free only once it is taken: whoever finds it in use tries another one.
  for _ in {1..50}; do
    port=$((20000 + RANDOM % 20000))
    if as_owner "$bin/pg_ctl" start --pgdata="$dir/data" --log="$dir/server.log" --wait --timeout=60 \
      --options="-p $port" >"$dir.log" 2>&1; then
      trap - EXIT
      rm -f "$dir.log"
      echo "postgres://postgres:$password@127.0.0.1:$port/postgres"
      return
    fi
    if ! as_owner grep -q 'Address already in use' "$dir/server.log"; then break; fi
    as_owner rm -f "$dir/server.log"
  done
  exit 1
}

stop() {
  local pid
  if pid=$(as_owner head -n 1 "$dir/data/postmaster.pid" 2>/dev/null); then
    # Open connections are broken off; should that take long, everything is.
    kill -INT "$pid" 2>/dev/null || true
    for n in {1..300}; do
      if ! kill -0 "$pid" 2>/dev/null; then break; fi
      if ((n == 200)); then kill -QUIT "$pid" 2>/dev/null || true; fi
      sleep 0.1
    done
  fi
  rm -rf "$dir" "$dir.log"
}

if [[ $# -eq 1 && $1 == find ]]; then
  binaries
  exit
fi
[[ $# -eq 2 && $2 == /* ]] || usage
dir=$2
owner=postgres
id "$owner" >/dev/null 2>&1 || owner=nobody
case $1 in
  start)
    bin=$(binaries)
    start
    ;;
  stop) stop ;;
  *) usage ;;
esac
