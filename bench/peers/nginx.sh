#!/bin/sh
# Starts nginx as a plain reverse proxy: one worker, connections to clients and backend kept alive, no logs.
#
#   bench/peers/nginx.sh LISTEN BACKEND
#
# Both are ADDRESS:PORT; /proxy_classify is passed on as /classify. It stays in the foreground and ends with nginx.
# `ringyard compare proxies` runs it. Exit status 69: nginx is not installed.
set -eu

listen=${1:?usage: bench/peers/nginx.sh LISTEN BACKEND}
backend=${2:?usage: bench/peers/nginx.sh LISTEN BACKEND}
PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || { echo "nginx.sh: nginx is not installed (apt install nginx)" >&2; exit 69; }

work=$(mktemp -d)
server=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$server" ] || kill -TERM "$server" 2>/dev/null || true' TERM INT
cat >"$work/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log stderr crit;
events { worker_connections 20000; use epoll; multi_accept on; }
http {
    access_log off;
    tcp_nodelay on;
    keepalive_requests 100000000;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    upstream backend { server $backend; keepalive 256; keepalive_requests 100000000; }
    server {
        listen $listen;
        location = /proxy_classify {
            proxy_pass http://backend/classify;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}
CONF
nginx -p "$work" -c "$work/nginx.conf" &
server=$!
status=0
wait "$server" || status=$?
# A signal ends the first wait early; the second is for nginx itself.
wait "$server" 2>/dev/null || true
exit "$status"
