#!/usr/bin/env python3
"""Latency of one connection with one request at a time, in interleaved rounds.

    bench/peers/depth1.py --engine=ring --engine=ring --engine=ring,--spin=50us --engine=tokio,--spin=50us

Each argument is a classifier's flags, with commas between. Every server is pinned to CPU 0, this client to CPU 1,
where it looks for its answer without ever sleeping, so that only the server's own waking up counts. Shown are the
medians over rounds of p50 and p99, and of the ratio of p50 to the first server's, with the quartiles. Name the first
server twice for an A/A control. It needs a release build of ringyard (or RINGYARD naming one).
"""

import argparse
import os
import pathlib
import re
import socket
import statistics
import subprocess
import time

BODY = b'{"sequences": ["hello"]}'
REQUEST = b"POST /classify HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
TARGET = os.environ.get("CARGO_TARGET_DIR", pathlib.Path(__file__).parents[2] / "target")
RINGYARD = os.environ.get("RINGYARD", pathlib.Path(TARGET) / "release" / "ringyard")


def start(flags):
    """A classifier with these flags, and a connection to it."""
    command = [RINGYARD, "classifier", "--cost-scale=0", "--cores=0", "--listen=127.0.0.1:0", *flags.split(",")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    port = int(re.search(r"serving http://127\.0\.0\.1:(\d+)", server.stdout.readline())[1])
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    return server, connection


def ask(connection):
    """Nanoseconds from a request to its answer, which is read without blocking."""
    began = time.perf_counter_ns()
    connection.send(REQUEST)
    while True:
        try:
            answer = connection.recv(4096)
            break
        except BlockingIOError:
            pass
    took = time.perf_counter_ns() - began
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"}"), answer
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=2000, help="in each round, for each server")
    arguments, servers = parser.parse_known_args()
    if not servers:
        parser.error("name the flags of at least one server")
    running = [start(flags) for flags in servers]
    try:
        os.sched_setaffinity(0, {1})
        rounds = []
        for number in range(arguments.rounds + 1):
            row = []
            for _, connection in running:
                took = sorted(ask(connection) for _ in range(arguments.requests))
                row.append((took[len(took) // 2] / 1000, took[len(took) * 99 // 100] / 1000))
            if number > 0:
                rounds.append(row)
    finally:
        for server, _ in running:
            server.terminate()
            server.wait()
    for index, flags in enumerate(servers):
        p50, p99 = (statistics.median(row[index][which] for row in rounds) for which in (0, 1))
        ratios = sorted(row[index][0] / row[0][0] for row in rounds)
        low, high = ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]
        print(f"{flags:32} p50 {p50:7.1f} us  p99 {p99:7.1f} us  "
              f"ratio of p50 {statistics.median(ratios):.3f} [{low:.3f}..{high:.3f}]")


if __name__ == "__main__":
    main()
