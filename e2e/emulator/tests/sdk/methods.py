"""Every method of Databricks' SDK that the phases of a release rely on, each with what it must refuse.

The table below is the list. Each row is played three times: as it should work, with a wrong token, and as it must fail.
A recorder makes sure that a row calls the method it is named after, and the emulator's journal that this asks the endpoint
beside it. `tests/coverage.rs` compares the endpoints with those that the controller calls.
"""

import base64
import io
import json
import re
import time
import urllib.parse

import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError, PermissionDenied
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.compute import Library
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.jobs import CronSchedule, JobSettings, NotebookTask, SubmitTask, Task
from databricks.sdk.service.workspace import ImportFormat, Language

from support import CLUSTER, HOST, TOKEN, expect, finish, w

B64 = base64.b64encode(b"# Databricks notebook source\nprint(1)\n").decode()
VOLUME = "/Volumes/main/default/methods"
WHEEL = [Library(whl="dbfs:/libs/none-1-py3-none-any.whl")]
NO_RUN, NO_JOB = 5, 5
# Why a row has no refusal of its own.
ALONE = "it takes no argument: only the caller can be wrong"
OWNER = AccessControlRequest(user_name="ana@example.com", permission_level=PermissionLevel.IS_OWNER)
VIEWERS = AccessControlRequest(group_name="users", permission_level=PermissionLevel.CAN_VIEW)


class Recorder:
    """A client that remembers which methods were called."""

    def __init__(self, client):
        self._client = client
        self.called = set()

    def __getattr__(self, family):
        recorder, target = self, getattr(self._client, family)

        class Family:
            def __getattr__(self, method):
                recorder.called.add(f"{family}.{method}")
                return getattr(target, method)

        return Family()


def task(path="/Shared/method"):
    return SubmitTask("t", existing_cluster_id=CLUSTER, notebook_task=NotebookTask(path))


def job_task(cluster=CLUSTER):
    return Task("t", existing_cluster_id=cluster, notebook_task=NotebookTask("/Shared/method"))


def upload(c, path, size=3):
    return c.workspace.upload(path, io.BytesIO(b"#" * size), format=ImportFormat.RAW, overwrite=True)


def import_file(c, path, overwrite):
    """What Databricks' command line does; the SDK has no method for it."""
    escaped = urllib.parse.quote(path.lstrip("/"), safe="")
    return c.api_client.do("POST", f"/api/2.0/workspace-files/import-file/{escaped}", query={"overwrite": overwrite}, data=b"x")


def own_credential():
    return next(iter(w.git_credentials.list())).credential_id


def import_notebook(c, path, **more):
    return c.workspace.import_(path, content=B64, format=ImportFormat.SOURCE, language=Language.PYTHON, **more)


def prepare():
    """What the rows find."""
    import_notebook(w, "/Shared/method", overwrite=True)
    upload(w, "/Shared/file.txt")
    w.workspace.mkdirs("/Shared/full/inner")
    w.volumes.create("main", "default", "methods", VolumeType.MANAGED)
    w.files.upload(VOLUME + "/f", io.BytesIO(b"abc"))
    w.dbfs.put("/methods/f", contents=B64, overwrite=True)
    w.dbfs.put("/methods/full/f", contents=B64, overwrite=True)
    w.clusters.ensure_cluster_is_running(CLUSTER)
    run = finish(w.jobs.submit(tasks=[task()]).response.run_id)
    job = w.jobs.create(name="methods", tasks=[job_task()])
    return run.run_id, run.tasks[0].run_id, job.job_id


