#!/usr/bin/python3
"""Runs $NO_BPF_RUNS, whose calls of bpf(2) are refused, as on a kernel or in a container without it.
  no_bpf.py ARGS...
"""
import ctypes
import os
import platform
import struct
import sys

NUMBER = {"x86_64": 321, "aarch64": 280}[platform.machine()]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSE, ALLOW = 0x00050001, 0x7fff0000  # SECCOMP_RET_ERRNO with EPERM
code = b"".join(struct.pack("HBBI", *i) for i in (
    (LOAD, 0, 0, 0), (EQUAL, 0, 1, NUMBER), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)))
held = ctypes.create_string_buffer(code, len(code))
filters = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(22, 2, filters) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
program = os.environ["NO_BPF_RUNS"]
os.execv(program, [program, *sys.argv[1:]])
