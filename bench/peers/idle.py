#!/usr/bin/env python3
"""Shows what idle connections cost a server in memory and CPU time.

    bench/peers/idle.py ENGINE [CONNECTIONS]

Opens so many connections (10,000 unless said), leaves them alone for 5 s, and prints the resident memory with and
without them and the CPU time used meanwhile. It needs as many descriptors (ulimit -n) and a release build of
ringyard with the feature `peers` (or RINGYARD naming one).
"""

import pathlib
import resource
import socket
import sys
import time

from windows import Server, free_port, ringyard

IDLE_SECONDS = 5


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    engine, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = free_port()
    command = [ringyard(), "classifier", "--engine", engine, "--cores", "0", "--listen", f"127.0.0.1:{port}"]
    server = Server(engine, command, port)
    try:
        before = resident_kib(server.process.pid)
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        time.sleep(1)
        cpu = server.cpu_ns()
        time.sleep(IDLE_SECONDS)
        cpu = (server.cpu_ns() - cpu) / IDLE_SECONDS / 1e9
        after = resident_kib(server.process.pid)
        print(f"{engine}: {len(connections)} idle connections, {before / 1024:.1f} MiB before, "
              f"{after / 1024:.1f} MiB with them, {(after - before) / count:.2f} KiB each, CPU {cpu:.2%}")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
