#!/bin/sh
# Makes a flame graph of a server under load: where its core's time goes, kernel included.
#
#   bench/profile.sh ENGINE [CONNECTIONS] [OUTPUT.svg]
#
# The server is pinned to CPU 0, the load (wrk) to CPU 1. Samples come from the CPU clock, so that it works where
# hardware counters are not to be had, as in most virtual machines. Needs perf (apt install linux-perf), wrk, and
# the flame graph tools of the crate inferno (cargo install inferno); without the latter it prints a table.
set -eu

engine=${1:?usage: bench/profile.sh ENGINE [CONNECTIONS] [OUTPUT.svg]}
connections=${2:-64}
output=${3:-flame-$engine.svg}
target=${CARGO_TARGET_DIR:-$(dirname "$0")/../target}
ringyard=${RINGYARD:-$target/release/ringyard}
seconds=${SECONDS_SAMPLED:-10}

command -v perf >/dev/null || { echo "profile.sh: needs perf (apt install linux-perf)" >&2; exit 2; }
command -v wrk >/dev/null || { echo "profile.sh: needs wrk (apt install wrk)" >&2; exit 2; }
[ -x "$ringyard" ] || { echo "profile.sh: build it first: cargo build --release --features peers" >&2; exit 2; }
paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
if [ "$paranoid" -gt 1 ] && [ "$(id -u)" -ne 0 ]; then
    echo "profile.sh: the kernel's part will be missing; sysctl kernel.perf_event_paranoid=1 shows it" >&2
fi

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cat >"$work/post.lua" <<'LUA'
wrk.method = "POST"
wrk.body = '{"sequences": ["hello"]}'
LUA

: >"$work/out"
"$ringyard" classifier --engine "$engine" --cores 0 --cost-scale 0 --listen 127.0.0.1:0 >"$work/out" &
server=$!
address=
while [ -z "$address" ]; do
    kill -0 "$server"
    address=$(sed -n 's/.*serving http:\/\/\([^ ]*\).*/\1/p' "$work/out")
    sleep 0.1
done

taskset -c 1 wrk -t1 "-c$connections" "-d$((seconds + 2))s" -s "$work/post.lua" \
    "http://$address/classify" >"$work/wrk" &
load=$!
sleep 1
perf record -q -e cpu-clock -F 997 -g --call-graph fp -p "$server" -o "$work/perf.data" \
    -- sleep "$seconds" 2>/dev/null
wait "$load"
grep 'Requests/sec' "$work/wrk"

if command -v inferno-collapse-perf >/dev/null; then
    perf script -i "$work/perf.data" 2>/dev/null | inferno-collapse-perf 2>/dev/null |
        inferno-flamegraph --title "ringyard classifier, engine $engine, $connections connections" >"$output"
    echo "wrote $output"
else
    echo "profile.sh: cargo install inferno for a flame graph; a table instead:" >&2
    perf report -i "$work/perf.data" --no-children --stdio -g none --percent-limit 1 2>/dev/null |
        grep -v '^#' | grep -v '^$'
fi
