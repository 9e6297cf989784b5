"""The parts of the drivers that need no Spark: how notebooks are read, what cells show, where paths lead."""

import unittest

from brickline_driver import notebook, output, wire  # noqa: F401
from brickline_driver.dbutils import InputWidgetNotDefined, Widgets
from brickline_driver.magic import Magics, read_notebook
from brickline_driver.output import describe
from brickline_driver.roots import Roots
from brickline_driver.task import find_entry

SOURCE = """# Databricks notebook source
# MAGIC %md
# MAGIC # Title
# MAGIC
# MAGIC text

# COMMAND ----------

# DBTITLE 1,Named
x = 1
# COMMAND is only a word here

# COMMAND ----------


# COMMAND ----------

# MAGIC %sql
# MAGIC select 1
"""


class Notebooks(unittest.TestCase):
    def test_cells(self):
        cells = notebook.split(SOURCE, "PYTHON")
        self.assertEqual([(c.magic, c.title) for c in cells], [("md", ""), ("python", "Named"), ("sql", "")])
        self.assertEqual(cells[0].text, "%md\n# Title\n\ntext")
        self.assertEqual(cells[1].text, "x = 1\n# COMMAND is only a word here")
        self.assertEqual(cells[2].body, "select 1")

    def test_other_languages_and_line_ends(self):
        source = "-- Databricks notebook source\r\nselect 1\r\n-- COMMAND ----------\r\n-- MAGIC %python\r\n-- MAGIC y = 2\r\n"
        self.assertEqual(notebook.guess_language(source), "SQL")
        self.assertEqual([(c.magic, c.body) for c in notebook.split(source, "SQL")], [("sql", "select 1"), ("python", "y = 2")])

    def test_a_plain_file_is_one_cell(self):
        self.assertEqual([c.text for c in notebook.split("a = 1\n\nb = 2\n", "PYTHON")], ["a = 1\n\nb = 2"])


class Outputs(unittest.TestCase):
    def test_prints_are_joined_and_cut(self):
        cell = output.Output()
        cell.write("a")
        cell.write("b")
        self.assertEqual([r["data"] for r in cell.results], ["ab"])
        for _ in range(3):
            cell.write("x" * output.MAX_TEXT)
        self.assertEqual(len(cell.results[0]["data"]), output.MAX_TEXT + len(output.CUT))
        self.assertIsNone(output.Output().as_results())

    def test_what_is_displayed_has_an_end_too(self):
        cell = output.Output()
        for _ in range(3):
            cell.add("htmlSandbox", "x" * output.MAX_TEXT)
        self.assertEqual(len(cell.results), 2)
        self.assertEqual(cell.results[1]["data"], output.CUT)
        cell = output.Output()
        cell.table([["x" * 1000]] * (output.MAX_ROWS + 1), [])
        self.assertEqual((len(cell.results[0]["data"]), cell.results[0]["overflow"]), (output.MAX_ROWS, True))
        cell.table([["x" * output.MAX_TEXT], ["y"]], [])
        self.assertEqual((cell.results[1]["data"], cell.results[1]["overflow"]), ([], True))

    def test_no_other_word_is_a_magic(self):
        magics = Magics({"path": "/n", "scratch": "/s", "pip": []}, None, None, None, {}, None, None)
        with self.assertRaises(NotImplementedError):
            magics.run(notebook.Cell("%packages", "packages"))

    def test_errors_show_the_notebooks_frames_only(self):
        try:
            exec(compile("def f():\n  raise ValueError('no')\nf()", "<command-1>", "exec"), {})
        except ValueError as failure:
            summary, trace = describe(failure)
        self.assertEqual(summary, "ValueError: no")
        self.assertIn('File "<command-1>", line 2, in f', trace)


class Paths(unittest.TestCase):
    def setUp(self):
        self.roots = Roots("/data/workspace", "/data/dbfs", "/data/volumes")

    def test_each_scheme_has_its_root(self):
        for path, want in [
            ("dbfs:/a/b", "/data/dbfs/a/b"),
            ("/dbfs/a", "/data/dbfs/a"),
            ("/Workspace/Shared/n", "/data/workspace/Shared/n"),
            ("/Volumes/c/s/v/f", "/data/volumes/c/s/v/f"),
            ("dbfs:/Volumes/c/s/v/f", "/data/volumes/c/s/v/f"),
            ("requests==2", None),
            ("/etc/passwd", None),
        ]:
            self.assertEqual(self.roots.find(path), want, path)

    def test_no_path_leaves_its_root(self):
        self.assertEqual(self.roots.find("dbfs:/../../etc/passwd"), "/data/dbfs/etc/passwd")
        self.assertEqual(self.roots.fs("../x"), "/data/dbfs/x")

    def test_a_missing_notebook_is_named(self):
        with self.assertRaisesRegex(FileNotFoundError, "Notebook not found: /Shared/none"):
            read_notebook(self.roots, "/Shared/none")


class EntryPoints(unittest.TestCase):
    def test_a_function_of_the_package_will_do(self):
        # Every Python that can make environments has pip.
        self.assertEqual(find_entry("pip", "main").__name__, "main")

    def test_what_is_missing_is_named(self):
        with self.assertRaisesRegex(ImportError, "wheel with name no-such-wheel could not be found"):
            find_entry("no-such-wheel", "main")
        with self.assertRaisesRegex(ImportError, "Entry point no_such could not be found"):
            find_entry("pip", "no_such")


class Parameters(unittest.TestCase):
    def test_parameters_win_over_defaults(self):
        widgets = Widgets({"a": "given"})
        widgets.text("a", "default")
        widgets.dropdown("b", "one", ["one", "two"])
        self.assertEqual((widgets.get("a"), widgets.get("b")), ("given", "one"))
        with self.assertRaises(InputWidgetNotDefined):
            widgets.get("c")


if __name__ == "__main__":
    unittest.main()
