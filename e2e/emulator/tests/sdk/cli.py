"""The legacy command line `databricks` 0.18, as the documents use it, and what else of it a release may meet."""

import json
import os
import re
import subprocess

from support import HOST, TOKEN, play

CLI = os.environ["DATABRICKS_LEGACY_CLI"]
# No drivers run here: what needs a running cluster is told by the SDK's stories.
CLUSTER = "0101-000000-main"
# This client forgets the port of its host: as its proxy, the emulator is found all the same.
WORKSPACE = "http://workspace.example"
KEPT = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_") and not name.lower().endswith("_proxy")}
# A home of its own holds its configuration.
CLEAN = {**KEPT, "HOME": os.getcwd(), "http_proxy": HOST}


def call(*words, token=None):
    """Runs the command line: whether it succeeded, its output, and what it said beside."""
    more = {"DATABRICKS_HOST": WORKSPACE, "DATABRICKS_TOKEN": token} if token else {}
    done = subprocess.run([CLI, *words], stdin=subprocess.DEVNULL, env={**CLEAN, **more}, capture_output=True, text=True, timeout=120)
    return done.returncode == 0, done.stdout, done.stderr


def ok(*words, **more):
    fine, output, complaint = call(*words, **more)
    assert fine, (words, output, complaint)
    return output.strip()


def refused(code, *words, **more):
    fine, output, complaint = call(*words, **more)
    assert not fine and code in output + complaint, (words, output, complaint)


def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


# --- the chapters ---


def configuring():
    """`configure` itself insists on https, which only the real service has; this is the file that it writes."""
    write(".databrickscfg", f"[DEFAULT]\nhost = {WORKSPACE}\ntoken = {TOKEN}\n")
    assert "Shared" in ok("workspace", "ls", "/").split()
    refused("Authorization failed", "workspace", "ls", "/", token="wrong")


def the_documents_commands():
    """The steps of the documents' release pipeline, with their options as they stand there."""
    write("notebooks/dbxdemo-notebook.py", "# Databricks notebook source\nprint(1)\n")
    into = ["workspace", "import", "--language=PYTHON", "--format=SOURCE", "--overwrite", "notebooks/dbxdemo-notebook.py"]
    for _ in range(2):
        ok(*into, "/Shared/dbxdemo-notebook.py")
    wheel = "dbxdemo-0.1.0-py3-none-any.whl"
    write("libs/" + wheel, "a wheel")
    for _ in range(2):
        ok("fs", "cp", "--overwrite", "libs/" + wheel, "dbfs:/libraries/python/libs/" + wheel)
    assert ok("fs", "ls", "dbfs:/libraries/python/libs") == wheel
    assert ok("fs", "cat", "dbfs:/libraries/python/libs/" + wheel) == "a wheel"
    ok("workspace", "export_dir", "-o", "/Shared", "./Workspace")
    with open("Workspace/dbxdemo-notebook.py.py") as file:
        assert file.read() == "# Databricks notebook source\nprint(1)\n"
    refused("RESOURCE_DOES_NOT_EXIST", *into, "/none/dbxdemo-notebook.py")


def the_workspace():
    ok("workspace", "mkdirs", "/Shared/a/b")
    assert ok("workspace", "ls", "/Shared/a") == "b"
    write("tree/one.py", "# Databricks notebook source\n1\n")
    write("tree/deep/two.sql", "-- Databricks notebook source\nselect 1\n")
    ok("workspace", "import_dir", "tree", "/Shared/tree")
    assert ok("workspace", "ls", "/Shared/tree").split() == ["deep", "one"]
    ok("workspace", "export", "/Shared/tree/deep/two", "two.sql")
    refused("DIRECTORY_NOT_EMPTY", "workspace", "rm", "/Shared/tree")
    ok("workspace", "rm", "-r", "/Shared/tree")
    refused("RESOURCE_DOES_NOT_EXIST", "workspace", "ls", "/Shared/tree")
    write("big.py", "#" * (10 * 1024 * 1024 + 1))
    refused("MAX_NOTEBOOK_SIZE_EXCEEDED", "workspace", "import", "-l", "PYTHON", "big.py", "/Shared/big")


