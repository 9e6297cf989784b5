"""A Python task: a file or the entry point of a wheel, run to its end with arguments. It has no cells, only a log."""

import importlib
import importlib.metadata
import io
import os
import site
import sys
import types

from brickline_driver.output import describe
from brickline_driver.session import attach

# A line may be long; what is longer than this is sent in parts.
MAX_PART = 64 * 1024


class Log(io.TextIOBase):
    """Stands for sys.stdout and sys.stderr and sends what is written, line by line."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, wire):
        self._wire = wire
        self._waiting = ""

    def write(self, text):
        self._waiting += text
        if "\n" in text or len(self._waiting) > MAX_PART:
            self.flush()
        return len(text)

    def flush(self):
        waiting, self._waiting = self._waiting, ""
        for start in range(0, len(waiting), MAX_PART):
            self._wire.send("log", text=waiting[start : start + MAX_PART])

    def writable(self):
        return True


class Task:
    """One execution of a Python task."""

    def __init__(self, wire, job):
        self._job = job
        self._log = Log(wire)

    def execute(self):
        for place in self._job["sites"]:
            site.addsitedir(place)
        importlib.invalidate_caches()
        # So that `SparkSession.builder.getOrCreate()` finds the cluster's.
        attach(self._job["gateway"], self._job["group"])
        sys.stdout = sys.stderr = self._log
        try:
            self._file() if "file" in self._job else self._wheel()
            return {"result": "SUCCESS"}
        except SystemExit as end:
            if end.code in (None, 0):
                return {"result": "SUCCESS"}
            return {"result": "FAILED", "error": f"SystemExit: {end.code}", "trace": f"SystemExit: {end.code}\n"}
        except BaseException as failure:
            summary, trace = describe(failure)
            self._log.write(trace)
            return {"result": "FAILED", "error": summary, "trace": trace}
        finally:
            self._log.flush()

    def _file(self):
        path = self._job["file"]
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec")
        main = types.ModuleType("__main__")
        main.__file__ = path
        sys.modules["__main__"] = main
        sys.path.insert(0, os.path.dirname(path))
        sys.argv = [path, *self._job["arguments"]]
        exec(code, vars(main))

    def _wheel(self):
        call = find_entry(self._job["package"], self._job["entry_point"])
        sys.argv = [self._job["package"], *self._job["arguments"]]
        call()


def find_entry(package, name):
    """The named entry point of a distribution, or without one the function of that name in the package."""
    try:
        points = importlib.metadata.distribution(package).entry_points
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(f"Python wheel with name {package} could not be found") from None
    for point in points:
        if point.name == name:
            return point.load()
    try:
        return getattr(importlib.import_module(package.replace("-", "_")), name)
    except (ImportError, AttributeError):
        raise ImportError(f"Entry point {name} could not be found in the Python wheel {package}") from None
