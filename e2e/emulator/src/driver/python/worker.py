"""A worker: one process that runs one notebook or Python task, attached to the cluster's JVM, and then ends.

Modules, names and packages of a run die with its process; a session of its own keeps its temporary views apart.
"""

import ast
import importlib
import json
import linecache
import os
import site
import subprocess
import sys
import time
import traceback
import types

from brickline_driver import magic, notebook, output
from brickline_driver.output import describe
from brickline_driver.session import attach
from brickline_driver.task import Task
from brickline_driver.dbutils import DBUtils, NotebookExit
from brickline_driver.roots import Roots
from brickline_driver.wire import Wire


def main():
    wire = Wire()
    # The slow part, done before there is any work.
    import pyspark.sql  # noqa: F401

    wire.send("ready")
    job = wire.receive()
    if job is None:
        return
    wire.die_with_parent()
    try:
        outcome = (Run if "source" in job else Task)(wire, job).execute()
    except Exception as failure:
        outcome = {"result": "INTERNAL", "error": f"the task could not be started: {failure}", "trace": traceback.format_exc()}
    wire.send("done", **outcome)
    os._exit(0)


class Run:
    """One execution of a notebook, cell by cell, in a fresh `__main__`."""

    def __init__(self, wire, job):
        self._wire = wire
        self._job = job
        self._roots = Roots(**job["roots"])
        self._stream = output.Stream()
        self._number = 0

    def execute(self):
        cells = notebook.split(self._job["source"], self._job["language"])
        self._wire.send("cells", cells=[{"command": cell.text, "title": cell.title} for cell in cells])
        self._prepare()
        for index, cell in enumerate(cells):
            outcome = self._cell(index, cell)
            if outcome is not None:
                return outcome
        return {"result": "SUCCESS"}

    def _prepare(self):
        folder = os.path.dirname(self._roots.notebook(self._job["path"]))
        for place in self._job["sites"]:
            site.addsitedir(place)
        sys.path.extend([folder, self._roots.repository] if self._roots.repository else [folder])
        importlib.invalidate_caches()
        context, self._spark = attach(self._job["gateway"], self._job["group"])
        if os.path.isdir(folder):
            os.chdir(folder)
        baseline = set(sys.modules)
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        self._namespace = vars(main)
        restart = lambda: magic.restart_python(self._namespace, keep, baseline)  # noqa: E731
        self._dbutils = DBUtils(self._job["parameters"], self._roots, self._run_other, restart)
        self._namespace.update(
            spark=self._spark,
            sc=context,
            dbutils=self._dbutils,
            display=lambda value, *more, **options: output.show(self._stream.output, value),
            displayHTML=lambda html: self._stream.output.add("htmlSandbox", str(html)),
            getArgument=self._dbutils.widgets.getArgument,
        )
        keep = set(self._namespace)
        self._magics = magic.Magics(
            self._job, self._roots, self._spark, self._dbutils, self._namespace, self._stream, self._python
        )
        sys.stdout = sys.stderr = self._stream

    def _cell(self, index, cell):
        """Runs one cell and reports it. Gives the run's outcome if the notebook ends here."""
        self._stream.output = output.Output()
        self._wire.send("cell", index=index, state="running", startTime=_now())
        outcome = None
        error = {}
        try:
            self._magics.run(cell)
        except NotebookExit as end:
            self._stream.output.add("html", f"Notebook exited: {end.value}")
            outcome = {"result": "SUCCESS", "exit": end.value}
        except BaseException as failure:
            # SystemExit and KeyboardInterrupt too: in a notebook they are errors of the cell.
            summary, trace = describe(failure)
            self._stream.output.error(summary, trace)
            error = {"errorSummary": summary, "error": trace}
            outcome = {"result": "FAILED", "error": summary, "trace": trace}
        state = "error" if error else "finished"
        results = self._stream.output.as_results()
        self._wire.send("cell", index=index, state=state, finishTime=_now(), results=results, **error)
        return outcome

    def _python(self, text):
        """Executes Python and, like an interactive shell, shows the value of a last expression."""
        self._number += 1
        name = f"<command-{self._number}>"
        linecache.cache[name] = (len(text), None, [line + "\n" for line in text.split("\n")], name)
        tree = ast.parse(text, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self._namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), self._namespace)
            if value is not None:
                self._namespace["_"] = value
                self._stream.output.add("text", repr(value))

    def _run_other(self, path, timeout_seconds=60, arguments=None):
        """`dbutils.notebook.run`: another worker, attached to the same JVM."""
        path = os.path.normpath(os.path.join(os.path.dirname(self._job["path"]), path))
        source = magic.read_notebook(self._roots, path)
        parameters = {str(key): str(value) for key, value in (arguments or {}).items()}
        language = notebook.guess_language(source)
        job = {**self._job, "path": path, "source": source, "language": language, "parameters": parameters}
        with subprocess.Popen(
            [sys.executable, "-m", "brickline_driver", "worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            try:
                # The pipe stays open while it works: for a worker its end is the emulator's death.
                other.stdin.write((json.dumps(job) + "\n").encode())
                other.stdin.flush()
                done = _await_done(other, timeout_seconds)
            finally:
                other.kill()
        if done.get("result") != "SUCCESS":
            raise RuntimeError(f"notebook {path} failed: {done.get('error', 'no outcome')}")
        return done.get("exit", "")


def _await_done(other, timeout_seconds):
    """The last event of another worker; killing it at the deadline ends the reading."""
    import threading

    timer = threading.Timer(timeout_seconds, other.kill) if timeout_seconds else None
    if timer:
        timer.start()
    try:
        for line in other.stdout:
            event = json.loads(line)
            if event["event"] == "done":
                return event
        return {"error": f"it did not end within {timeout_seconds} s"}
    finally:
        if timer:
            timer.cancel()


def _now():
    return int(time.time() * 1000)
