"""Packages the modules of this folder, so that a notebook can say `from addcol import with_status`."""

from setuptools import setup

setup(
    name="dbxdemo",
    version="0.1.0",
    description="Marks customer records as checked",
    packages=["."],
    python_requires=">=3.10",
)
