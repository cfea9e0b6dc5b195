#!/usr/bin/env python3
"""Compares load generators by CPU time per request, in interleaved windows of one second.

    bench/peers/generators.py --connections 64 wrk wrk ringyard
    bench/peers/generators.py --connections 64 --pipeline 16 --server nginx wrk wrk ringyard

One server, pinned to CPU 0, is loaded in turn by each generator, pinned to CPU 1, round after round. CPU time is what
the kernel accounts to the generator's process (wait4), its start included. A window in which the hypervisor stole more
than 8 % of either CPU is thrown away with its round's pair. Shown are the median CPU time per request, the median over
rounds of its ratio to the first generator with the quartiles, and requests per second with theirs. Name the first generator
twice for an A/A control: what differs there is noise. A name may be followed by flags of its own, each after a colon:
ringyard:--engine=tokio. A path stands for ringyard's binary of that name.

It needs wrk, and a release build of ringyard (or RINGYARD naming one); nginx for --server nginx and nginx-gzip.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
STEAL_MAX = 0.08
# nginx-gzip compresses a page for each request: there the server is the bottleneck, whoever asks.
PATHS = {"ringyard": "/healthz", "nginx": "/", "nginx-gzip": "/page.html"}
HEADERS = ["-H", "accept-encoding: gzip"]
NGINX = """daemon off; worker_processes 1; master_process off; pid {work}/nginx.pid; error_log {work}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000;
server {{ listen 127.0.0.1:{port} backlog=4096; root {work};
location / {{ return 200 "ok"; }} location /page.html {{ default_type text/html; gzip on; }} }} }}
"""


def ringyard():
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")
    path = pathlib.Path(os.environ.get("RINGYARD", pathlib.Path(target) / "release" / "ringyard"))
    if not path.exists():
        sys.exit("build it first: cargo build --release")
    return str(path)


def stolen():
    lines = [line.split() for line in open("/proc/stat") if re.match(r"cpu[01] ", line)]
    return [int(line[8]) for line in lines]


def start_server(kind, work):
    """A server on CPU 0, and its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    if kind.startswith("nginx"):
        config = pathlib.Path(work) / "nginx.conf"
        config.write_text(NGINX.format(work=work, port=port))
        pathlib.Path(work, "page.html").write_text("".join(f"<p>line {number}</p>\n" for number in range(1000)))
        command = [shutil.which("nginx"), "-p", work, "-c", str(config)]
    else:
        command = [ringyard(), "classifier", "--listen", f"127.0.0.1:{port}", "--cost-scale", "0"]
    process = subprocess.Popen(["taskset", "-c", "0", *command], stdout=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.05)
    process.kill()
    sys.exit(f"{kind} does not listen on port {port}")


def command_of(name, url, arguments, work):
    kind, *flags = name.split(":")
    if kind == "wrk":
        script = pathlib.Path(work) / "pipeline.lua"
        script.write_text(
            "init = function() local one = wrk.format(); "
            f"all = string.rep(one, {arguments.pipeline}) end\nrequest = function() return all end\n")
        lua = ["-s", str(script)] if arguments.pipeline > 1 else []
        return ["wrk", "-t1", f"-c{arguments.connections}", f"-d{arguments.seconds}s", *lua, *HEADERS, *flags, url]
    binary = ringyard() if kind == "ringyard" else kind
    return [binary, "load", url, "-c", str(arguments.connections), "-p", str(arguments.pipeline), "--cores", "1",
            "-d", f"{arguments.seconds}s", "--quiet", "--no-calibration", "--grace", "0s",
            "--json", f"{work}/report.json", *HEADERS, *flags]


def window(name, url, arguments, work):
    before, began = stolen(), time.monotonic()
    command = ["taskset", "-c", "1", *command_of(name, url, arguments, work)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    took = time.monotonic() - began
    steal = max(after - earlier for earlier, after in zip(before, stolen())) / (took * 100)
    if name.startswith("wrk"):
        requests = int(re.search(r"(\d+) requests in", output).group(1))
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
        if "Non-2xx" in output or "Socket errors" in output:
            sys.exit(output)
    else:
        report = json.loads(pathlib.Path(work, "report.json").read_text())
        requests, rate = report["answered"], report["throughput_per_second"]
        if report["error_rate"] > 0:
            sys.exit(output)
    return {"cpu_ns": (usage.ru_utime + usage.ru_stime) * 1e9 / max(requests, 1), "rate": rate,
            "quiet": steal <= STEAL_MAX}


def quartiles(values):
    values = sorted(values)
    low, high = values[len(values) // 4], values[3 * len(values) // 4]
    return f"{statistics.median(values):.3f} [{low:.3f}..{high:.3f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generators", nargs="+")
    parser.add_argument("--server", choices=PATHS, default="ringyard")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--pipeline", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=1, help="length of a window")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    for tool in {"wrk"} | ({"nginx"} if arguments.server.startswith("nginx") else set()):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed (apt install {tool})")
    with tempfile.TemporaryDirectory() as work:
        server, port = start_server(arguments.server, work)
        url = f"http://127.0.0.1:{port}{PATHS[arguments.server]}"
        try:
            rounds = [[window(name, url, arguments, work) for name in arguments.generators]
                      for _ in range(arguments.rounds + 1)][1:]
        finally:
            server.terminate()
            server.wait()
    print(f"{arguments.connections} connections, {arguments.pipeline} deep, against {arguments.server}")
    for index, name in enumerate(arguments.generators):
        pairs = [row for row in rounds if row[index]["quiet"] and row[0]["quiet"]]
        if not pairs:
            print(f"{name:24} no quiet window")
            continue
        cpu = statistics.median(row[index]["cpu_ns"] for row in pairs)
        rate = statistics.median(row[index]["rate"] for row in pairs)
        ratio = quartiles([row[index]["cpu_ns"] / row[0]["cpu_ns"] for row in pairs])
        rates = quartiles([row[index]["rate"] / row[0]["rate"] for row in pairs])
        print(f"{name:24} {cpu:8.0f} ns/request, ratio {ratio}; {rate:8.0f} requests/s, ratio {rates}; "
              f"{len(pairs)} pairs")


if __name__ == "__main__":
    main()
