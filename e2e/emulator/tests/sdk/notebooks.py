"""What notebooks do, and how a run tells of it."""

import json
import os

from databricks.sdk.errors import OperationFailed
from databricks.sdk.service.jobs import NotebookTask, RunLifeCycleState, RunResultState, SubmitTask
from databricks.sdk.service.workspace import Language

from support import CLUSTER, cells, expect, printed, put_notebook, run_notebook, w

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
