"""Libraries: what a cluster has, what replaces it, and what one notebook has for itself."""

import io

from databricks.sdk.service.compute import Library, LibraryInstallStatus, PythonPyPiLibrary, State
from databricks.sdk.service.jobs import RunLifeCycleState, RunResultState
from databricks.sdk.service.workspace import ImportFormat

from notebooks import NOTEBOOK
from support import CLUSTER, build_wheel, cells, finish, install, printed, put_notebook, run_notebook, statuses, submit, until, w

NEW_RUNTIME = "new"


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
