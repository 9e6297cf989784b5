"""The story of a release, played with Databricks' own SDK against an emulator (DATABRICKS_HOST, DATABRICKS_TOKEN).

Each function is a chapter; they build on each other and run in the order of this file. Plain asserts, no framework.
"""

import base64
import io
import json
import os
import time
import urllib.parse
import uuid

import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    DatabricksError,
    InvalidParameterValue,
    NotFound,
    OperationFailed,
    PermissionDenied,
    ResourceAlreadyExists,
)
from databricks.sdk.service.compute import Library, LibraryInstallStatus, PythonPyPiLibrary, State
from databricks.sdk.service.jobs import NotebookTask, RunIf, RunLifeCycleState, RunResultState, SubmitTask, TaskDependency
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType

from support import (
    CLUSTER,
    HOST,
    TOKEN,
    build_wheel,
    cells,
    expect,
    finish,
    install,
    play,
    printed,
    put_notebook,
    run_notebook,
    statuses,
    submit,
    until,
    w,
)

NEW_RUNTIME = "new"

# The notebook as people write it after the documents: unittest in a cell, `exit=False`.
NOTEBOOK = """\
# Databricks notebook source
import sys
sys.path.append("/databricks/python3/lib/python3.8/site-packages")

# COMMAND ----------

import unittest
from addcol import *

class TestNotebook(unittest.TestCase):

  def test_with_status(self):
    people = spark.createDataFrame([("ada", 36), ("alan", 41)], ["name", "age"])
    expected = spark.createDataFrame([("ada", 36, "{status}"), ("alan", 41, "{status}")], ["name", "age", "status"])
    self.assertEqual(expected.collect(), with_status(people).collect())

unittest.main(argv = [''], verbosity = 2, exit = False)
"""


