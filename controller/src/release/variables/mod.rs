//! Variables: what `$(params.NAME)`, `$(workspace.vars.NAME)` and `$(release.NAME)` in a release's spec stand for. Pure.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `scope.rs` | once, when a release begins: the value of every name that its spec uses, or what is wrong with them |
//! | `effective.rs` | ever after: the release with those values in its spec |
//! | `text.rs` | one string: its parts, and the string with values in it |
//! | `place.rs` | where a string stands in the spec, and what may stand there |
//! | `parameters.rs` | the pipeline's parameters, typed, and the values that a release has for them |
//! | `names.rs` | one name to its value |
//! | `schema.rs` | whether a string is still what the API server would take |
//!
//! Values of Secrets are never here: `phase/test/parameters.rs` puts them in when a notebook's run is submitted.

mod effective;
mod names;
mod parameters;
mod place;
mod schema;
mod scope;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use effective::effective;
pub(crate) use names::VARIABLES;
pub(crate) use scope::scope;
pub(crate) use text::{fill, names};
