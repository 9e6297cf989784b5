//! Brickline's controller: each module is one word of the road from a merge to a tested release.
pub mod databricks;
pub mod verdict;
