#!/bin/sh
# Counts the system calls that a server makes for each request.
#
#   bench/syscalls.sh SERVER [CONNECTIONS]
#
# SERVER is one of those that `ringyard classifier --engine` takes. Three figures, as far as they can be had: the
# engine's own counter; the kernel's, by perf at a tracepoint (apt install linux-perf); and strace's (apt install
# strace), with the calls by name. strace slows the server down several times, so that more requests share a turn:
# read its figure beside the others, and its table for what is called. Opening and closing of the load's connections
# is part of the last two.
set -eu

engine=${1:?usage: bench/syscalls.sh SERVER [CONNECTIONS]}
connections=${2:-64}
target=${CARGO_TARGET_DIR:-$(dirname "$0")/../target}
ringyard=${RINGYARD:-$target/release/ringyard}
seconds=5

[ -x "$ringyard" ] || { echo "syscalls.sh: build it first: cargo build --release --features peers" >&2; exit 2; }

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

# Starts a server, with the words given before its command, and sets `address`.
serve() {
    : >"$work/out"
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

# Loads the server and sets `requests`. The load's status says whether it had anything to spare; the calls are the
# server's either way.
load() {
    "$ringyard" load "http://$address/classify" --quiet --no-calibration --cores 1 --connections "$connections" \
        --duration "${seconds}s" --header 'content-type: application/json' --body '{"sequences": ["hello"]}' \
        --json "$work/load.json" >"$work/load" || true
    requests=$(sed -n 's/^  "answered": \([0-9]*\),$/\1/p' "$work/load.json")
}

# The engine's own counter; nothing for a server that has none.
counter() {
    curl -s "http://$address/metrics" | sed -n 's/^ringyard_engine_system_calls_total.* //p' | head -1
}

say() {
    echo "$engine, $connections connections, $1: $2 calls, $requests requests," \
        "$(awk "BEGIN { printf \"%.4f\", $2 / $requests }") a request"
}

serve env
if command -v curl >/dev/null; then
    before=$(counter)
    load
    after=$(counter)
    [ -z "$before" ] || say "own counter" "$((after - before))"
else
    echo "syscalls.sh: the own counter is read with curl (apt install curl)" >&2
fi
if command -v perf >/dev/null && perf stat -e raw_syscalls:sys_enter -- true >/dev/null 2>&1; then
    perf stat -x, -e raw_syscalls:sys_enter -p "$server" -o "$work/perf" -- sleep "$((seconds + 2))" &
    perf=$!
    sleep 0.5
    load
    wait "$perf"
    say perf "$(sed -n 's/^\([0-9]*\),,raw_syscalls:sys_enter,.*/\1/p' "$work/perf")"
else
    echo "syscalls.sh: perf (apt install linux-perf) with access to tracepoints (root) would count too" >&2
fi
kill "$server"
wait "$server" || true
server=

if command -v strace >/dev/null; then
    serve strace -f -c -o "$work/calls"
    load
    # strace itself survives the signal and writes its summary once the server has ended.
    pkill -TERM -P "$server"
    wait "$server" || true
    server=
    say strace "$(awk '$NF == "total" { print $4 }' "$work/calls")"
    head -12 "$work/calls"
else
    echo "syscalls.sh: strace (apt install strace) shows the calls by name" >&2
fi
