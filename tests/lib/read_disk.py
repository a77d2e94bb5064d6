"""Reads from a disk as fast as it can, past the page cache: read_disk.py DEVICE READERS"""
import mmap
import os
import random
import sys
import threading

SIZE = 1 << 20
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
blocks = os.lseek(fd, 0, os.SEEK_END) // SIZE


def read():
    page = mmap.mmap(-1, SIZE)
    while True:
        os.preadv(fd, [page], random.randrange(blocks) * SIZE)


for _ in range(int(sys.argv[2])):
    threading.Thread(target=read).start()
