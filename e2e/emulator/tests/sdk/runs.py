"""Runs: stopping them, telling them apart, their tasks, and what else happens to them."""

import json
import os
import time
import uuid

import requests
from databricks.sdk.errors import BadRequest, DatabricksError, InvalidParameterValue
from databricks.sdk.service.jobs import NotebookTask, RunIf, RunLifeCycleState, RunResultState, SubmitTask, TaskDependency

from support import CLUSTER, HOST, TOKEN, cells, expect, finish, put_notebook, run_notebook, submit, until, w


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


def warm_runs_are_fast():
    put_notebook("/Shared/quick.py", "spark.range(10).count()\n")
    times = []
    for _ in range(6):
        _, task, _ = run_notebook("/Shared/quick.py")
        times.append(task.execution_duration)
    print(f"  warm runs took {sorted(times)} ms")
