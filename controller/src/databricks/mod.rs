//! A client of the Databricks REST API: one file per API family.
