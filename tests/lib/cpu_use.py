#!/usr/bin/env python3
"""What cgroups use of the CPU time that all of them use together, against what they should.

usage: cpu_use.py [--asleep S | --wake S | --host N] SECONDS WINDOW_MS DIRECTORY=RESERVE:SHARE...

DIRECTORY is in cgroup2, RESERVE in CPUs. All are taken to be hungry: of what they used together
each should have its reserve and its share of the rest. Prints a line for each window and one for
all of it ("all"): what each used in percent of it all, and the CPUs that this was; then "least", the smallest part of its reserve that anyone had in a window, in percent;
last "error" and the greatest difference from what should be, in points, over all of it and of any
window.
--asleep: the first directory is frozen, and the rest measured from S seconds later on.
--wake: the first directory is frozen for S seconds, and measured from the moment it is thawed; the
last line is then "woken" and which part of its reserve it had.
--host: beside N processes of the host that are busy, each in a session of its own; "host" and the
CPUs that neither contexts used nor nobody is printed before the last line.
"""
import os
import signal
import sys
import time


class Group:
    def __init__(self, text):
        self.path, numbers = text.rsplit("=", 1)
        reserve, share = numbers.split(":")
        self.reserve, self.share = float(reserve), float(share)
        self.stat = os.open(os.path.join(self.path, "cpu.stat"), os.O_RDONLY)

    def used(self):
        return int(os.pread(self.stat, 4096, 0).split()[1])

    def freeze(self, frozen):
        with open(os.path.join(self.path, "cgroup.freeze"), "w", encoding="ascii") as f:
            f.write(str(int(frozen)))


def compare(name, groups, used, seconds):
    """Prints a window. @return the greatest difference in points."""
    total = sum(used) or 1
    cpus = total / seconds / 1e6
    rest = max(0, cpus - sum(g.reserve for g in groups))
    shares = sum(g.share for g in groups)
    ideal = [(g.reserve + rest * g.share / shares) / cpus for g in groups]
    print(name, *(f"{100 * u / total:.2f}" for u in used), f"{cpus:.3f}", flush=True)
    return max(abs(100 * (u / total - i)) for u, i in zip(used, ideal))


def measure(groups, length, window):
    begin = now = time.monotonic()
    first = last = [g.used() for g in groups]
    worst, least = 0, 1000
    while now - begin < length:
        time.sleep(max(0, now + window - time.monotonic()))
        before, now = now, time.monotonic()
        here = [g.used() for g in groups]
        used = [b - a for a, b in zip(last, here)]
        worst = max(worst, compare(f"{now - begin:.3f}", groups, used, now - before))
        least = min([least] + [100 * u / 1e6 / (now - before) / g.reserve
                               for g, u in zip(groups, used) if g.reserve > 0])
        last = here
    print("least", f"{least:.1f}")
    used = [b - a for a, b in zip(first, last)]
    error = compare("all", groups, used, now - begin)
    return error, worst, used[0] / 1e6 / (now - begin)


class Host:
    """Busy processes outside of all contexts, as nice as any."""

    def __init__(self, count, group):
        self.ward = os.path.dirname(os.path.dirname(group.path))
        self.pids = [self.start() for _ in range(count)]
        self.begin, self.first = time.monotonic(), self.others()

    @staticmethod
    def start():
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.setpriority(os.PRIO_PROCESS, 0, 0)
            signal.alarm(60)
            while True:
                pass
        return pid

    def others(self):
        """Seconds that CPUs were idle, or used by contexts."""
        with open("/proc/stat", encoding="ascii") as f:
            idle, waiting = (int(x) for x in f.readline().split()[4:6])
        with open(self.ward + "/cpu.stat", encoding="ascii") as f:
            used = int(f.readline().split()[1])
        return (idle + waiting) / os.sysconf("SC_CLK_TCK") + used / 1e6

    def stop(self):
        others = (self.others() - self.first) / (time.monotonic() - self.begin)
        print("host", f"{os.cpu_count() - others:.4f}")
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main():
    args = sys.argv[1:]
    how, pause = (args[0], float(args[1])) if args[0].startswith("--") else ("", 0)
    length, window, *rest = args[2:] if how else args
    groups = [Group(g) for g in rest]
    host = Host(int(pause), groups[0]) if how == "--host" else None
    if how and not host:
        groups[0].freeze(True)
    try:
        time.sleep(1 if host else pause)
        if how == "--wake":
            groups[0].freeze(False)
        awake = groups[1:] if how == "--asleep" else groups
        error, worst, first = measure(awake, float(length), float(window) / 1000)
    finally:
        if host:
            host.stop()
        elif how:
            groups[0].freeze(False)
    if how == "--wake":
        print("woken", f"{100 * first / groups[0].reserve:.1f}")
    else:
        print("error", f"{error:.2f} {worst:.2f}")


main()
