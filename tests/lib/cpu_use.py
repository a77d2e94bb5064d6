#!/usr/bin/env python3
"""What cgroups use of the CPU time that all of them use together.

usage: cpu_use.py SECONDS WINDOW_MS DIRECTORY...
Prints, for each window and last for all of it ("all"), the percents in the order given and the
CPUs that all used together. A directory has cpu.stat (cgroup2) or cpuacct.usage.
"""
import os
import sys
import time


def opened(directory):
    for name in ("cpuacct.usage", "cpu.stat"):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            return os.open(path, os.O_RDONLY)
    sys.exit(f"cpu_use: {directory}: no CPU time there")


def read(fd):
    text = os.pread(fd, 4096, 0).split()
    return int(text[1]) * 1000 if text[0] == b"usage_usec" else int(text[0])


def show(name, before, after, seconds):
    used = [b - a for a, b in zip(before, after)]
    total = sum(used) or 1
    print(name, *(f"{100 * u / total:.2f}" for u in used), f"{total / seconds / 1e9:.3f}", flush=True)


def main():
    length, window = float(sys.argv[1]), float(sys.argv[2]) / 1000
    files = [opened(d) for d in sys.argv[3:]]
    begin = now = time.monotonic()
    first = last = [read(f) for f in files]
    while now - begin < length:
        time.sleep(max(0, now + window - time.monotonic()))
        before, now = now, time.monotonic()
        used = [read(f) for f in files]
        show(f"{now - begin:.3f}", last, used, now - before)
        last = used
    show("all", first, last, now - begin)


main()
