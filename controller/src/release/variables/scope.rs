//! Once, when a release begins: the value of every name that its spec uses.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, DatabricksWorkspaceSpec, GitSource, ReleasePipelineSpec, labels};
use kube::ResourceExt;

use super::names::{Found, Names, is_ours};
use super::place::{Place, visit};
use super::text::{Part, fill, parts};
use super::{parameters, schema};

/// How many bytes the names and values together may have: they stand in the release's status.
const MAX: usize = 16 << 10;

/// The values of all names that the spec of `release` uses, by their full name, such as `params.env`: what belongs into
/// `status.variables`. Values of Secrets are left out. Empty if the spec has no `$(`; otherwise `release.name` is always
/// there, which tells [`effective`](super::effective()) that the spec was looked at.
///
/// To be called once, with the release as it is stored. `origin` is what the artifact was built from, if the release
/// doesn't build it itself; `run` is the number of the run.
///
/// # Errors
/// A sentence for each mistake, with its place in the spec: unknown names, values that a parameter doesn't take, Secrets
/// where they can't stand, and strings that the values make too long or break the rule of.
pub(crate) fn scope(
    release: &DatabricksRelease,
    origin: Option<&GitSource>,
    run: &str,
    pipeline: Option<&ReleasePipelineSpec>,
    workspace: Option<&DatabricksWorkspaceSpec>,
) -> Result<BTreeMap<String, String>, Vec<String>> {
    let owner = owner(release, pipeline);
    let parameters = parameters::of(release, pipeline, &owner);
    let origin = origin.or(release.spec.source.git.as_ref());
    let names = Names { release, origin, run, parameters, workspace, owner };
    let mut spec = serde_json::to_value(&release.spec).map_err(|error| vec![error.to_string()])?;
    let mut scope = Scope { names: &names, values: BTreeMap::new(), errors: names.parameters.errors.clone() };
    visit(&mut spec, &mut |place, text| scope.take(place, text));
    let size: usize = scope.values.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX {
        scope.errors.push(format!("the spec's variables have {size} bytes together; at most {MAX} are taken"));
    }
    if scope.errors.is_empty() { Ok(scope.values) } else { Err(scope.errors) }
}

/// How the owner of the parameters is called in sentences.
fn owner(release: &DatabricksRelease, pipeline: Option<&ReleasePipelineSpec>) -> String {
    match (pipeline, release.labels().get(labels::PIPELINE)) {
        (None, _) => "this release".to_owned(),
        (Some(_), Some(name)) => format!("pipeline {name}"),
        (Some(_), None) => "its pipeline".to_owned(),
    }
}

/// What was found so far.
struct Scope<'a> {
    names: &'a Names<'a>,
    values: BTreeMap<String, String>,
    errors: Vec<String>,
}

impl Scope<'_> {
    /// Looks every name of one string up, then at what the string becomes.
    fn take(&mut self, place: &Place, text: &str) {
        self.values.entry("release.name".to_owned()).or_insert_with(|| self.names.release.name_any());
        let mut complete = true;
        for part in parts(text) {
            complete &= match part {
                Part::Name(name) => self.take_name(place, name),
                Part::Open if !place.is_script() => {
                    let help = "a variable is $(NAME) without spaces; write $$( for these very characters";
                    self.errors.push(format!("{place} has $( without a name and ) after it: {help}"));
                    false
                }
                Part::Open | Part::Text(_) | Part::Escape => true,
            };
        }
        if complete {
            let filled = fill(text, |name| self.values.get(name).map(String::as_str));
            self.errors.extend(schema::refused(place, &filled));
        }
    }

    /// Whether the name has a value now, or needs none at this place.
    fn take_name(&mut self, place: &Place, name: &str) -> bool {
        if place.is_script() && !is_ours(name) {
            return true;
        }
        let error = match self.names.find(name) {
            Ok(Found::Value(value)) => {
                self.values.insert(name.to_owned(), value.into_owned());
                return true;
            }
            Ok(Found::Secret) if place.is_filled_late() => return true,
            Ok(Found::Secret) => {
                "whose value is in a Secret: such variables only stand in the parameters of test".to_owned()
            }
            Ok(Found::Told) => return false,
            Err(error) => error,
        };
        self.errors.push(format!("{place} uses $({name}), {error}"));
        false
    }
}