def identity():
    assert w.current_user.me().user_name == "ana@example.com"
    wrong = WorkspaceClient(host=HOST, token="wrong")
    expect(PermissionDenied, wrong.current_user.me)
    bare = requests.get(HOST + "/api/2.0/clusters/list", timeout=10)
    assert (bare.status_code, bare.json()["error_code"]) == (401, 401), bare.text
    basic = requests.get(HOST + "/api/2.0/clusters/list", auth=("token", TOKEN), timeout=10)
    assert basic.status_code == 200
    lost = requests.get(HOST + "/api/2.0/nowhere", auth=("token", TOKEN), timeout=10)
    assert (lost.status_code, lost.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    app = WorkspaceClient(host=HOST, client_id="app-1", client_secret="secret-of-app-1", auth_type="oauth-m2m")
    assert app.current_user.me().user_name == "app-1"


def objects():
    path = put_notebook("/Shared/objects.py", "print(1)\n")
    status = w.workspace.get_status(path)
    assert (status.object_type, status.language, status.path) == (ObjectType.NOTEBOOK, Language.PYTHON, path)
    assert status.object_id > 2**53
    source = base64.b64encode(b"# Databricks notebook source\nprint(2)").decode()
    expect(ResourceAlreadyExists, lambda: w.workspace.import_(path, content=source, format=ImportFormat.SOURCE, language=Language.PYTHON))
    w.workspace.import_(path, content=source, format=ImportFormat.SOURCE, language=Language.PYTHON, overwrite=True)
    with w.workspace.download(path, format=ExportFormat.SOURCE) as file:
        assert file.read() == b"# Databricks notebook source\nprint(2)"
    assert w.workspace.get_status(path).object_id == status.object_id
    # AUTO cuts a notebook's suffix and leaves other files alone.
    w.workspace.mkdirs("/Shared/deep/er")
    w.workspace.upload("/Shared/deep/er/n.py", io.BytesIO(b"# Databricks notebook source\n1"), format=ImportFormat.AUTO)
    w.workspace.upload("/Shared/deep/er/f.py", io.BytesIO(b"x = 1"), format=ImportFormat.AUTO)
    found = {o.path: o.object_type for o in w.workspace.list("/Shared/deep", recursive=True)}
    assert found == {"/Shared/deep/er/n": ObjectType.NOTEBOOK, "/Shared/deep/er/f.py": ObjectType.FILE}, found
    expect(NotFound, lambda: w.workspace.upload("/Shared/none/n.py", io.BytesIO(b"1")), "RESOURCE_DOES_NOT_EXIST")
    expect(NotFound, lambda: w.workspace.get_status("/Shared/none"), "RESOURCE_DOES_NOT_EXIST")
    big = io.BytesIO(b"#" * (10 * 1024 * 1024 + 1))
    expect(BadRequest, lambda: w.workspace.upload("/Shared/big.py", big), "MAX_NOTEBOOK_SIZE_EXCEEDED")
    expect(BadRequest, lambda: w.workspace.delete("/Shared/deep"), "DIRECTORY_NOT_EMPTY")
    w.workspace.delete("/Shared/deep", recursive=True)
    expect(NotFound, lambda: w.workspace.get_status("/Shared/deep/er/n"))
    # The endpoint of Databricks' CLI: escaped path, raw body.
    url = f"{HOST}/api/2.0/workspace-files/import-file/Shared%2Fconf.json"
    answers = [requests.post(url + q, data=b"{}", auth=("token", TOKEN), timeout=10).status_code for q in ("", "", "?overwrite=true")]
    assert answers == [200, 409, 200], answers


def dbfs():
    content = os.urandom(3 * 1024 * 1024 + 17)
    w.dbfs.upload("/libraries/blob.bin", io.BytesIO(content))
    with w.dbfs.download("/libraries/blob.bin") as file:
        assert file.read() == content
    assert w.dbfs.get_status("dbfs:/libraries/blob.bin").file_size == len(content)
    expect(ResourceAlreadyExists, lambda: w.dbfs.upload("/libraries/blob.bin", io.BytesIO(b"x")))
    large = base64.b64encode(b"x" * (1024 * 1024 + 1)).decode()
    expect(BadRequest, lambda: w.dbfs.put("/libraries/large", contents=large), "MAX_BLOCK_SIZE_EXCEEDED")
    expect(NotFound, lambda: w.dbfs.add_block(12345, base64.b64encode(b"x").decode()), "RESOURCE_DOES_NOT_EXIST")
    expect(NotFound, lambda: w.dbfs.get_status("/none"), "RESOURCE_DOES_NOT_EXIST")
    # The old CLI uploads with a form.
    form = {"path": "/libraries/form.txt", "overwrite": "true"}
    answer = requests.post(HOST + "/api/2.0/dbfs/put", data=form, files={"contents": b"formed"}, auth=("token", TOKEN), timeout=10)
    assert answer.status_code == 200, answer.text
    assert [f.path for f in w.dbfs.list("/libraries")] == ["/libraries/blob.bin", "/libraries/form.txt"]
    w.dbfs.delete("/libraries", recursive=True)
    expect(NotFound, lambda: w.dbfs.get_status("/libraries"))


def volumes():
    from databricks.sdk.service.catalog import VolumeType

    file = "/Volumes/main/default/libs/one/a file.bin"
    expect(NotFound, lambda: w.files.create_directory("/Volumes/main/default/libs/one"))
    w.volumes.create("main", "default", "libs", VolumeType.MANAGED)
    expect(NotFound, lambda: requests_put(file))
    w.files.create_directory("/Volumes/main/default/libs/one")
    w.files.upload(file, io.BytesIO(b"0123456789"))
    expect(DatabricksError, lambda: w.files.upload(file, io.BytesIO(b"x"), overwrite=False))
    w.files.upload(file, io.BytesIO(b"abc"), overwrite=True)
    assert w.files.download(file).contents.read() == b"abc"
    assert w.files.get_metadata(file).content_length == 3
    listed = list(w.files.list_directory_contents("/Volumes/main/default/libs/one"))
    assert [(e.name, e.is_directory, e.file_size) for e in listed] == [("a file.bin", False, 3)]
    expect(BadRequest, lambda: w.files.delete_directory("/Volumes/main/default/libs/one"), "DIRECTORY_NOT_EMPTY")
    w.files.delete(file)
    w.files.delete_directory("/Volumes/main/default/libs/one")
    expect(NotFound, lambda: w.files.get_metadata(file))


def requests_put(path):
    answer = requests.put(HOST + "/api/2.0/fs/files" + urllib.parse.quote(path, safe=""), data=b"x", auth=("token", TOKEN), timeout=10)
    if answer.status_code == 404:
        raise NotFound(answer.text)


def the_documents_example():
    put_notebook("/Shared/dbxdemo-notebook.py", NOTEBOOK.replace("{status}", "checked"))
    assert w.clusters.get(CLUSTER).state == State.TERMINATED
    w.clusters.ensure_cluster_is_running(CLUSTER)
    run, _, output = run_notebook("/Shared/dbxdemo-notebook.py")
    assert run.state.result_state == RunResultState.FAILED and "ModuleNotFoundError" in output.error, output.error
    first = "dbfs:/libraries/one/dbxdemo-0.1.0-py3-none-any.whl"
    with open(build_wheel("checked"), "rb") as wheel:
        w.dbfs.upload(first, wheel)
    assert install(Library(whl=first)).status == LibraryInstallStatus.INSTALLED
    run, task, output = run_notebook("/Shared/dbxdemo-notebook.py")
    assert run.state.life_cycle_state == RunLifeCycleState.TERMINATED and run.state.result_state == RunResultState.SUCCESS
    assert run.run_id > 2**53 and task.run_id != run.run_id
    assert run.execution_duration == 0 and task.execution_duration > 0, "only the task of such a run has a duration"
    assert output.notebook_output.result is None
    text = printed(task.run_id)
    assert "Ran 1 test" in text and "\nOK\n" in text, text
    assert [c["state"] for c in cells(task.run_id)] == ["finished", "finished"]


def a_replaced_library_needs_a_restart():
    first = "dbfs:/libraries/one/dbxdemo-0.1.0-py3-none-any.whl"
    second = "dbfs:/libraries/two/dbxdemo-0.1.0-py3-none-any.whl"
    put_notebook("/Shared/behaviour.py", "from addcol import with_status\ndbutils.notebook.exit(with_status(spark.range(1)).collect()[0].status)\n")
    behaviour = lambda: run_notebook("/Shared/behaviour.py")[2].notebook_output.result
    with open(build_wheel("verified"), "rb") as wheel:
        w.dbfs.upload(second, wheel)
    assert behaviour() == "checked"
    w.libraries.uninstall(CLUSTER, [Library(whl=first)])
    assert statuses()[first].status == LibraryInstallStatus.UNINSTALL_ON_RESTART
    assert install(Library(whl=second)).status == LibraryInstallStatus.INSTALLED
    assert behaviour() == "checked", "before the restart the old library is still there"
    before = w.clusters.get(CLUSTER).spark_context_id
    w.clusters.restart_and_wait(CLUSTER)
    after = w.clusters.get(CLUSTER)
    assert after.spark_context_id != before and after.last_restarted_time
    assert first not in statuses()
    assert behaviour() == "verified", "a run waits until the restarted cluster has its libraries back"
    # Uninstall, restart, wait, install: the documents' order.
    w.libraries.uninstall(CLUSTER, [Library(whl=second)])
    w.clusters.restart_and_wait(CLUSTER)
    run, _, output = run_notebook("/Shared/behaviour.py")
    assert "ModuleNotFoundError" in output.error, "an uninstalled library is gone after the restart"
    assert install(Library(whl=second)).status == LibraryInstallStatus.INSTALLED
    assert behaviour() == "verified"


def a_failing_test_in_a_successful_run():
    """What a release must not believe: the run says SUCCESS, only its cells tell of the failure."""
    put_notebook("/Shared/broken.py", NOTEBOOK.replace("{status}", "something else"))
    run, task, output = run_notebook("/Shared/broken.py")
    assert run.state.result_state == RunResultState.SUCCESS and output.error is None
    text = printed(task.run_id)
    assert "FAILED (failures=1)" in text and "AssertionError" in text and "test_with_status" in text, text


def a_failing_notebook():
    put_notebook("/Shared/raises.py", "# Databricks notebook source\nprint('before')\n\n# COMMAND ----------\n\nprint('in it')\n1 / 0\n\n# COMMAND ----------\n\nprint('after')\n")
    run, task, output = run_notebook("/Shared/raises.py")
    assert run.state.life_cycle_state == RunLifeCycleState.INTERNAL_ERROR and run.state.result_state == RunResultState.FAILED
    assert task.state.life_cycle_state == RunLifeCycleState.TERMINATED and task.state.result_state == RunResultState.FAILED
    assert output.error == "ZeroDivisionError: division by zero" and "1 / 0" in output.error_trace, output
    states = [(c["state"], c["errorSummary"]) for c in cells(task.run_id)]
    assert states == [("finished", None), ("error", output.error), ("cancelled", "Command skipped")], states
    kinds = [r["type"] for r in cells(task.run_id)[1]["results"]["data"]]
    assert kinds == ["ansi", "error"] and "after" not in printed(task.run_id)
    waiter = w.jobs.submit(tasks=[SubmitTask("t", existing_cluster_id=CLUSTER, notebook_task=NotebookTask("/Shared/raises.py"))])
    expect(OperationFailed, waiter.result)
    run, task, _ = run_notebook("/Shared/does-not-exist")
    assert task.state.life_cycle_state == RunLifeCycleState.INTERNAL_ERROR and "Unable to access the notebook" in task.state.state_message


def parameters_magics_and_isolation():
    put_notebook("/Shared/inner.py", "# Databricks notebook source\nfrom_inner = dbutils.widgets.get('who') + '!'\n")
    put_notebook("/Shared/called.py", "dbutils.notebook.exit('called with ' + dbutils.widgets.get('x'))\n")
    put_notebook(
        "/Shared/many.py",
        """\
        # Databricks notebook source
        # MAGIC %md
        # MAGIC # A title

        # COMMAND ----------

        # MAGIC %run ./inner.py

        # COMMAND ----------

        # DBTITLE 1,A query
        # MAGIC %sql
        # MAGIC select 1 as one, 'two' as two

        # COMMAND ----------

        # MAGIC %sh echo from the shell

        # COMMAND ----------

        import json, os, sys
        display(_sqldf)
        sys.modules["leaked"] = os
        spark.range(3).createOrReplaceTempView("leaked_view")
        other = dbutils.notebook.run("called.py", 60, {"x": "y"})
        dbutils.notebook.exit(json.dumps([from_inner, other, "DATABRICKS_TOKEN" in os.environ]))
        """,
    )
    _, task, output = run_notebook("/Shared/many.py", parameters={"who": "ana"})
    assert json.loads(output.notebook_output.result) == ["ana!", "called with y", False], output
    commands = cells(task.run_id)
    table = commands[2]["results"]["data"][0]
    assert (table["type"], table["data"], [c["name"] for c in table["schema"]]) == ("table", [[1, "two"]], ["one", "two"])
    assert commands[2]["commandTitle"] == "A query" and commands[0]["command"].startswith("%md")
    assert "from the shell" in printed(task.run_id)
    put_notebook("/Shared/clean.py", "import sys\ndbutils.notebook.exit(str(('leaked' in sys.modules, spark.catalog.tableExists('leaked_view'))))\n")
    assert run_notebook("/Shared/clean.py")[2].notebook_output.result == "(False, False)", "nothing leaks between runs"
    put_notebook("/Shared/query.sql", "-- Databricks notebook source\nselect 40 + 2 as answer\n", Language.SQL)
    run, task, _ = run_notebook("/Shared/query.sql")
    assert run.state.result_state == RunResultState.SUCCESS and cells(task.run_id)[0]["results"]["data"][0]["data"] == [[42]]


def notebook_scoped_packages():
    with open(build_wheel("scoped", "0.9.0"), "rb") as wheel:
        w.workspace.upload("/Shared/dbxdemo-0.9.0-py3-none-any.whl", wheel, format=ImportFormat.RAW, overwrite=True)
    put_notebook(
        "/Shared/scoped.py",
        """\
        # Databricks notebook source
        # MAGIC %pip install /Workspace/Shared/dbxdemo-0.9.0-py3-none-any.whl

        # COMMAND ----------

        from addcol import with_status
        dbutils.notebook.exit(with_status(spark.range(1)).collect()[0].status)
        """,
    )
    assert run_notebook("/Shared/scoped.py")[2].notebook_output.result == "scoped"
    assert run_notebook("/Shared/behaviour.py")[2].notebook_output.result == "verified", "it was for that notebook alone"


def libraries_that_fail_and_packages():
    failed = install(Library(whl="dbfs:/libraries/none-1-py3-none-any.whl"))
    assert failed.status == LibraryInstallStatus.FAILED and "No such file" in failed.messages[0], failed
    w.dbfs.upload("/libraries/junk-1-py3-none-any.whl", io.BytesIO(b"no wheel"))
    failed = install(Library(whl="dbfs:/libraries/junk-1-py3-none-any.whl"))
    assert failed.status == LibraryInstallStatus.FAILED and "pip said" in failed.messages[0], failed
    assert install(Library(pypi=PythonPyPiLibrary("iniconfig==2.0.0"))).status == LibraryInstallStatus.INSTALLED
    put_notebook("/Shared/package.py", "import importlib.metadata as m\ndbutils.notebook.exit(m.version('iniconfig'))\n")
    assert run_notebook("/Shared/package.py")[2].notebook_output.result == "2.0.0"
    # A runtime from 15.1 on takes nothing from the root of DBFS; the run that asked for it fails for that reason.
    library = Library(whl="dbfs:/libraries/two/dbxdemo-0.1.0-py3-none-any.whl")
    run = finish(submit("/Shared/behaviour.py", cluster=NEW_RUNTIME, libraries=[library]))
    assert run.status.termination_details.code.value == "LIBRARY_INSTALLATION_ERROR" and "DBFS" in run.state.state_message, run.state
    with open("lib-verified/dist/dbxdemo-0.1.0-py3-none-any.whl", "rb") as wheel:
        w.files.upload("/Volumes/main/default/libs/dbxdemo-0.1.0-py3-none-any.whl", wheel)
    library = Library(whl="/Volumes/main/default/libs/dbxdemo-0.1.0-py3-none-any.whl")
    _, _, output = run_notebook("/Shared/behaviour.py", cluster=NEW_RUNTIME, libraries=[library])
    assert output.notebook_output.result == "verified"
    w.clusters.delete(NEW_RUNTIME).result()
    assert w.clusters.get(NEW_RUNTIME).termination_reason.code.value == "USER_REQUEST"


def stopping():
    """Timeout and cancellation end the work itself, not only its record."""
    put_notebook(
        "/Shared/beats.py",
        "import time\nwhile True:\n  open(dbutils.widgets.get('file'), 'a').write('x')\n  time.sleep(0.05)\n",
    )
    beats = lambda name: os.path.getsize(name) if os.path.exists(name) else 0

    def assert_still(name):
        before = beats(name)
        time.sleep(0.5)
        assert before == beats(name) > 0, "the notebook still runs"

    timed = os.path.abspath("timed")
    run = finish(submit("/Shared/beats.py", parameters={"file": timed}, timeout_seconds=3))
    assert run.state.result_state == RunResultState.TIMEDOUT and run.state.user_cancelled_or_timedout
    assert run.state.life_cycle_state == RunLifeCycleState.TERMINATED
    assert_still(timed)
    canceled = os.path.abspath("canceled")
    run_id = submit("/Shared/beats.py", parameters={"file": canceled})
    until("the notebook", lambda: beats(canceled))
    expect(BadRequest, lambda: w.jobs.delete_run(run_id))
    # The old CLI sends the id as a string.
    answer = requests.post(HOST + "/api/2.0/jobs/runs/cancel", data=json.dumps({"run_id": str(run_id)}), auth=("token", TOKEN), timeout=10)
    assert answer.json() == {}
    run = finish(run_id, 30)
    assert run.state.result_state == RunResultState.CANCELED and run.status.termination_details.code.value == "USER_CANCELED"
    assert_still(canceled)
    assert [c["state"] for c in cells(run.tasks[0].run_id)] == ["cancelled"]
    # A query in Spark is stopped too: the next one on the two cores isn't held up.
    put_notebook("/Shared/spins.py", "from pyspark.sql.functions import udf\nimport time\nspark.range(2).repartition(2).select(udf(lambda x: time.sleep(600))('id')).collect()\n")
    run = finish(submit("/Shared/spins.py", timeout_seconds=5))
    assert run.state.result_state == RunResultState.TIMEDOUT
    assert run_notebook("/Shared/behaviour.py")[2].notebook_output.result == "verified"


def tokens_make_runs_unique():
    token = uuid.uuid4().hex
    first = submit("/Shared/behaviour.py", idempotency_token=token)
    assert submit("/Shared/behaviour.py", idempotency_token=token) == first
    assert submit("/Shared/behaviour.py", idempotency_token=uuid.uuid4().hex) != first
    expect(InvalidParameterValue, lambda: submit("/Shared/behaviour.py", idempotency_token="x" * 65))
    finish(first)
    w.jobs.delete_run(first)
    expect(DatabricksError, lambda: w.jobs.get_run(first), "INVALID_PARAMETER_VALUE")
    expect(InvalidParameterValue, lambda: submit("/Shared/behaviour.py", idempotency_token=token))
    expect(InvalidParameterValue, lambda: submit("/Shared/behaviour.py", cluster="none"))
    expect(InvalidParameterValue, lambda: w.jobs.get_run_output(submit("/Shared/behaviour.py")))


def tasks_depend_on_each_other():
    def task(key, path, *on, run_if=None):
        return SubmitTask(
            key,
            existing_cluster_id=CLUSTER,
            notebook_task=NotebookTask(path),
            depends_on=[TaskDependency(other) for other in on],
            run_if=run_if,
        )

    good, bad = "/Shared/behaviour.py", "/Shared/raises.py"
    tasks = [
        task("last", good, "never", "good", run_if=RunIf.ALL_DONE),
        task("never", good, "bad"),
        task("good", good),
        task("bad", bad, "good"),
    ]
    run = finish(w.jobs.submit(tasks=tasks).response.run_id)
    results = {t.task_key: t.state.result_state.value for t in run.tasks}
    assert results == {"good": "SUCCESS", "bad": "FAILED", "never": "UPSTREAM_FAILED", "last": "SUCCESS"}, results
    assert run.state.result_state == RunResultState.FAILED
    circle = [task("a", good, "b"), task("b", good, "a")]
    expect(InvalidParameterValue, lambda: w.jobs.submit(tasks=circle))


def side_by_side():
    put_notebook("/Shared/naps.py", "import time\ntime.sleep(2)\n")
    begun = time.monotonic()
    runs = [submit("/Shared/naps.py") for _ in range(3)]
    assert len(list(w.jobs.list_runs(active_only=True))) >= 3
    assert all(finish(run).state.result_state == RunResultState.SUCCESS for run in runs)
    assert time.monotonic() - begun < 3 * 2 + 3, "runs of one cluster go side by side"
    everything = list(w.jobs.list_runs())
    assert len(everything) == len({run.run_id for run in everything}) > 20


def a_restart_in_the_middle_of_a_run():
    steady = os.path.abspath("steady")
    run_id = submit("/Shared/beats.py", parameters={"file": steady})
    until("the notebook", lambda: os.path.exists(steady))
    w.clusters.restart_and_wait(CLUSTER)
    run = finish(run_id, 30)
    assert run.state.life_cycle_state == RunLifeCycleState.INTERNAL_ERROR
    assert run.status.termination_details.code.value == "CLUSTER_ERROR"
    expect(DatabricksError, lambda: w.clusters.start(CLUSTER).result(), "INVALID_STATE")
    kinds = [event.type.value for event in w.clusters.events(CLUSTER)]
    assert kinds[:2] == ["RUNNING", "RESTARTING"], kinds


def faults():
    post = lambda fault: requests.post(HOST + "/emulator/faults", json=fault, auth=("token", TOKEN), timeout=10).raise_for_status()
    seen = lambda: requests.get(HOST + "/emulator/requests", auth=("token", TOKEN), timeout=10).json()["requests"]
    get = {"method": "GET", "path": "/api/*/clusters/get"}
    for fault, answers in (
        ({"match": get, "kind": "status", "status": 503, "retry_after": 1}, [503, 200]),
        ({"match": get, "kind": "status", "status": 429, "retry_after": 1, "after": 1}, [200, 429, 200]),
        ({"match": get, "kind": "reset"}, [500, 200]),
        ({"match": get, "kind": "delay", "ms": 100}, [200]),
    ):
        start = seen()[-1]["seq"]
        post(fault)
        for _ in range(1 + fault.get("after", 0)):
            assert w.clusters.get(CLUSTER).cluster_id == CLUSTER
        got = [r["status"] for r in seen() if r["seq"] > start]
        assert got == answers, (fault, got)
    post({"match": get, "kind": "html200"})
    page = requests.get(f"{HOST}/api/2.1/clusters/get?cluster_id={CLUSTER}", auth=("token", TOKEN), timeout=10)
    assert page.status_code == 200 and page.text.startswith("<!doctype html>")
    post({"match": get, "kind": "hang", "seconds": 60})
    expect(requests.Timeout, lambda: requests.get(f"{HOST}/api/2.1/clusters/get", auth=("token", TOKEN), timeout=1))
    # Done, but answered as if it were not: only a token keeps the second try from running it twice.
    post({"match": {"method": "POST", "path": "/api/*/jobs/runs/submit"}, "kind": "after"})
    before = {run.run_id for run in w.jobs.list_runs()}
    run_id = submit("/Shared/behaviour.py", idempotency_token=uuid.uuid4().hex)
    assert {run.run_id for run in w.jobs.list_runs()} - before == {run_id}
    finish(run_id)
    assert requests.get(HOST + "/emulator/faults", auth=("token", TOKEN), timeout=10).json() == {"faults": []}
    assert requests.get(HOST + "/emulator/faults", timeout=10).status_code == 401
    assert requests.get(HOST + "/healthz", timeout=10).text == "ok\n"


def the_old_way():
    """The documents' own scripts: Basic auth, no content type, API 2.0, a body on GET, the flat shape."""
    auth = ("token", TOKEN)
    values = {"run_name": "old", "existing_cluster_id": CLUSTER, "timeout_seconds": 3600, "notebook_task": {"notebook_path": "/Shared/broken.py"}}
    run_id = requests.post(HOST + "/api/2.0/jobs/runs/submit", data=json.dumps(values), auth=auth, timeout=10).json()["run_id"]

    def look():
        answer = requests.get(f"{HOST}/api/2.0/jobs/runs/get?run_id={run_id}", data=json.dumps(values), auth=auth, timeout=10).json()
        return answer if answer["state"]["life_cycle_state"] in ("TERMINATED", "INTERNAL_ERROR", "SKIPPED") else None

    run = until("the old run", look)
    assert run["state"]["result_state"] == "SUCCESS" and run["execution_duration"] > 0
    assert "FAILED (failures=1)" in printed(run_id)
    body = json.dumps({"cluster_id": CLUSTER, "libraries": [{"whl": "dbfs:/libraries/two/dbxdemo-0.1.0-py3-none-any.whl"}]})
    assert requests.post(HOST + "/api/2.0/libraries/uninstall", data=body, auth=auth, timeout=10).json() == {}
    listed = requests.get(f"{HOST}/api/2.0/libraries/cluster-status?cluster_id={CLUSTER}", auth=auth, timeout=10).json()
    marked = [s for s in listed["library_statuses"] if s["status"] == "UNINSTALL_ON_RESTART"]
    assert [s["library"]["whl"] for s in marked] == ["dbfs:/libraries/two/dbxdemo-0.1.0-py3-none-any.whl"]
    empty = requests.get(HOST + "/api/2.0/clusters/get", auth=auth, timeout=10)
    assert (empty.status_code, empty.json()["error_code"]) == (400, "MALFORMED_REQUEST")
    missing = requests.get(HOST + "/api/2.0/clusters/get?cluster_id=none", auth=auth, timeout=10).json()
    assert missing == {"error_code": "INVALID_PARAMETER_VALUE", "message": "Cluster none does not exist"}, missing


def warm_runs_are_fast():
    put_notebook("/Shared/quick.py", "spark.range(10).count()\n")
    times = []
    for _ in range(6):
        _, task, _ = run_notebook("/Shared/quick.py")
        times.append(task.execution_duration)
    print(f"  warm runs took {sorted(times)} ms")


CHAPTERS = [
    identity,
    objects,
    dbfs,
    volumes,
    the_documents_example,
    a_replaced_library_needs_a_restart,
    a_failing_test_in_a_successful_run,
    a_failing_notebook,
    parameters_magics_and_isolation,
    notebook_scoped_packages,
    libraries_that_fail_and_packages,
    stopping,
    tokens_make_runs_unique,
    tasks_depend_on_each_other,
    side_by_side,
    a_restart_in_the_middle_of_a_run,
    faults,
    the_old_way,
    warm_runs_are_fast,
]

if __name__ == "__main__":
    play(CHAPTERS)
