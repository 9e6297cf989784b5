"""The output of a cell: a list of results in the shapes that an exported notebook holds."""

import io
import itertools
import json
import os
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))

# Databricks cuts what a cell prints; so do we, well under the emulator's limit for one message.
MAX_TEXT = 1024 * 1024
MAX_ROWS = 1000
CUT = "\n*** WARNING: max output size exceeded, skipping output. ***\n"


class Output:
    """Collects what one cell shows, in order; neighbouring prints become one `ansi` result."""

    def __init__(self):
        self.results = []
        self._size = 0

    def write(self, text):
        text = self._fit(text)
        if text and self.results and self.results[-1]["type"] == "ansi":
            self.results[-1]["data"] += text
        elif text:
            self._append("ansi", text)

    def add(self, kind, text):
        """One more result, as far as there is room for it."""
        text = self._fit(text)
        if text:
            self._append(kind, text)

    def table(self, rows, schema):
        """The first rows, as many as there is room for."""
        sizes = itertools.accumulate(len(json.dumps(row)) for row in rows[:MAX_ROWS])
        shown = [row for row, size in zip(rows, sizes) if size <= MAX_TEXT]
        self._append("table", shown, schema=schema, overflow=len(rows) > len(shown))

    def _fit(self, text):
        if self._size > MAX_TEXT:
            return ""
        self._size += len(text)
        return text if self._size <= MAX_TEXT else text[: MAX_TEXT - self._size] + CUT

    def _append(self, kind, data, **more):
        self.results.append({"type": kind, "data": data, "arguments": {}, "metadata": {}, **more})

    def error(self, summary, cause):
        self.results.append({"type": "error", "summary": summary, "cause": cause, "arguments": {}, "metadata": {}})

    def as_results(self):
        """None for a silent cell, else one `listResults`."""
        return {"type": "listResults", "data": self.results, "arguments": {}, "metadata": {}} if self.results else None


class Stream(io.TextIOBase):
    """Stands for sys.stdout and sys.stderr during the whole run and writes to the cell that runs now."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self):
        self.output = Output()

    def write(self, text):
        self.output.write(text)
        return len(text)

    def writable(self):
        return True


def show(output, value):
    """What `display(value)` does: a table for data frames, text for anything else."""
    if hasattr(value, "toPandas") and hasattr(value, "schema"):
        rows = [list(row) for row in value.limit(MAX_ROWS + 1).collect()]
        schema = [{"name": f.name, "type": json.dumps(f.dataType.jsonValue()), "metadata": "{}"} for f in value.schema]
    elif type(value).__module__.startswith("pandas.") and hasattr(value, "to_dict") and hasattr(value, "columns"):
        rows = value.head(MAX_ROWS + 1).values.tolist()
        schema = [{"name": str(name), "type": json.dumps(str(kind)), "metadata": "{}"} for name, kind in value.dtypes.items()]
    else:
        return output.add("text", repr(value))
    rows = [[_plain(item) for item in row] for row in rows]
    return output.table(rows, schema)


def _plain(value):
    """A value that JSON can carry."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if hasattr(value, "asDict"):
        return {key: _plain(item) for key, item in value.asDict().items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)


def describe(failure):
    """One line and the traceback of a failed cell, without the frames of this program."""
    summary = "".join(traceback.format_exception_only(type(failure), failure)).strip()
    frames = traceback.TracebackException.from_exception(failure)
    frames.stack = traceback.StackSummary.from_list(
        [frame for frame in frames.stack if not frame.filename.startswith(HERE)]
    )
    return summary[:10000], "".join(frames.format())[:100000]
