#!/bin/sh
# Starts HAProxy as a plain reverse proxy: one thread, connections to clients and backend kept alive, no logs.
#
#   bench/peers/haproxy.sh LISTEN BACKEND
#
# Both are ADDRESS:PORT; every request is passed on as /classify. It stays in the foreground and ends with HAProxy.
# `ringyard compare proxies` runs it. Exit status 69: HAProxy is not installed.
set -eu

listen=${1:?usage: bench/peers/haproxy.sh LISTEN BACKEND}
backend=${2:?usage: bench/peers/haproxy.sh LISTEN BACKEND}
PATH=$PATH:/usr/sbin
command -v haproxy >/dev/null || { echo "haproxy.sh: HAProxy is not installed (apt install haproxy)" >&2; exit 69; }

work=$(mktemp -d)
server=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$server" ] || kill -TERM "$server" 2>/dev/null || true' TERM INT
cat >"$work/haproxy.cfg" <<CONF
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect 2s
    timeout client 75s
    timeout server 30s
    option http-keep-alive
    http-reuse always
frontend front
    bind $listen
    default_backend back
backend back
    http-request set-path /classify
    server one $backend pool-max-conn 256
CONF
haproxy -f "$work/haproxy.cfg" -db &
server=$!
status=0
wait "$server" || status=$?
# A signal ends the first wait early; the second is for HAProxy itself.
wait "$server" 2>/dev/null || true
exit "$status"
