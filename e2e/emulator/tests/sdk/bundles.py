"""What deploying an asset bundle asks of a workspace: its state with a lock, its files, its jobs and their permissions."""

import io
import json
import urllib.parse

from databricks.sdk.errors import BadRequest, NotFound, ResourceConflict
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.jobs import JobSettings, NotebookTask, Task
from databricks.sdk.service.workspace import ImportFormat, ObjectType

from support import CLUSTER, expect, play, w

ME = w.current_user.me().user_name
ROOT = f"/Workspace/Users/{ME}/.bundle/demo/dev"


def put(path, text, overwrite=False):
    """As Databricks' command line does it: the folders above are made when they turn out to be missing."""
    escaped = urllib.parse.quote(path.lstrip("/"), safe="")
    send = lambda: w.api_client.do("POST", f"/api/2.0/workspace-files/import-file/{escaped}", query={"overwrite": str(overwrite).lower()}, data=text.encode())
    try:
        send()
    except NotFound:
        w.workspace.mkdirs(path.rsplit("/", 1)[0])
        send()


def read(path):
    with w.workspace.download(path) as file:
        return file.read().decode()


# --- the chapters ---


def one_at_a_time():
    """The lock is a file that only one can create."""
    assert w.workspace.get_status(f"/Workspace/Users/{ME}").object_type == ObjectType.DIRECTORY, "everybody has a home"
    lock = ROOT + "/state/deploy.lock"
    put(lock, json.dumps({"ID": "first"}))
    expect(ResourceConflict, lambda: put(lock, json.dumps({"ID": "second"})))
    assert json.loads(read(lock)) == {"ID": "first"}
    put(lock, json.dumps({"ID": "forced"}), overwrite=True)
    assert json.loads(read(lock)) == {"ID": "forced"}


def its_files():
    notebook = "# Databricks notebook source\nprint('deployed')\n"
    for _ in range(2):
        put(ROOT + "/files/src/job.py", notebook, overwrite=True)
        put(ROOT + "/files/conf/settings.json", "{}", overwrite=True)
    expect(BadRequest, lambda: put(ROOT + "/files/src/job.py", notebook))
    # The newer way: a form, told apart by AUTO.
    w.workspace.upload(ROOT + "/files/src/helper.py", io.BytesIO(b"x = 1\n"), format=ImportFormat.AUTO, overwrite=True)
    w.workspace.upload(ROOT + "/state/deployment.json", io.BytesIO(b'{"seq": 1}'), format=ImportFormat.RAW, overwrite=True)
    w.workspace.upload(ROOT + "/state/deployment.json", io.BytesIO(b'{"seq": 2}'), format=ImportFormat.RAW, overwrite=True)
    assert json.loads(read(ROOT + "/state/deployment.json")) == {"seq": 2}
    found = {o.path.split("/files/")[1]: o.object_type for o in w.workspace.list(ROOT + "/files", recursive=True)}
    assert found == {"src/job": ObjectType.NOTEBOOK, "src/helper.py": ObjectType.FILE, "conf/settings.json": ObjectType.FILE}, found
    assert read(ROOT + "/files/src/job") == notebook
    w.workspace.delete(ROOT + "/files/src/helper.py")
    expect(NotFound, lambda: w.workspace.get_status(ROOT + "/files/src/helper.py"))


def its_jobs_and_permissions():
    task = Task("main", existing_cluster_id=CLUSTER, notebook_task=NotebookTask(ROOT + "/files/src/job"))
    job = w.jobs.create(name="[dev] demo", tasks=[task], tags={"dev": "ana"})
    assert w.jobs.get(job.job_id).settings.queue.enabled, "so it is since version 2.2"
    w.jobs.reset(job.job_id, JobSettings(name="[dev] demo", tasks=[task], max_concurrent_runs=4))
    assert w.jobs.get(job.job_id).settings.max_concurrent_runs == 4
    mine = AccessControlRequest(user_name=ME, permission_level=PermissionLevel.IS_OWNER)
    viewers = AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_VIEW)
    levels = lambda shown: {entry.user_name or entry.group_name: entry.all_permissions[0].permission_level.value for entry in shown.access_control_list}
    assert levels(w.permissions.get("jobs", str(job.job_id))) == {ME: "IS_OWNER", "admins": "CAN_MANAGE"}
    assert levels(w.permissions.set("jobs", str(job.job_id), access_control_list=[mine, viewers])) == {ME: "IS_OWNER", "users": "CAN_VIEW", "admins": "CAN_MANAGE"}
    refusal = expect(BadRequest, lambda: w.permissions.set("jobs", str(job.job_id), access_control_list=[viewers]), "INVALID_PARAMETER_VALUE")
    assert "exactly one owner" in str(refusal), refusal
    folder = str(w.workspace.get_status(ROOT).object_id)
    readers = AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_READ)
    assert levels(w.permissions.update("directories", folder, access_control_list=[readers])) == {"users": "CAN_READ", ME: "CAN_MANAGE", "admins": "CAN_MANAGE"}
    w.jobs.delete(job.job_id)
    expect(NotFound, lambda: w.permissions.get("jobs", str(job.job_id)), "RESOURCE_DOES_NOT_EXIST")


def its_end():
    w.workspace.delete(ROOT, recursive=True)
    expect(NotFound, lambda: w.workspace.get_status(ROOT + "/state/deploy.lock"))


CHAPTERS = [one_at_a_time, its_files, its_jobs_and_permissions, its_end]

if __name__ == "__main__":
    play(CHAPTERS)
