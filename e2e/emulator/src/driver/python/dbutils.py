"""`dbutils`: the parts of Databricks' notebook utilities that make sense without the rest of Databricks."""

import os
import shutil
from collections import namedtuple

FileInfo = namedtuple("FileInfo", ["path", "name", "size", "modificationTime"])


class NotebookExit(BaseException):
    """Raised by `dbutils.notebook.exit`; not an Exception, so that a notebook's own `except` doesn't swallow it."""

    def __init__(self, value):
        super().__init__(value)
        self.value = value


class InputWidgetNotDefined(Exception):
    pass


class Notebook:
    def __init__(self, run):
        self.run = run

    def exit(self, value):
        raise NotebookExit(str(value))


class Widgets:
    def __init__(self, parameters):
        self._parameters = dict(parameters)
        self._defaults = {}

    def text(self, name, defaultValue="", label=None):
        self._defaults[name] = str(defaultValue)

    def dropdown(self, name, defaultValue, choices, label=None):
        self._defaults[name] = str(defaultValue)

    combobox = dropdown
    multiselect = dropdown

    def get(self, name):
        values = self.getAll()
        if name not in values:
            raise InputWidgetNotDefined(f"No input widget named {name} is defined")
        return values[name]

    def getArgument(self, name, defaultValue=None):
        return self.getAll().get(name, defaultValue)

    def getAll(self):
        return {**self._defaults, **self._parameters}

    def remove(self, name):
        self._defaults.pop(name, None)

    def removeAll(self):
        self._defaults.clear()


class Files:
    """`dbutils.fs` over the emulator's folders."""

    def __init__(self, roots):
        self._at = roots.fs

    def ls(self, path):
        folder = self._at(path)
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else [""]
        return [self._info(path, folder, name) for name in names]

    def _info(self, path, folder, name):
        local = os.path.join(folder, name) if name else folder
        stat = os.stat(local)
        slash = "/" if os.path.isdir(local) else ""
        shown = path.rstrip("/") + ("/" + name if name else "") + slash
        size = 0 if slash else stat.st_size
        return FileInfo(shown, (name or os.path.basename(path)) + slash, size, int(stat.st_mtime * 1000))

    def mkdirs(self, path):
        os.makedirs(self._at(path), exist_ok=True)
        return True

    def put(self, path, contents, overwrite=False):
        local = self._at(path)
        os.makedirs(os.path.dirname(local), exist_ok=True)
        with open(local, "w" if overwrite else "x", encoding="utf-8") as file:
            file.write(contents)
        return True

    def head(self, path, maxBytes=65536):
        with open(self._at(path), "rb") as file:
            return file.read(maxBytes).decode("utf-8", "replace")

    def cp(self, source, target, recurse=False):
        source, target = self._at(source), self._at(target)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        (shutil.copytree if recurse and os.path.isdir(source) else shutil.copy)(source, target)
        return True

    def mv(self, source, target, recurse=False):
        os.makedirs(os.path.dirname(self._at(target)), exist_ok=True)
        shutil.move(self._at(source), self._at(target))
        return True

    def rm(self, path, recurse=False):
        local = self._at(path)
        if not os.path.exists(local):
            return False
        if not os.path.isdir(local):
            os.remove(local)
        elif recurse:
            shutil.rmtree(local)
        else:
            os.rmdir(local)
        return True


class Library:
    def __init__(self, restart):
        self.restartPython = restart


class DBUtils:
    def __init__(self, parameters, roots, run, restart):
        self.notebook = Notebook(run)
        self.widgets = Widgets(parameters)
        self.fs = Files(roots)
        self.library = Library(restart)
