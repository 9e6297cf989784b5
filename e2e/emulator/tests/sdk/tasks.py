"""Every kind of task, source and compute, and saved jobs, played with Databricks' own SDK."""

import io
import os
import subprocess
import sys

from databricks.sdk.errors import DatabricksError, InvalidParameterValue
from databricks.sdk.service.compute import ClusterSpec, Environment, Library, State
from databricks.sdk.service.jobs import (
    CronSchedule,
    JobCluster,
    JobEnvironment,
    JobParameterDefinition,
    JobSettings,
    NotebookTask,
    PauseStatus,
    PythonWheelTask,
    RunLifeCycleState,
    RunResultState,
    RunType,
    SparkPythonTask,
    SubmitTask,
    Task,
    TriggerType,
)
from databricks.sdk.service.workspace import ImportFormat

import repositories
from support import CLUSTER, expect, finish, play, put_notebook, run, until, w

SCRIPT = """\
import sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("mine").getOrCreate()
print("counted", spark.range(int(sys.argv[1])).count(), __name__)
spark.stop()
"""
NEW_CLUSTER = ClusterSpec(spark_version="14.3.x-scala2.12", node_type_id="local", num_workers=0)


def upload_file(path, text):
    w.workspace.upload(path, io.BytesIO(text.encode()), format=ImportFormat.RAW, overwrite=True)


