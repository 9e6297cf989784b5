"""Magics: what a cell that starts with `%word` does."""

import os
import re
import shlex
import signal
import subprocess
import sys

from brickline_driver import notebook, output
from brickline_driver.packages import Packages

# What a cell may begin with.
KNOWN = ("python", "sql", "sh", "fs", "md", "run", "pip")


class Magics:
    """Runs the cells that aren't plain Python. `run_python(text)` executes Python in the notebook's namespace."""

    def __init__(self, job, roots, spark, dbutils, namespace, stream, run_python):
        self._roots = roots
        self._spark = spark
        self._dbutils = dbutils
        self._namespace = namespace
        self._stream = stream
        self._run_python = run_python
        self._folders = [os.path.dirname(job["path"])]
        self._packages = Packages(job, roots)

    def run(self, cell):
        if cell.magic not in KNOWN:
            raise NotImplementedError(f"this cluster has no %{cell.magic}: cells are Python, SQL, shell or Markdown")
        getattr(self, "_" + cell.magic)(cell)

    def _python(self, cell):
        self._run_python(cell.body)

    def _md(self, cell):
        """Markdown is shown, not run."""

    def _sql(self, cell):
        body = re.sub(r"\$\{(\w+)\}", lambda found: self._dbutils.widgets.get(found.group(1)), cell.body)
        frame = None
        for statement in re.split(r";[ \t]*(?:\n|\Z)", body):
            if re.sub(r"--.*", "", statement).strip():
                frame = self._spark.sql(statement)
        if frame is not None and frame.columns:
            self._namespace["_sqldf"] = frame
            output.show(self._stream.output, frame)

    def _sh(self, cell):
        strict = re.match(r"\s*%sh[ \t]+-e\b", cell.text)
        body = re.sub(r"\A-e\b", "", cell.body) if strict else cell.body
        code = self._stream_command(["/bin/sh", "-c", body])
        if strict and code:
            raise RuntimeError(f"shell command failed with exit code {code}")

    def _stream_command(self, command):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            for line in process.stdout:
                self._stream.write(line.decode("utf-8", "replace"))
        if process.returncode and process.returncode < 0:
            self._stream.write(f"killed by {signal.Signals(-process.returncode).name}\n")
        return process.returncode

    def _fs(self, cell):
        words = shlex.split(cell.body)
        found = getattr(self._dbutils.fs, words[0])(*words[1:])
        self._stream.output.add("text", repr(found))

    def _pip(self, cell):
        """Each `%pip` line installs for this notebook only; what follows them is Python."""
        rest = []
        for line in cell.text.split("\n"):
            if not line.strip().startswith("%pip"):
                rest.append(line)
                continue
            code = self._stream_command(self._packages.command(shlex.split(line)[1:]))
            if code:
                raise RuntimeError(f"{line.strip()} failed with exit code {code}")
            self._packages.activate()
        if "".join(rest).strip():
            self._run_python("\n".join(rest))

    def _run(self, cell):
        """`%run` executes another notebook's cells in this one's namespace."""
        words = shlex.split(cell.text.strip().split("\n")[0])[1:]
        if not words:
            raise ValueError("%run needs the path of a notebook")
        for name, value in (word.lstrip("$").split("=", 1) for word in words[1:]):
            self._dbutils.widgets._parameters[name] = value
        path = os.path.normpath(os.path.join(self._folders[-1], words[0]))
        source = read_notebook(self._roots, path)
        self._folders.append(os.path.dirname(path))
        try:
            for inner in notebook.split(source, notebook.guess_language(source)):
                self.run(inner)
        finally:
            self._folders.pop()


def read_notebook(roots, path):
    """The source of a notebook of the workspace; in a repository its file may have a suffix."""
    for suffix in ("", ".py", ".sql") if roots.repository else ("",):
        try:
            with open(roots.notebook(path) + suffix, encoding="utf-8") as file:
                return file.read()
        except (FileNotFoundError, IsADirectoryError):
            pass
    raise FileNotFoundError(f"Notebook not found: {path}")


def restart_python(namespace, keep, baseline):
    """`dbutils.library.restartPython`: forgets the notebook's names and every module imported since it began."""
    for name in [name for name in namespace if name not in keep]:
        del namespace[name]
    for name in [name for name in sys.modules if name not in baseline]:
        del sys.modules[name]
