"""The service itself: who may come in, what goes wrong on demand, and the documents' own way of asking."""

import json
import uuid

import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied

from support import CLUSTER, HOST, TOKEN, expect, finish, printed, submit, until, w


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
