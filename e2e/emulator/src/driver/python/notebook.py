"""A notebook: source text with cells, as Databricks writes it to a file. Parsing only, nothing runs here."""

import re
from dataclasses import dataclass

COMMENTS = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
HEADER = "Databricks notebook source"


@dataclass
class Cell:
    """`text` is what the notebook shows (magic prefixes removed), `magic` the language or command it starts with."""

    text: str
    magic: str
    title: str = ""

    @property
    def body(self):
        """The text without its leading `%magic` word."""
        return re.sub(r"\A\s*%\w+[ \t]*\n?", "", self.text) if self.text.lstrip().startswith("%") else self.text


def guess_language(source):
    """The language that a notebook's first line tells."""
    first = source.lstrip("\ufeff").split("\n", 1)[0].strip()
    found = [language for language, comment in COMMENTS.items() if first == f"{comment} {HEADER}"]
    return found[0] if found else "PYTHON"


def split(source, language):
    """The cells of a notebook's source, empty ones left out."""
    comment = re.escape(COMMENTS[language])
    source = source.lstrip("\ufeff").replace("\r\n", "\n")
    source = re.sub(rf"\A{comment} {HEADER}[ \t]*\n?", "", source)
    parts = re.split(rf"^{comment} COMMAND -{{10}}[ \t]*$", source, flags=re.MULTILINE)
    cells = [_cell(part, comment, language) for part in parts]
    return [cell for cell in cells if cell.text.strip()]


def _cell(part, comment, language):
    title = ""
    lines = []
    for line in part.strip("\n").split("\n"):
        named = re.match(rf"{comment} DBTITLE \d+,(.*)", line)
        if named:
            title = named.group(1).strip()
        else:
            lines.append(re.sub(rf"^{comment} MAGIC ?", "", line))
    text = "\n".join(lines).strip("\n")
    magic = re.match(r"\s*%(\w+)", text)
    return Cell(text, magic.group(1).lower() if magic else language.lower(), title)
