#!/bin/sh
# Runs a PostgreSQL server for a test until standard input ends. Prints its URL once it answers. Ends with 3 if the machine
# has no server to run.
set -eu
for bin in /usr/lib/postgresql/*/bin; do :; done
[ -x "$bin/initdb" ] || exit 3
dir=$(mktemp -d /tmp/onetoken-pg-XXXXXX)
pid=
trap '[ -z "$pid" ] || { kill -QUIT "$pid"; wait "$pid" || :; }; rm -rf "$dir"' EXIT
as=
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as='setpriv --reuid=postgres --regid=postgres --clear-groups'
fi
port=$((20000 + $$ % 20000))
$as "$bin/initdb" -D "$dir/data" -U onetoken --auth=trust --no-sync --locale=C -E UTF8 >"$dir/made" </dev/null
$as "$bin/postgres" -D "$dir/data" -c listen_addresses=127.0.0.1 -c port=$port -c "unix_socket_directories=$dir" \
    -c fsync=off -c shared_buffers=32MB >"$dir/log" 2>&1 </dev/null &
pid=$!
until "$bin/pg_isready" -q -h 127.0.0.1 -p $port; do
    kill -0 "$pid"
    sleep 0.2
done
echo "postgres://onetoken@127.0.0.1:$port/postgres?durable=no"
cat >/dev/null
