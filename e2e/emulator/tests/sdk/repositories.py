"""Runs whose source is a git repository, open to all or private, over TLS with an authority of its own."""

import base64
import contextlib
import functools
import http.server
import os
import ssl
import subprocess
import tempfile
import threading

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound
from databricks.sdk.service.jobs import GitProvider, GitSource, NotebookTask, RunLifeCycleState, RunResultState, Source, SparkPythonTask, SubmitTask

from support import CLUSTER, HOST, expect, finish, run, w

NOTEBOOK = SubmitTask("notebook", existing_cluster_id=CLUSTER, notebook_task=NotebookTask("tests/one"))
FILES = {
    "helper.py": "ANSWER = 'from the first commit'\n",
    "tests/one.py": "# Databricks notebook source\n# MAGIC %run ./setup\n\n# COMMAND ----------\n\nimport helper\ndbutils.notebook.exit(helper.ANSWER + from_setup)\n",
    "tests/setup.py": "# Databricks notebook source\nfrom_setup = '!'\n",
    "script.py": "import helper\nprint(helper.ANSWER)\n",
}


class Forge(http.server.SimpleHTTPRequestHandler):
    """Serves repositories as plain files; those below /private only to one user."""

    ALLOWED = "Basic " + base64.b64encode(b"robot:a-token").decode()

    def do_GET(self):
        if self.path.startswith("/private/") and self.headers.get("Authorization") != self.ALLOWED:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="forge"')
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


def make_repository(folder):
    """Two commits, the first one tagged; its id."""
    git = lambda *words: subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True).stdout.strip()
    commit = lambda: git("-c", "user.name=ana", "-c", "user.email=ana@example.com", "commit", "-qam", "x")
    os.makedirs(os.path.join(folder, "tests"))
    git("init", "-q", "-b", "main")
    for name, text in FILES.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    git("add", ".")
    commit()
    git("tag", "v1")
    first = git("rev-parse", "HEAD")
    with open(os.path.join(folder, "helper.py"), "w") as file:
        file.write("ANSWER = 'from the second'\n")
    commit()
    git("update-server-info")
    return first


@contextlib.contextmanager
def forge():
    """Its URL, and the first commit of both its repositories."""
    with tempfile.TemporaryDirectory() as folder:
        first = make_repository(os.path.join(folder, "open"))
        os.symlink(os.path.join(folder, "open"), os.path.join(folder, "private"))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Forge, directory=folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The emulator was told to trust whoever signed this.
        context.load_cert_chain("forge.pem", "forge.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", first
        server.shutdown()


def branch(url, provider=GitProvider.GIT_HUB):
    return GitSource(url, provider, git_branch="main")


def from_git():
    with forge() as (url, first):
        url += "/open/.git"
        script = SubmitTask("script", existing_cluster_id=CLUSTER, spark_python_task=SparkPythonTask("script.py", source=Source.GIT))
        for reference, answer in ({"git_commit": first}, "first commit"), ({"git_tag": "v1"}, "first commit"), ({"git_branch": "main"}, "second"):
            ended, outputs = run(NOTEBOOK, script, git_source=GitSource(url, GitProvider.GIT_HUB, **reference))
            assert ended.state.result_state == RunResultState.SUCCESS, [task.state for task in ended.tasks]
            assert outputs["notebook"].notebook_output.result == f"from the {answer}!"
            assert outputs["script"].logs == f"from the {answer}\n"
            if answer == "first commit":
                assert ended.git_source.git_snapshot.used_commit == first
        missing = SubmitTask("notebook", existing_cluster_id=CLUSTER, notebook_task=NotebookTask("tests/none"))
        ended, outputs = run(missing, git_source=branch(url))
        assert "Unable to access the notebook" in outputs["notebook"].error
        ended = finish(w.jobs.submit(tasks=[NOTEBOOK], git_source=GitSource(url, GitProvider.GIT_HUB, git_commit="0" * 40)).response.run_id)
        assert ended.status.termination_details.code.value == "REPOSITORY_CHECKOUT_FAILED", ended.status
        assert ended.state.life_cycle_state == RunLifeCycleState.INTERNAL_ERROR and ended.tasks[0].state.state_message.startswith("Failed to checkout")
        refusal = expect(InvalidParameterValue, lambda: w.jobs.submit(tasks=[NOTEBOOK], git_source=branch("http" + url.removeprefix("https"))))
        assert "HTTPS" in str(refusal), refusal


def private_repositories():
    """The user's git credential for the provider is what opens them; nobody else's does."""
    with forge() as (url, _):
        url += "/private/.git"

        def refused(words):
            ended = finish(w.jobs.submit(tasks=[NOTEBOOK], git_source=branch(url)).response.run_id)
            details = ended.status.termination_details
            assert details.code.value == "REPOSITORY_CHECKOUT_FAILED" and words in ended.tasks[0].state.state_message, ended.tasks[0].state
            assert "a-token" not in str(ended.as_dict())

        refused("PERMISSION_DENIED: Missing Git provider credentials.")
        other = WorkspaceClient(host=HOST, client_id="app-1", client_secret="secret-of-app-1", auth_type="oauth-m2m")
        other.git_credentials.create("gitHub", git_username="robot", personal_access_token="a-token")
        refused("Missing Git provider credentials.")
        made = w.git_credentials.create("GITHUB", git_username="robot", personal_access_token="wrong", name="ci")
        assert (made.git_provider, made.git_username, made.name) == ("gitHub", "robot", "ci"), made
        expect(BadRequest, lambda: w.git_credentials.create("gitHub", personal_access_token="x"), "CREDENTIAL_ALREADY_EXISTS")
        refused("PERMISSION_DENIED: Invalid Git provider credentials")
        w.git_credentials.update(made.credential_id, "gitHub", personal_access_token="a-token")
        _, outputs = run(NOTEBOOK, git_source=branch(url))
        assert outputs["notebook"].notebook_output.result == "from the second!"
        assert [one.credential_id for one in w.git_credentials.list()] == [made.credential_id]
        w.git_credentials.delete(made.credential_id)
        expect(NotFound, lambda: w.git_credentials.get(made.credential_id), "CREDENTIAL_NOT_FOUND")
        refused("Missing Git provider credentials.")
        assert not list(w.git_credentials.list())


CHAPTERS = [from_git, private_repositories]
