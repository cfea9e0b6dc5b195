#!/usr/bin/env bash
# The promises that take minutes or an idle machine: a million requests, 10,000 idle connections, slow clients.
# Prints the figures; fails if a promise is not kept.
set -euo pipefail
cd "$(dirname "$0")/.."

needed=11000
ulimit -n "$needed" 2>/dev/null || {
    echo "soak: needs $needed open files, the hard limit is $(ulimit -Hn); raise it: ulimit -Hn $needed as root" >&2
    exit 1
}
exec cargo test --release -p ringyard --test binary -- --ignored --nocapture --test-threads=1
