# Databricks notebook source
# MAGIC %md
# MAGIC # Does the installed library do its work?
# MAGIC
# MAGIC Runs after each release, on the cluster, against the `dbxdemo` wheel that the release installed there.

# COMMAND ----------

import unittest

from addcol import with_status

EXPECTED_STATUS = "verified"

# COMMAND ----------

# MAGIC %sql
# MAGIC CREATE OR REPLACE TEMPORARY VIEW customers AS
# MAGIC SELECT * FROM VALUES (1, 'Ines Duarte', 'Porto'), (2, 'Tomas Leal', 'Faro'), (3, 'Rita Mota', NULL) AS t(id, name, city)

# COMMAND ----------


class InstalledLibraryTest(unittest.TestCase):
    """Looks at the library from where its users stand: a table, a cluster and the wheel."""

    def test_the_status_is_what_the_reports_expect(self):
        statuses = {row.status for row in with_status(spark.table("customers")).collect()}

        self.assertEqual({EXPECTED_STATUS}, statuses)

    def test_no_customer_is_lost(self):
        names = [row.name for row in with_status(spark.table("customers")).orderBy("id").collect()]

        self.assertEqual(["Ines Duarte", "Tomas Leal", "Rita Mota"], names)


# COMMAND ----------

unittest.main(argv=[""], verbosity=2, exit=False)
