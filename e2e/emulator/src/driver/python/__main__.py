"""Starts one of the three programs: `cluster`, `worker` or `reaper`. They talk JSON lines over stdin and stdout."""

import importlib
import sys

PROGRAMS = ("cluster", "worker", "reaper")


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in PROGRAMS:
        sys.exit("usage: python -m brickline_driver " + "|".join(PROGRAMS))
    importlib.import_module("brickline_driver." + sys.argv[1]).main()


if __name__ == "__main__":
    main()
