#!/bin/sh
# Counts the system calls that a server makes for each request, with strace around it while wrk loads it.
#
#   bench/syscalls.sh ENGINE [CONNECTIONS]
#
# ENGINE is one of those of `ringyard classifier --engine`. Needs strace and wrk, and a release build of
# `ringyard` (with the feature `peers` for anything but ring and tokio). strace slows the server down several
# times, so the load saturates it sooner and more requests share a turn: read the figure beside that of the server's own
# counter, which is printed too and was taken without strace.
set -eu

engine=${1:?usage: bench/syscalls.sh ENGINE [CONNECTIONS]}
connections=${2:-64}
target=${CARGO_TARGET_DIR:-$(dirname "$0")/../target}
ringyard=${RINGYARD:-$target/release/ringyard}
seconds=5

for tool in strace wrk; do
    command -v "$tool" >/dev/null || { echo "syscalls.sh: needs $tool (apt install $tool)" >&2; exit 2; }
done
[ -x "$ringyard" ] || { echo "syscalls.sh: build it first: cargo build --release --features peers" >&2; exit 2; }

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

cat >"$work/post.lua" <<'LUA'
wrk.method = "POST"
wrk.body = '{"sequences": ["hello"]}'
LUA

: >"$work/out"

# Starts a server, with the words given before its command, and sets `address`.
serve() {
    "$@" "$ringyard" classifier --engine "$engine" --cores 0 --cost-scale 0 \
        --listen 127.0.0.1:0 >"$work/out" 2>"$work/err" &
    server=$!
    for _ in $(seq 100); do
        address=$(sed -n 's/.*serving http:\/\/\([^ ]*\).*/\1/p' "$work/out")
        [ -z "$address" ] || return 0
        sleep 0.1
    done
    cat "$work/err" >&2
    exit 1
}

load() {
    taskset -c 1 wrk -t1 "-c$connections" "-d${seconds}s" -s "$work/post.lua" \
        "http://$address/classify" | sed -n 's/^ *\([0-9]*\) requests in.*/\1/p'
}

counter() {
    curl -s "http://$address/metrics" | sed -n 's/^ringyard_engine_system_calls_total.* //p' | head -1
}

serve env
before=$(counter)
requests=$(load)
after=$(counter)
kill "$server"
wait "$server" || true
server=
if [ -n "$before" ]; then
    echo "$engine, $connections connections, own counter: $((after - before)) calls, $requests requests," \
        "$(echo "scale=4; ($after - $before) / $requests" | bc) a request"
fi

serve strace -f -c -o "$work/calls"
requests=$(load)
# Strace itself survives the signal and writes its summary once the server has ended.
pkill -TERM -P "$server"
wait "$server" || true
server=
total=$(awk '$NF == "total" { print $4 }' "$work/calls")
echo "$engine, $connections connections, strace: $total calls, $requests requests," \
    "$(echo "scale=4; $total / $requests" | bc) a request"
head -12 "$work/calls"