def rows(run_id, task_id, job_id):
    """(method, endpoint behind it, how it works, how it must fail, with which error_code)."""
    bad = "INVALID_PARAMETER_VALUE"
    gone = "RESOURCE_DOES_NOT_EXIST"
    big = base64.b64encode(b"x" * (1024 * 1024 + 1)).decode()
    wrong_cron = CronSchedule("0 6 * * *", "UTC")
    return [
        ("current_user.me", "GET preview/scim/v2/Me", lambda c: c.current_user.me(), ALONE, None),
        ("workspace.import_", "POST workspace/import", lambda c: import_notebook(c, "/Shared/method", overwrite=True), lambda c: import_notebook(c, "/Shared/method"), "RESOURCE_ALREADY_EXISTS"),
        ("workspace.upload", "POST workspace/import", lambda c: upload(c, "/Shared/file.txt"), lambda c: upload(c, "/Shared/big", 10 * 1024 * 1024 + 1), "MAX_NOTEBOOK_SIZE_EXCEEDED"),
        ("workspace.export", "GET workspace/export", lambda c: c.workspace.export("/Shared/method"), lambda c: c.workspace.export("/Shared/none"), gone),
        ("workspace.download", "GET workspace/export", lambda c: c.workspace.download("/Shared/file.txt"), lambda c: c.workspace.download("/Shared/none"), gone),
        ("workspace.get_status", "GET workspace/get-status", lambda c: c.workspace.get_status("/Shared/method"), lambda c: c.workspace.get_status("/Shared/none"), gone),
        ("workspace.list", "GET workspace/list", lambda c: list(c.workspace.list("/Shared")), lambda c: list(c.workspace.list("/none")), gone),
        ("workspace.mkdirs", "POST workspace/mkdirs", lambda c: c.workspace.mkdirs("/Shared/full/inner"), lambda c: c.workspace.mkdirs("relative"), bad),
        ("workspace.delete", "POST workspace/delete", lambda c: (upload(w, "/Shared/short"), c.workspace.delete("/Shared/short")), lambda c: c.workspace.delete("/Shared/full"), "DIRECTORY_NOT_EMPTY"),
        ("api_client.do", "POST workspace-files/import-file/", lambda c: import_file(c, "/Shared/raw.txt", True), lambda c: import_file(c, "/Shared/none/raw.txt", True), gone),
        ("volumes.read", "GET unity-catalog/volumes/", lambda c: c.volumes.read("main.default.methods"), lambda c: c.volumes.read("main.default.none"), gone),
        ("volumes.create", "POST unity-catalog/volumes", lambda c: c.volumes.create("main", "default", "another", VolumeType.MANAGED), lambda c: c.volumes.create("main", "default", "methods", VolumeType.MANAGED), "RESOURCE_ALREADY_EXISTS"),
        ("volumes.list", "GET unity-catalog/volumes", lambda c: list(c.volumes.list("main", "default")), lambda c: list(c.volumes.list("none", "none")), gone),
        ("files.upload", "PUT fs/files/", lambda c: c.files.upload(VOLUME + "/f", io.BytesIO(b"abc"), overwrite=True), lambda c: c.files.upload(VOLUME + "/none/f", io.BytesIO(b"x")), gone),
        ("files.download", "GET fs/files/", lambda c: c.files.download(VOLUME + "/f").contents.read(), lambda c: c.files.download(VOLUME + "/none"), gone),
        ("files.get_metadata", "HEAD fs/files/", lambda c: c.files.get_metadata(VOLUME + "/f"), lambda c: c.files.get_metadata(VOLUME + "/none"), None),
        ("files.create_directory", "PUT fs/directories/", lambda c: c.files.create_directory(VOLUME + "/d"), lambda c: c.files.create_directory("/Volumes/none/none/none/d"), gone),
        ("files.list_directory_contents", "GET fs/directories/", lambda c: list(c.files.list_directory_contents(VOLUME)), lambda c: list(c.files.list_directory_contents(VOLUME + "/none")), gone),
        ("files.get_directory_metadata", "HEAD fs/directories/", lambda c: c.files.get_directory_metadata(VOLUME), lambda c: c.files.get_directory_metadata(VOLUME + "/none"), None),
        ("files.delete_directory", "DELETE fs/directories/", lambda c: c.files.delete_directory(VOLUME + "/d"), lambda c: c.files.delete_directory(VOLUME), "DIRECTORY_NOT_EMPTY"),
        ("files.delete", "DELETE fs/files/", lambda c: c.files.delete(VOLUME + "/f"), lambda c: c.files.delete(VOLUME + "/none"), gone),
        ("dbfs.put", "POST dbfs/put", lambda c: c.dbfs.put("/methods/f", contents=B64, overwrite=True), lambda c: c.dbfs.put("/methods/g", contents=big), "MAX_BLOCK_SIZE_EXCEEDED"),
        ("dbfs.create", "POST dbfs/create", lambda c: c.dbfs.create("/methods/f", overwrite=True), lambda c: c.dbfs.create("/methods/f"), "RESOURCE_ALREADY_EXISTS"),
        ("dbfs.add_block", "POST dbfs/add-block", lambda c: c.dbfs.add_block(w.dbfs.create("/methods/h", overwrite=True).handle, B64), lambda c: c.dbfs.add_block(7, B64), gone),
        ("dbfs.close", "POST dbfs/close", lambda c: c.dbfs.close(w.dbfs.create("/methods/h", overwrite=True).handle), lambda c: c.dbfs.close(7), gone),
        ("dbfs.get_status", "GET dbfs/get-status", lambda c: c.dbfs.get_status("/methods/f"), lambda c: c.dbfs.get_status("/none"), gone),
        ("dbfs.list", "GET dbfs/list", lambda c: list(c.dbfs.list("/methods")), lambda c: list(c.dbfs.list("/none")), gone),
        ("dbfs.read", "GET dbfs/read", lambda c: c.dbfs.read("/methods/f"), lambda c: c.dbfs.read("/methods/f", length=2 * 1024 * 1024), bad),
        ("dbfs.mkdirs", "POST dbfs/mkdirs", lambda c: c.dbfs.mkdirs("/methods/d"), lambda c: c.dbfs.mkdirs("/methods/f/d"), "RESOURCE_ALREADY_EXISTS"),
        ("dbfs.delete", "POST dbfs/delete", lambda c: c.dbfs.delete("/methods/f"), lambda c: c.dbfs.delete("/", recursive=True), bad),
        ("libraries.install", "POST libraries/install", lambda c: c.libraries.install(CLUSTER, WHEEL), lambda c: c.libraries.install("none", WHEEL), bad),
        ("libraries.uninstall", "POST libraries/uninstall", lambda c: c.libraries.uninstall(CLUSTER, WHEEL), lambda c: c.libraries.uninstall("none", WHEEL), bad),
        ("libraries.cluster_status", "GET libraries/cluster-status", lambda c: list(c.libraries.cluster_status(CLUSTER)), lambda c: list(c.libraries.cluster_status("none")), bad),
        ("libraries.all_cluster_statuses", "GET libraries/all-cluster-statuses", lambda c: list(c.libraries.all_cluster_statuses()), ALONE, None),
        ("clusters.get", "GET clusters/get", lambda c: c.clusters.get(CLUSTER), lambda c: c.clusters.get("none"), bad),
        ("clusters.list", "GET clusters/list", lambda c: list(c.clusters.list(page_size=1)), lambda c: list(c.clusters.list(page_token="none")), bad),
        ("clusters.events", "POST clusters/events", lambda c: list(c.clusters.events(CLUSTER)), lambda c: list(c.clusters.events("none")), bad),
        ("clusters.spark_versions", "GET clusters/spark-versions", lambda c: c.clusters.spark_versions(), ALONE, None),
        ("clusters.restart", "POST clusters/restart", lambda c: c.clusters.restart(CLUSTER).result(), lambda c: c.clusters.restart("new"), "INVALID_STATE"),
        ("clusters.delete", "POST clusters/delete", lambda c: c.clusters.delete(CLUSTER).result(), lambda c: c.clusters.delete("none"), bad),
        ("clusters.start", "POST clusters/start", lambda c: c.clusters.start(CLUSTER).result(), lambda c: c.clusters.start(CLUSTER), "INVALID_STATE"),
        ("clusters.create", "POST clusters/create", lambda c: w.clusters.permanent_delete(c.clusters.create("15.4.x-scala2.12", num_workers=0).cluster_id), lambda c: c.clusters.create("none", num_workers=0), bad),
        ("clusters.permanent_delete", "POST clusters/permanent-delete", lambda c: c.clusters.permanent_delete("new"), lambda c: c.clusters.permanent_delete("none"), bad),
        ("jobs.submit", "POST jobs/runs/submit", lambda c: c.jobs.submit(tasks=[task()]).result(), lambda c: c.jobs.submit(tasks=[SubmitTask("t", existing_cluster_id="none", notebook_task=NotebookTask("/n"))]), bad),
        ("jobs.get_run", "GET jobs/runs/get", lambda c: c.jobs.get_run(run_id), lambda c: c.jobs.get_run(NO_RUN), bad),
        ("jobs.get_run_output", "GET jobs/runs/get-output", lambda c: c.jobs.get_run_output(task_id), lambda c: c.jobs.get_run_output(run_id), bad),
        ("jobs.export_run", "GET jobs/runs/export", lambda c: c.jobs.export_run(task_id), lambda c: c.jobs.export_run(NO_RUN), bad),
        ("jobs.list_runs", "GET jobs/runs/list", lambda c: list(c.jobs.list_runs()), lambda c: list(c.jobs.list_runs(active_only=True, completed_only=True)), bad),
        ("jobs.cancel_run", "POST jobs/runs/cancel", lambda c: c.jobs.cancel_run(run_id), lambda c: c.jobs.cancel_run(NO_RUN), bad),
        ("jobs.cancel_all_runs", "POST jobs/runs/cancel-all", lambda c: c.jobs.cancel_all_runs(job_id=job_id), lambda c: c.jobs.cancel_all_runs(), bad),
        ("jobs.delete_run", "POST jobs/runs/delete", lambda c: c.jobs.delete_run(run_id), lambda c: c.jobs.delete_run(NO_RUN), bad),
        ("jobs.create", "POST jobs/create", lambda c: w.jobs.delete(c.jobs.create(name="short").job_id), lambda c: c.jobs.create(schedule=wrong_cron), bad),
        ("jobs.get", "GET jobs/get", lambda c: c.jobs.get(job_id), lambda c: c.jobs.get(NO_JOB), bad),
        ("jobs.list", "GET jobs/list", lambda c: list(c.jobs.list(name="methods")), lambda c: list(c.jobs.list(limit=101)), bad),
        ("jobs.reset", "POST jobs/reset", lambda c: c.jobs.reset(job_id, JobSettings(name="methods", tasks=[job_task()])), lambda c: c.jobs.reset(job_id, JobSettings(tasks=[job_task("none")])), bad),
        ("jobs.update", "POST jobs/update", lambda c: c.jobs.update(job_id, new_settings=JobSettings(tags={"a": "b"})), lambda c: c.jobs.update(NO_JOB), bad),
        ("jobs.run_now", "POST jobs/run-now", lambda c: c.jobs.run_now(job_id).result(), lambda c: c.jobs.run_now(NO_JOB), bad),
        ("permissions.get", "GET permissions/", lambda c: c.permissions.get("jobs", str(job_id)), lambda c: c.permissions.get("jobs", str(NO_JOB)), gone),
        ("permissions.set", "PUT permissions/", lambda c: c.permissions.set("jobs", str(job_id), access_control_list=[OWNER, VIEWERS]), lambda c: c.permissions.set("jobs", str(job_id), access_control_list=[VIEWERS]), bad),
        ("permissions.update", "PATCH permissions/", lambda c: c.permissions.update("jobs", str(job_id), access_control_list=[VIEWERS]), lambda c: c.permissions.update("warehouses", "1", access_control_list=[VIEWERS]), "FEATURE_DISABLED"),
        ("git_credentials.create", "POST git-credentials", lambda c: c.git_credentials.create("gitLab", personal_access_token="t"), lambda c: c.git_credentials.create("svn", personal_access_token="t"), "INVALID_GIT_PROVIDER"),
        ("git_credentials.list", "GET git-credentials", lambda c: list(c.git_credentials.list()), lambda c: list(c.git_credentials.list(principal_id=1)), "FEATURE_DISABLED"),
        ("git_credentials.get", "GET git-credentials/", lambda c: c.git_credentials.get(own_credential()), lambda c: c.git_credentials.get(5), "CREDENTIAL_NOT_FOUND"),
        ("git_credentials.update", "PATCH git-credentials/", lambda c: c.git_credentials.update(own_credential(), "gitLab", personal_access_token="u"), lambda c: c.git_credentials.update(5, "gitLab"), "CREDENTIAL_NOT_FOUND"),
        ("git_credentials.delete", "DELETE git-credentials/", lambda c: c.git_credentials.delete(own_credential()), lambda c: c.git_credentials.delete(5), "CREDENTIAL_NOT_FOUND"),
        ("jobs.delete", "POST jobs/delete", lambda c: c.jobs.delete(job_id), lambda c: c.jobs.delete(job_id), bad),
    ]


