//! A scenario: one story told against the running cluster, in a namespace of its own.
