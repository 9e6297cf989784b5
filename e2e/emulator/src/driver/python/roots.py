"""The roots: where the workspace's paths (`dbfs:/`, `/dbfs`, `/Workspace`, `/Volumes`) lie on this machine's disk."""

import posixpath


class Roots:
    def __init__(self, workspace, dbfs, volumes, repository=None):
        self._mounts = (
            ("/Workspace/", workspace),
            ("/Volumes/", volumes),
            ("/dbfs/Volumes/", volumes),
            ("/dbfs/", dbfs),
            ("dbfs:/Volumes/", volumes),
            ("dbfs:/", dbfs),
            ("file:/", "/"),
        )
        # A notebook from git finds its neighbours in what was checked out.
        self.repository = repository
        self._notebooks = repository or workspace
        self._dbfs = dbfs

    def find(self, path):
        """The local path of `path`, or None if it names no part of the workspace."""
        for prefix, root in self._mounts:
            if (path + "/").startswith(prefix):
                return _below(root, path[len(prefix) :])
        return None

    def notebook(self, path):
        """The local path of an absolute workspace path, with or without `/Workspace`."""
        return self.find(path) if path.startswith("/Workspace/") else _below(self._notebooks, path)

    def fs(self, path):
        """The local path as `dbutils.fs` reads it: no scheme means DBFS."""
        return self.find(path) or _below(self._dbfs, path)


def _below(root, path):
    """Joins without ever leaving `root`."""
    return posixpath.join(root, posixpath.normpath("/" + path).lstrip("/"))
