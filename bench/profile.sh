#!/bin/sh
# Makes a flame graph of a server under load: where its core's time goes, kernel included.
#
#   bench/profile.sh SERVER [CONNECTIONS] [OUTPUT.svg]
#
# SERVER is one of those that `ringyard classifier --engine` takes. It is pinned to CPU 0, the load (`ringyard load`)
# to CPU 1. Samples come from the CPU clock, so that it works where hardware counters are not to be had, as in most
# virtual machines. Needs perf (apt install linux-perf) and the flame graph tools of the crate inferno (cargo install
# inferno); without the latter it prints a table. For whole stacks of our own functions build with frame pointers:
#
#   RUSTFLAGS="-C force-frame-pointers=yes" cargo build --release --features peers
set -eu

engine=${1:?usage: bench/profile.sh SERVER [CONNECTIONS] [OUTPUT.svg]}
connections=${2:-64}
output=${3:-flame-$engine.svg}
target=${CARGO_TARGET_DIR:-$(dirname "$0")/../target}
ringyard=${RINGYARD:-$target/release/ringyard}
seconds=${SECONDS_SAMPLED:-10}
PATH=$PATH:$HOME/.cargo/bin

command -v perf >/dev/null || { echo "profile.sh: needs perf (apt install linux-perf)" >&2; exit 2; }
[ -x "$ringyard" ] || { echo "profile.sh: build it first: cargo build --release --features peers" >&2; exit 2; }
paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
if [ "$paranoid" -gt 1 ] && [ "$(id -u)" -ne 0 ]; then
    echo "profile.sh: the kernel's part will be missing; sysctl kernel.perf_event_paranoid=1 shows it" >&2
fi

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

: >"$work/out"
"$ringyard" classifier --engine "$engine" --cores 0 --cost-scale 0 --listen 127.0.0.1:0 >"$work/out" &
server=$!
address=
while [ -z "$address" ]; do
    kill -0 "$server"
    address=$(sed -n 's/.*serving http:\/\/\([^ ]*\).*/\1/p' "$work/out")
    sleep 0.1
done

"$ringyard" load "http://$address/classify" --quiet --no-calibration --cores 1 --connections "$connections" \
    --duration "$((seconds + 2))s" --header 'content-type: application/json' \
    --body '{"sequences": ["hello"]}' >"$work/load" &
load=$!
sleep 1
perf record -q -e cpu-clock -F 997 --call-graph fp -p "$server" -o "$work/perf.data" \
    -- sleep "$seconds" 2>"$work/perf.log" || { cat "$work/perf.log" >&2; exit 1; }
# The load says by its status whether it had anything to spare; the profile is the server's either way.
wait "$load" || true
sed -n 2p "$work/load"

if command -v inferno-collapse-perf >/dev/null && command -v inferno-flamegraph >/dev/null; then
    perf script -i "$work/perf.data" 2>/dev/null | inferno-collapse-perf 2>/dev/null |
        inferno-flamegraph --title "ringyard classifier, $engine, $connections connections" >"$output"
    echo "wrote $output"
else
    echo "profile.sh: cargo install inferno for a flame graph; a table instead:" >&2
    perf report -i "$work/perf.data" --no-children --stdio -g none --percent-limit 1 2>/dev/null |
        grep -v '^#' | grep -v '^$'
fi
perf report -i "$work/perf.data" --no-children --stdio -g none --sort dso --percent-limit 0.5 2>/dev/null |
    grep -v '^#' | grep -v '^$'
