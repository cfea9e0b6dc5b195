#!/usr/bin/env python3
"""Compares servers by CPU time per request, in interleaved windows of one second.

    bench/peers/windows.py classifier --connections 64 baseline baseline ring tokio
    bench/peers/windows.py proxy --connections 64 nginx haproxy ring

Every server is pinned to CPU 0 (a proxy beside its backend), wrk to CPU 1. One window of each server follows the
other, round after round; CPU time is that of all threads of the server (schedstat). A window in which the
hypervisor stole more than 8 % of either CPU is thrown away with its round's pair. Shown are the median CPU time
per request, the median over rounds of its ratio to the first server with the quartiles, and requests per second. Name the
first server twice for an A/A control: what differs there is noise. A name may be followed by flags of its own, each after a colon:
ring:--congestion-control=reno. Peers that are not installed are skipped.

It needs wrk, and a release build of ringyard with the feature `peers` (or RINGYARD naming one).
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
STEAL_MAX = 0.08
BODY = '{"sequences": ["hello"]}'


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


class Server:
    """A process on CPU 0, and what its threads and children use."""

    def __init__(self, name, command, port):
        self.name, self.port = name, port
        self.process = subprocess.Popen(["taskset", "-c", "0", *command], stdout=subprocess.DEVNULL)
        wait_for(port)

    def pids(self):
        pids, found = [], [self.process.pid]
        while found:
            pid = found.pop()
            pids.append(pid)
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
        return pids

    def cpu_ns(self):
        total = 0
        for pid in self.pids():
            for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    total += int(stat.read_text().split()[0])
                except OSError:
                    pass  # The thread has just ended.
        return total

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()


def ringyard():
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")
    path = os.environ.get("RINGYARD", pathlib.Path(target) / "release" / "ringyard")
    if not pathlib.Path(path).exists():
        sys.exit("build it first: cargo build --release --features peers")
    return str(path)


def start(kind, name, backend_port, work, extra):
    port = free_port()
    listen = f"127.0.0.1:{port}"
    if name in ("nginx", "haproxy"):
        if not shutil.which(name):
            print(f"{name} is not installed (apt install {name}); skipped")
            return None
        suffix = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}[name]
        text = (HERE / f"{suffix}.in").read_text()
        for key, value in (("LISTEN", listen), ("BACKEND", f"127.0.0.1:{backend_port}"), ("WORK", work)):
            text = text.replace(f"@{key}@", value)
        config = pathlib.Path(work) / suffix
        config.write_text(text)
        arguments = ["-p", work, "-c", str(config)] if name == "nginx" else ["-f", str(config), "-db"]
        return Server(name, [shutil.which(name), *arguments], port)
    command = [ringyard(), kind, "--engine", name, "--cores", "0", "--listen", listen, *extra]
    if kind == "classifier":
        command += ["--cost-scale", "0"]
    else:
        command += ["--backend", f"http://127.0.0.1:{backend_port}", "--strategy", "sjf"]
        command += ["--max-batch-items", "1", "--max-items", "1"]
        if not any(flag.startswith("--backend-concurrency") for flag in extra):
            command += ["--backend-concurrency", "64"]
    return Server(name, command, port)


def stolen():
    lines = [line.split() for line in open("/proc/stat") if re.match(r"cpu[01] ", line)]
    return [int(line[8]) for line in lines]


def window(server, path, connections, script):
    stolen_before, cpu_before, began = stolen(), server.cpu_ns(), time.monotonic()
    output = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", "-d1s", "-s", script, "--latency",
         f"http://127.0.0.1:{server.port}{path}"], capture_output=True, text=True).stdout
    cpu, took = server.cpu_ns() - cpu_before, time.monotonic() - began
    steal = max(after - before for before, after in zip(stolen_before, stolen())) / (took * 100)
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    if "Non-2xx" in output or requests == 0:
        sys.exit(f"{server.name}: {output}")
    p50 = re.search(r"50%\s+(\S+)", output).group(1)
    return {"cpu_ns": cpu / requests, "quiet": steal <= STEAL_MAX, "rps": requests / took, "p50": p50}


def write_script(work, pipeline, close):
    head = "POST {path} HTTP/1.1\\r\\nHost: a\\r\\nContent-Type: application/json\\r\\n"
    head += "Connection: close\\r\\n" if close else ""
    head += f"Content-Length: {len(BODY)}\\r\\n\\r\\n"
    script = pathlib.Path(work) / "requests.lua"
    script.write_text(
        f"local function one() return '{head}{BODY}' end\n"
        "local all\n"
        "init = function() all = string.rep((string.gsub(one(), '{path}', wrk.path)), "
        f"{pipeline}) end\n"
        "request = function() return all end\n")
    return str(script)


def report(servers, rounds):
    first = 0
    for index, server in enumerate(servers):
        pairs = [row for row in rounds if row[index]["quiet"] and row[first]["quiet"]]
        if not pairs:
            print(f"{server.name:24} no quiet window")
            continue
        ratios = sorted(row[index]["cpu_ns"] / row[first]["cpu_ns"] for row in pairs)
        cpu = statistics.median(row[index]["cpu_ns"] for row in pairs)
        rps = statistics.median(row[index]["rps"] for row in pairs)
        low, high = ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]
        print(f"{server.name:24} {cpu:8.0f} ns/request  ratio {statistics.median(ratios):.3f} "
              f"[{low:.3f}..{high:.3f}] of {len(pairs)} pairs  {rps:8.0f} requests/s  "
              f"p50 {pairs[-1][index]['p50']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("classifier", "proxy"))
    parser.add_argument("servers", nargs="+")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--pipeline", type=int, default=1)
    parser.add_argument("--close", action="store_true", help="a new connection for each request")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--with", dest="extra", default="", help="more flags for ringyard's servers")
    arguments = parser.parse_args()
    path = {"classifier": "/classify", "proxy": "/proxy_classify"}[arguments.kind]
    running = []
    with tempfile.TemporaryDirectory() as work:
        script = write_script(work, arguments.pipeline, arguments.close)
        try:
            backend = None
            if arguments.kind == "proxy":
                backend = start("classifier", "ring", 0, work, [])
                running.append(backend)
            servers = []
            for name in arguments.servers:
                port = backend.port if backend else 0
                engine, *flags = name.split(":")
                server = start(arguments.kind, engine, port, work, arguments.extra.split() + flags)
                if server:
                    server.name = name
                    servers.append(server)
                    running.append(server)
            rounds = []
            for number in range(arguments.rounds + 1):
                row = [window(server, path, arguments.connections, script) for server in servers]
                if number > 0:
                    rounds.append(row)
            report(servers, rounds)
        finally:
            for server in running:
                server.stop()


if __name__ == "__main__":
    main()