def files():
    write("up/a.txt", "a" * (3 * 1024 * 1024))
    write("up/deep/b.txt", "b")
    ok("fs", "mkdirs", "dbfs:/up")
    ok("fs", "cp", "-r", "--overwrite", "up", "dbfs:/up")
    assert ok("fs", "cat", "dbfs:/up/deep/b.txt") == "b"
    ok("fs", "cp", "dbfs:/up/a.txt", "down.txt")
    assert os.path.getsize("down.txt") == 3 * 1024 * 1024
    ok("fs", "rm", "-r", "dbfs:/up")
    refused("RESOURCE_DOES_NOT_EXIST", "fs", "ls", "dbfs:/up")


def clusters_and_libraries():
    assert json.loads(ok("clusters", "get", "--cluster-id", CLUSTER))["state"] == "TERMINATED"
    assert CLUSTER in ok("clusters", "list")
    refused("INVALID_STATE", "clusters", "restart", "--cluster-id", CLUSTER)
    refused("Cluster none does not exist", "clusters", "get", "--cluster-id", "none")
    wheel = "dbfs:/libraries/python/libs/dbxdemo-0.1.0-py3-none-any.whl"
    ok("libraries", "install", "--cluster-id", CLUSTER, "--whl", wheel)
    status = lambda: json.loads(ok("libraries", "cluster-status", "--cluster-id", CLUSTER)).get("library_statuses", [])
    assert [(s["library"]["whl"], s["status"]) for s in status()] == [(wheel, "PENDING")]
    ok("libraries", "uninstall", "--cluster-id", CLUSTER, "--whl", wheel)
    assert status()[0]["status"] == "UNINSTALL_ON_RESTART"
    refused("Cluster none does not exist", "libraries", "install", "--cluster-id", "none", "--whl", wheel)


def runs():
    task = {"run_name": "old", "existing_cluster_id": CLUSTER, "notebook_task": {"notebook_path": "/Shared/dbxdemo-notebook.py"}}
    run_id = str(json.loads(ok("runs", "submit", "--json", json.dumps(task)))["run_id"])
    shown = json.loads(ok("runs", "get", "--run-id", run_id))
    assert shown["run_name"] == "old" and shown["run_type"] == "SUBMIT_RUN"
    assert run_id in ok("runs", "list")
    assert "metadata" in json.loads(ok("runs", "get-output", "--run-id", run_id))
    ok("runs", "cancel", "--run-id", run_id)
    refused("Run 5 does not exist", "runs", "get", "--run-id", "5")


def jobs():
    ok("jobs", "configure", "--version=2.1")
    task = {"task_key": "a", "existing_cluster_id": CLUSTER, "notebook_task": {"notebook_path": "/Shared/dbxdemo-notebook.py"}}
    job_id = str(json.loads(ok("jobs", "create", "--json", json.dumps({"name": "old job", "tasks": [task]})))["job_id"])
    assert json.loads(ok("jobs", "get", "--job-id", job_id))["settings"]["name"] == "old job"
    ok("jobs", "reset", "--job-id", job_id, "--json", json.dumps({"name": "newer job", "tasks": [task]}))
    assert re.search(rf"{job_id}\s+newer job", ok("jobs", "list"))
    run = json.loads(ok("jobs", "run-now", "--job-id", job_id))
    assert json.loads(ok("runs", "get", "--run-id", str(run["run_id"])))["job_id"] == int(job_id)
    ok("jobs", "delete", "--job-id", job_id)
    refused(f"Job {job_id} does not exist", "jobs", "get", "--job-id", job_id)


CHAPTERS = [configuring, the_documents_commands, the_workspace, files, clusters_and_libraries, runs, jobs]

if __name__ == "__main__":
    play(CHAPTERS)
