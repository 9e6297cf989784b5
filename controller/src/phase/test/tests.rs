//! The Test phase's own tests, and samples of what it runs.

mod left;
mod plan;
pub(crate) mod samples;
mod source;
mod stop;
mod tell;
