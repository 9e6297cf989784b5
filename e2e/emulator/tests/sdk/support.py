"""What the chapters of all stories use: the client, and waiting for what it started."""

import base64
import io
import json
import os
import re
import subprocess
import sys
import textwrap
import time
import urllib.parse

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import NotebookTask, SubmitTask, ViewsToExport
from databricks.sdk.service.workspace import Language

HOST, TOKEN = os.environ["DATABRICKS_HOST"], os.environ["DATABRICKS_TOKEN"]
CLUSTER = "0101-000000-main"
w = WorkspaceClient()


def expect(kind, call, code=None):
    """The call must fail in this way."""
    try:
        call()
    except kind as error:
        assert code is None or error.error_code == code, (error.error_code, str(error))
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def until(what, look, seconds=180):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain for " + what)


def build_wheel(status, version="0.1.0"):
    """A wheel made the documents' way: `packages = ['.']` puts the module at the top level."""
    folder = f"lib-{status}"
    os.makedirs(folder, exist_ok=True)
    files = {
        "__init__.py": "",
        "addcol.py": f"import pyspark.sql.functions as F\n\ndef with_status(df):\n  return df.withColumn('status', F.lit('{status}'))\n",
        "setup.py": f"from setuptools import setup\n\nsetup(name = 'dbxdemo', version = '{version}', packages = ['.'])\n",
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    subprocess.run([sys.executable, "setup.py", "-q", "bdist_wheel"], cwd=folder, check=True, capture_output=True)
    return os.path.join(folder, "dist", f"dbxdemo-{version}-py3-none-any.whl")


def put_notebook(path, source, language=Language.PYTHON):
    w.workspace.upload(path, io.BytesIO(textwrap.dedent(source).encode()), language=language, overwrite=True)
    return path


def submit(path, cluster=CLUSTER, parameters=None, **more):
    task = SubmitTask(
        task_key="test",
        existing_cluster_id=cluster,
        notebook_task=NotebookTask(notebook_path=path, base_parameters=parameters),
        **{key: more.pop(key) for key in ("timeout_seconds", "libraries") if key in more},
    )
    return w.jobs.submit(run_name=path, tasks=[task], **more).response.run_id


def finish(run_id, seconds=180):
    """The run once it has ended."""

    def look():
        run = w.jobs.get_run(run_id)
        return run if run.state.life_cycle_state.value in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR") else None

    return until(f"the end of run {run_id}", look, seconds)


def run(*tasks, **more):
    """Submits and waits: the run, and the outputs of its tasks by key."""
    ended = finish(w.jobs.submit(tasks=list(tasks), **more).response.run_id)
    return ended, {task.task_key: w.jobs.get_run_output(task.run_id) for task in ended.tasks}


def cells(run_id):
    """The commands of an exported run, decoded as readers of real exports do."""
    views = w.jobs.export_run(run_id, views_to_export=ViewsToExport.CODE).views
    assert [view.type.value for view in views] == ["NOTEBOOK"]
    model = re.search(r"__DATABRICKS_NOTEBOOK_MODEL = '([^']*)'", views[0].content).group(1)
    return json.loads(urllib.parse.unquote(base64.b64decode(model).decode()))["commands"]


def printed(run_id):
    found = []
    for command in cells(run_id):
        for result in (command["results"] or {}).get("data", []):
            found.append(result["data"] if result["type"] in ("ansi", "text") else "")
    return "".join(found)


def run_notebook(path, **more):
    """Runs to the end: the run, its task and the task's output."""
    run = finish(submit(path, **more))
    return run, run.tasks[0], w.jobs.get_run_output(run.tasks[0].run_id)


def statuses(cluster=CLUSTER):
    return {s.library.whl or s.library.pypi.package: s for s in w.libraries.cluster_status(cluster)}


def install(library, cluster=CLUSTER):
    """Installs and waits; the final status."""
    w.libraries.install(cluster, [library])
    name = library.whl or library.pypi.package
    final = ("INSTALLED", "FAILED", "SKIPPED")
    return until(f"{name} to settle", lambda: (s := statuses(cluster)[name]).status.value in final and s)


def play(chapters):
    for chapter in chapters:
        begun = time.monotonic()
        chapter()
        print(f"ok {chapter.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
