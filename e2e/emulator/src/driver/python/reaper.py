"""The reaper: remembers process groups and kills those left over when the emulator itself has gone, even by SIGKILL.

It reads `+GROUP` and `-GROUP` lines; the end of file is the emulator's death.
"""

import os
import signal
import sys


def main():
    # The same Ctrl-C that ends the emulator must not end its reaper first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    groups = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