def asked(since):
    """The requests behind a number of the journal, as the table writes them, and the newest number."""
    answer = requests.get(f"{HOST}/emulator/requests?since={since}", auth=("token", TOKEN), timeout=10).json()["requests"]
    return [f"{r['method']} {re.sub('^/api/[0-9.]+/', '', r['path'])}" for r in answer], answer[-1]["seq"] if answer else since


def the_table():
    table = rows(*prepare())
    for method, endpoint, works, fails, code in table:
        begun = time.monotonic()
        wrong = Recorder(WorkspaceClient(host=HOST, token="wrong"))
        expect(PermissionDenied, lambda: works(wrong))
        right = Recorder(w)
        _, seq = asked(0)
        works(right)
        assert method in wrong.called & right.called, f"the row of {method} calls something else"
        paths, _ = asked(seq)
        assert any(path == endpoint or endpoint.endswith("/") and path.startswith(endpoint) for path in paths), (method, endpoint, paths)
        if callable(fails):
            failing = Recorder(w)
            expect(DatabricksError, lambda: fails(failing), code)
            assert method in failing.called, f"the row of {method} fails at something else"
        else:
            assert fails == ALONE, f"the row of {method} is refused nothing"
        print(f"ok {method} ({time.monotonic() - begun:.1f} s)", flush=True)


