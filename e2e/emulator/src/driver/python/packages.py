"""Notebook-scoped packages: what `%pip` installs lives in an environment of the run's own, gone with the run."""

import importlib
import os
import site
import subprocess
import sys
import sysconfig


class Packages:
    def __init__(self, job, roots):
        self._home = os.path.join(job["scratch"], "packages")
        self._pip = job["pip"]
        self._roots = roots

    def command(self, words):
        """The command line for `pip WORDS`, with workspace paths turned into local ones."""
        self._create()
        words = [self._roots.find(word) or word for word in words]
        more = ["--no-input", "--disable-pip-version-check"]
        return [*self._pip, "--python", os.path.join(self._home, "bin", "python"), *words, *more]

    def _create(self):
        if os.path.exists(self._home):
            return
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self._home], check=True)
        # What the cluster has is there already; pip must see it to install only what is missing.
        beneath = [path for path in sys.path if path.endswith("-packages")]
        with open(os.path.join(self._site(), "_cluster.pth"), "w", encoding="utf-8") as file:
            file.write("\n".join(beneath) + "\n")

    def _site(self):
        return sysconfig.get_path("purelib", vars={"base": self._home, "platbase": self._home})

    def activate(self):
        """Puts the packages before the cluster's."""
        place = self._site()
        if place not in sys.path:
            before = list(sys.path)
            site.addsitedir(place)
            sys.path[:] = [path for path in sys.path if path not in before] + before
        importlib.invalidate_caches()
