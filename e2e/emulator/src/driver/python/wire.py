"""The wire: one JSON object a line, on a private copy of stdout, so that nothing a notebook prints can garble it."""

import json
import os
import signal
import threading


class Wire:
    """Takes over stdin and stdout: file descriptor 1 becomes stderr (the log), 0 becomes empty."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
        self._in = os.fdopen(os.dup(0), "rb")
        self._lock = threading.Lock()
        os.dup2(2, 1)
        with open(os.devnull, "rb") as empty:
            os.dup2(empty.fileno(), 0)

    def send(self, event, **fields):
        line = json.dumps({"event": event, **fields}, default=str)
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def receive(self):
        """The next message, or None once the emulator has gone."""
        line = self._in.readline()
        return json.loads(line) if line else None

    def die_with_parent(self):
        """From now on an end of file means that the emulator has gone: leave, and take the whole group along."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while self._in.readline():
            pass
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)
