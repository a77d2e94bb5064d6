#!/usr/bin/env python3
"""Whether anyone had less CPU time than min(demand, reserve) in any second.

usage: cpu_mix.py watch SECONDS DIRECTORY=RESERVE...
       cpu_mix.py web SECONDS RATE UNIT_MS

watch: DIRECTORY is in cgroup2, RESERVE in CPUs; each is taken to want whatever it used or waited for
(cpu.pressure). Prints a line for each group: the least part, in percent, that it had of
min(demand, reserve) in a second, and how many seconds it had less than 99.5 %.
web: does UNIT_MS of work RATE times a second, each at its own time whatever became of the last.
Prints the same of the work that was due: what is in work at a second's end counts as done.
"""
import os
import sys
import time

ENOUGH = 99.5


class Least:
    def __init__(self, name):
        self.name, self.part, self.short = name, 100.0, 0

    def note(self, got, due):
        part = 100 * got / due if due > 0 else 100
        self.part = min(self.part, part)
        self.short += part < ENOUGH

    def say(self):
        print(self.name, f"{self.part:.1f} {self.short}", flush=True)


class Group:
    def __init__(self, text):
        path, reserve = text.rsplit("=", 1)
        self.reserve, self.least = float(reserve), Least(os.path.basename(path))
        self.stat = os.open(path + "/cpu.stat", os.O_RDONLY)
        self.pressure = os.open(path + "/cpu.pressure", os.O_RDONLY)
        self.last = self.read()

    def read(self):
        used = int(os.pread(self.stat, 4096, 0).split()[1])
        some = os.pread(self.pressure, 4096, 0).split(b"\n")[0]
        return time.monotonic(), used, int(some.split(b"total=")[1])

    def look(self):
        here = self.read()
        length, used, waited = (b - a for a, b in zip(self.last, here))
        self.last = here
        self.least.note(used, min(self.reserve * length * 1e6, used + waited))


def watch(seconds, groups):
    begin = time.monotonic()
    for i in range(seconds):
        time.sleep(max(0, begin + i + 1 - time.monotonic()))
        for group in groups:
            group.look()
    for group in groups:
        group.least.say()


def work(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def web(seconds, rate, unit):
    least, begin, done = Least("web"), time.monotonic(), 0
    for second in range(seconds):
        done_before = done
        while (now := time.monotonic() - begin) < second + 1:
            if done <= now * rate:
                work(unit)
                done += 1
            else:
                time.sleep(max(0, min(done / rate, second + 1) + begin - time.monotonic()))
        due = (second + 1) * rate - done_before
        least.note(min(done - done_before + 1, due), due)
    least.say()


def main():
    how, seconds, *rest = sys.argv[1:]
    if how == "watch":
        watch(int(seconds), [Group(g) for g in rest])
    else:
        web(int(seconds), int(rest[0]), float(rest[1]) / 1000)


main()
