"""Objects of the workspace, DBFS and volumes."""

import base64
import io
import os
import urllib.parse

import requests
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, ResourceAlreadyExists
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType

from support import HOST, TOKEN, expect, put_notebook, w


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
