"""Runs one command and says what it took: `python -I -S starter.py FIGURES COMMAND…`.

The kernel counts a process's memory from its fork on: no command's peak is below that of the program that
started it. This one is small, where what runs the benchmarks grows with what it keeps. getrusage(2).
"""

import os
import sys
import time


def main() -> None:
    """Writes seconds of wall and of CPU, bytes of the peak, and the exit code into the file `FIGURES`."""
    figures, *command = sys.argv[1:]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    line = f"{wall_s} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss * 1024} {code}"
    os.write(os.open(figures, os.O_WRONLY | os.O_CREAT, 0o600), line.encode())


main()