def tool_wheel():
    """A wheel with an entry point in its metadata, and a function that isn't there."""
    folder = "lib-tool"
    os.makedirs(os.path.join(folder, "dbx_tool"), exist_ok=True)
    files = {
        "dbx_tool/__init__.py": "import sys\n\ndef main():\n    print('main', sys.argv[1:])\n\ndef other():\n    print('other')\n    raise SystemExit(3)\n",
        "setup.py": "from setuptools import setup\n\nsetup(name='dbx-tool', version='1.0', packages=['dbx_tool'], entry_points={'console_scripts': ['tool=dbx_tool:main']})\n",
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    subprocess.run([sys.executable, "setup.py", "-q", "bdist_wheel"], cwd=folder, check=True, capture_output=True)
    path = "/Workspace/Shared/dbx_tool-1.0-py3-none-any.whl"
    with open(os.path.join(folder, "dist", os.path.basename(path)), "rb") as wheel:
        w.workspace.upload(path, wheel, format=ImportFormat.RAW, overwrite=True)
    return path


# --- the chapters ---


def python_files():
    from databricks.sdk.service.catalog import VolumeType

    w.volumes.create("main", "default", "scripts", VolumeType.MANAGED)
    w.files.upload("/Volumes/main/default/scripts/s.py", io.BytesIO(SCRIPT.encode()))
    w.dbfs.upload("/scripts/s.py", io.BytesIO(SCRIPT.encode()))
    upload_file("/Shared/s.py", SCRIPT)
    upload_file("/Shared/fails.py", "print('before')\nraise ValueError('no')\n")
    upload_file("/Shared/leaves.py", "import sys\nsys.exit(4)\n")
    places = {"workspace": "/Workspace/Shared/s.py", "bare": "/Shared/s.py", "dbfs": "dbfs:/scripts/s.py", "volume": "/Volumes/main/default/scripts/s.py"}
    task = lambda key, path, *arguments: SubmitTask(key, existing_cluster_id=CLUSTER, spark_python_task=SparkPythonTask(path, parameters=list(arguments)))
    ended, outputs = run(*[task(key, path, "7") for key, path in places.items()])
    assert ended.state.result_state == RunResultState.SUCCESS, ended.state
    assert {key: output.logs for key, output in outputs.items()} == {key: "counted 7 __main__\n" for key in places}
    assert ended.execution_duration == 0 and all(task.execution_duration > 0 for task in ended.tasks)
    ended, outputs = run(task("fails", "/Shared/fails.py"), task("leaves", "/Shared/leaves.py"), task("none", "/Shared/none.py"))
    assert ended.state.life_cycle_state == RunLifeCycleState.INTERNAL_ERROR and ended.state.result_state == RunResultState.FAILED
    assert outputs["fails"].error == "ValueError: no" and "raise ValueError" in outputs["fails"].error_trace
    assert outputs["fails"].logs.startswith("before\nTraceback")
    assert outputs["leaves"].error == "SystemExit: 4"
    assert "none.py" in outputs["none"].error
    states = {t.task_key: t.state.life_cycle_state.value for t in ended.tasks}
    assert states == {"fails": "TERMINATED", "leaves": "TERMINATED", "none": "INTERNAL_ERROR"}, states
    expect(InvalidParameterValue, lambda: w.jobs.export_run(ended.tasks[0].run_id))
    expect(InvalidParameterValue, lambda: run(task("relative", "s.py")))


def wheels_on_a_cluster_of_their_own():
    path = tool_wheel()
    wheel = [Library(whl=path)]
    own = {"new_cluster": NEW_CLUSTER}
    shared = {"existing_cluster_id": CLUSTER, "libraries": wheel}
    ended, outputs = run(
        SubmitTask("list", python_wheel_task=PythonWheelTask("dbx-tool", "tool", parameters=["a", "b"]), libraries=wheel, **own),
        SubmitTask("named", python_wheel_task=PythonWheelTask("dbx-tool", "tool", named_parameters={"day": "monday"}), **shared),
        SubmitTask("function", python_wheel_task=PythonWheelTask("dbx-tool", "other"), **shared),
        SubmitTask("without", python_wheel_task=PythonWheelTask("dbx-tool", "tool"), **own),
    )
    assert outputs["list"].logs == "main ['a', 'b']\n" and outputs["named"].logs == "main ['--day=monday']\n"
    assert outputs["function"].logs == "other\n" and outputs["function"].error == "SystemExit: 3"
    assert "wheel with name dbx-tool could not be found" in outputs["without"].error, "libraries are for their task alone"
    for task in ended.tasks:
        cluster = w.clusters.get(task.cluster_instance.cluster_id)
        if cluster.cluster_id == CLUSTER:
            continue
        assert (cluster.state, cluster.termination_reason.code.value) == (State.TERMINATED, "JOB_FINISHED")


def tasks_share_a_cluster():
    put_notebook("/Shared/where.py", "spark.range(1).createOrReplaceGlobalTempView('left_here')\ndbutils.notebook.exit('made')\n")
    put_notebook("/Shared/look.py", "dbutils.notebook.exit(str(spark.table('global_temp.left_here').count()))\n")
    from databricks.sdk.service.jobs import TaskDependency

    tasks = [
        Task("make", job_cluster_key="one", notebook_task=NotebookTask("/Shared/where.py")),
        Task("look", job_cluster_key="one", notebook_task=NotebookTask("/Shared/look.py"), depends_on=[TaskDependency("make")]),
    ]
    job = w.jobs.create(name="shared", tasks=tasks, job_clusters=[JobCluster("one", NEW_CLUSTER)])
    ended = finish(w.jobs.run_now(job.job_id).response.run_id)
    look = next(task for task in ended.tasks if task.task_key == "look")
    assert w.jobs.get_run_output(look.run_id).notebook_output.result == "1"
    assert len({task.cluster_instance.cluster_id for task in ended.tasks}) == 1
    assert w.clusters.get(look.cluster_instance.cluster_id).state == State.TERMINATED
    w.jobs.delete(job.job_id)


def serverless():
    path = tool_wheel()
    environment = [JobEnvironment("env", Environment(environment_version="2", dependencies=[path]))]
    put_notebook("/Shared/alone.py", "dbutils.notebook.exit(str(spark.range(3).count()))\n")
    wheel = PythonWheelTask("dbx-tool", "tool", parameters=["x"])
    ended, outputs = run(
        SubmitTask("wheel", python_wheel_task=wheel, environment_key="env"),
        SubmitTask("notebook", notebook_task=NotebookTask("/Shared/alone.py")),
        environments=environment,
    )
    assert ended.state.result_state == RunResultState.SUCCESS, ended.state
    assert outputs["wheel"].logs == "main ['x']\n" and outputs["notebook"].notebook_output.result == "3"
    assert all(task.cluster_instance is None for task in ended.tasks)
    assert not [cluster for cluster in w.clusters.list() if "serverless" in cluster.cluster_id]
    missing = [JobEnvironment("env", Environment(environment_version="2", dependencies=["/Workspace/Shared/none-1-py3-none-any.whl"]))]
    ended, outputs = run(SubmitTask("wheel", python_wheel_task=wheel, environment_key="env"), environments=missing)
    assert "Library installation failed" in outputs["wheel"].error
    for words, task in (
        ("can not be provided for notebook task", SubmitTask("t", notebook_task=NotebookTask("/Shared/alone.py"), environment_key="env")),
        ("An environment is required", SubmitTask("t", python_wheel_task=wheel)),
        ("Libraries field is not supported", SubmitTask("t", notebook_task=NotebookTask("/Shared/alone.py"), libraries=[Library(whl=path)])),
    ):
        refusal = expect(InvalidParameterValue, lambda: w.jobs.submit(tasks=[task], environments=environment))
        assert words in str(refusal), refusal


def saved_jobs():
    put_notebook("/Shared/job.py", "dbutils.notebook.exit(dbutils.widgets.get('day'))\n")
    task = Task("main", existing_cluster_id=CLUSTER, notebook_task=NotebookTask("/Shared/job.py"))
    job = w.jobs.create(name="Saved", tags={"owner": "ana"}, tasks=[task], parameters=[JobParameterDefinition("day", "today")])
    assert [found.job_id for found in w.jobs.list(name="saved")] == [job.job_id] and not list(w.jobs.list(name="sav"))
    answer = lambda **more: w.jobs.get_run_output(w.jobs.run_now(job.job_id, **more).result().tasks[0].run_id).notebook_output.result
    assert answer() == "today" and answer(job_parameters={"day": "monday"}) == "monday"
    settings = w.jobs.get(job.job_id).settings
    assert (settings.tags, settings.tasks[0].task_key, settings.max_concurrent_runs) == ({"owner": "ana"}, "main", 1)
    w.jobs.update(job.job_id, new_settings=JobSettings(name="Renamed"), fields_to_remove=["tags"])
    assert w.jobs.get(job.job_id).settings.name == "Renamed" and not w.jobs.get(job.job_id).settings.tags
    w.jobs.reset(job.job_id, JobSettings(name="Reset", tasks=[task]))
    assert not w.jobs.get(job.job_id).settings.parameters
    runs = list(w.jobs.list_runs(job_id=job.job_id))
    assert len(runs) == 2 and {r.run_type for r in runs} == {RunType.JOB_RUN} and {r.trigger for r in runs} == {TriggerType.ONE_TIME}
    w.jobs.delete(job.job_id)
    expect(DatabricksError, lambda: w.jobs.get(job.job_id))
    expect(DatabricksError, lambda: w.jobs.run_now(job.job_id))
    wrong = CronSchedule("0 6 * * *", "UTC")
    expect(InvalidParameterValue, lambda: w.jobs.create(name="wrong", schedule=wrong))


def a_schedule():
    put_notebook("/Shared/clock.py", "dbutils.notebook.exit('by the clock')\n")
    task = Task("main", existing_cluster_id=CLUSTER, notebook_task=NotebookTask("/Shared/clock.py"))
    every_ten = CronSchedule("0/10 * * * * ?", "Europe/Lisbon", PauseStatus.UNPAUSED)
    job = w.jobs.create(name="clock", schedule=every_ten, tasks=[task])
    ended = lambda: [r for r in w.jobs.list_runs(job_id=job.job_id) if r.state.result_state == RunResultState.SUCCESS]
    first = until("a scheduled run", ended)[0]
    assert (first.trigger, first.run_type, first.job_id) == (TriggerType.PERIODIC, RunType.JOB_RUN, job.job_id)
    assert w.jobs.get_run_output(w.jobs.get_run(first.run_id).tasks[0].run_id).notebook_output.result == "by the clock"
    w.jobs.delete(job.job_id)


def files_and_widgets_in_a_notebook():
    put_notebook(
        "/Shared/files.py",
        """\
        # Databricks notebook source
        dbutils.widgets.text("word", "default")
        dbutils.widgets.dropdown("size", "s", ["s", "m"])
        dbutils.fs.put("dbfs:/notes/a.txt", dbutils.widgets.get("word"), True)
        dbutils.fs.cp("dbfs:/notes/a.txt", "/notes/b.txt")
        dbutils.fs.mkdirs("/Volumes/main/default/scripts/from_notebook")

        # COMMAND ----------

        # MAGIC %fs ls dbfs:/notes

        # COMMAND ----------

        names = [file.name for file in dbutils.fs.ls("dbfs:/notes")]
        text = dbutils.fs.head("dbfs:/notes/b.txt")
        dbutils.fs.rm("dbfs:/notes/a.txt")
        dbutils.notebook.exit(f"{names} {text} {dbutils.widgets.get('size')}")
        """,
    )
    notebook = NotebookTask("/Shared/files.py", base_parameters={"word": "given"})
    _, outputs = run(SubmitTask("files", existing_cluster_id=CLUSTER, notebook_task=notebook))
    assert outputs["files"].notebook_output.result == "['a.txt', 'b.txt'] given s", outputs["files"]
    assert [file.path for file in w.dbfs.list("/notes")] == ["/notes/b.txt"]
    assert w.files.get_directory_metadata("/Volumes/main/default/scripts/from_notebook") is None


CHAPTERS = [
    python_files,
    files_and_widgets_in_a_notebook,
    wheels_on_a_cluster_of_their_own,
    tasks_share_a_cluster,
    serverless,
    *repositories.CHAPTERS,
    saved_jobs,
    a_schedule,
]

if __name__ == "__main__":
    play(CHAPTERS)
