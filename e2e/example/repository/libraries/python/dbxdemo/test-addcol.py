"""Tests of the columns on a Spark session of this machine."""

import pytest
from pyspark.sql import SparkSession

from .addcol import with_status

EXPECTED_STATUS = "verified"

CUSTOMERS = [(1, "Ines Duarte", "Porto"), (2, "Tomas Leal", "Faro"), (3, "Rita Mota", "Braga")]


@pytest.fixture(scope="module")
def spark():
    session = (
        SparkSession.builder.master("local[1]")
        .appName("dbxdemo-tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture
def customers(spark):
    return spark.createDataFrame(CUSTOMERS, ["id", "name", "city"])


def test_every_customer_gets_the_status(customers):
    rows = with_status(customers).orderBy("id").collect()

    assert [tuple(row) for row in rows] == [(*customer, EXPECTED_STATUS) for customer in CUSTOMERS]


def test_the_status_is_the_last_column(customers):
    assert with_status(customers).columns == ["id", "name", "city", "status"]