def logins():
    """A personal token, a service principal with a secret, and a workload with a token of its own in a file."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    app = WorkspaceClient(host=HOST, client_id="app-1", client_secret="secret-of-app-1", auth_type="oauth-m2m")
    assert app.current_user.me().user_name == "app-1"
    wrong = WorkspaceClient(host=HOST, client_id="app-1", client_secret="wrong", auth_type="oauth-m2m")
    expect(ValueError, wrong.current_user.me)

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    number = lambda value: text(value.to_bytes((value.bit_length() + 7) // 8, "big"))
    public = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "n": number(public.n), "e": number(public.e)}
    subject = "system:serviceaccount:data:brickline"
    policy = {"issuer": "https://kubernetes", "audiences": ["databricks"], "subject": subject, "jwks_json": json.dumps({"keys": [jwk]})}
    policies = [{"client_id": "app-9", "oidc_policy": policy}]
    requests.put(HOST + "/emulator/federation", json=policies, auth=("token", TOKEN), timeout=10).raise_for_status()

    def workload(**changes):
        claims = {"iss": "https://kubernetes", "aud": ["databricks"], "sub": subject, "exp": int(time.time()) + 600, **changes}
        parts = [text(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "one"}, claims)]
        signature = key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
        with open("workload-token", "w") as file:
            file.write(".".join([*parts, text(signature)]))
        return WorkspaceClient(config=Config(host=HOST, client_id="app-9", auth_type="file-oidc", oidc_token_filepath="workload-token"))

    assert workload().current_user.me().user_name == "app-9"
    expect(ValueError, workload(sub="system:serviceaccount:other:brickline").current_user.me)


if __name__ == "__main__":
    the_table()
    logins()
    print("ok logins")
