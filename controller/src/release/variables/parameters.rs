//! The pipeline's parameters, typed, and the values that a release has for them.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, Parameter, ParameterType, ReleasePipelineSpec};

use super::names::listed;

/// What `$(params.NAME)` may be.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    /// Every parameter there is. None: it has no value, which is an error of its own.
    pub(super) values: BTreeMap<&'a str, Option<&'a str>>,
    /// What is wrong, as sentences.
    pub(super) errors: Vec<String>,
}

/// The values of all parameters: the release's own, else the pipeline's default. Without a pipeline the release says
/// itself which there are. `owner` is how the pipeline is called in sentences.
pub(super) fn of<'a>(
    release: &'a DatabricksRelease,
    pipeline: Option<&'a ReleasePipelineSpec>,
    owner: &str,
) -> Parameters<'a> {
    let given = &release.spec.parameters;
    let Some(pipeline) = pipeline else {
        let values = given.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))).collect();
        return Parameters { values, errors: Vec::new() };
    };
    let mut all = Parameters::default();
    for parameter in &pipeline.parameters {
        let name = parameter.name.as_str();
        let value = given.get(name).or(parameter.default.as_ref()).map(String::as_str);
        all.values.insert(name, value);
        all.errors.extend(match value {
            None => Some(format!("parameters has no {name}: {owner} has no default for it")),
            Some(value) => refused(parameter, value),
        });
    }
    let known = |name: &str| all.values.contains_key(name);
    for name in given.keys().filter(|name| !known(name)) {
        let has = listed(all.values.keys().copied());
        all.errors.push(format!("parameters.{name} is not a parameter of {owner}; it has: {has}"));
    }
    all
}

/// Why a parameter doesn't take a value; none if it does.
fn refused(parameter: &Parameter, value: &str) -> Option<String> {
    let name = &parameter.name;
    let kind = match parameter.type_ {
        ParameterType::Boolean if !matches!(value, "true" | "false") => Some("true or false"),
        ParameterType::Number if !is_number(value) => Some("a number such as 12 or -0.5"),
        _ => None,
    };
    if let Some(kind) = kind {
        return Some(format!("parameters.{name} is {value:?}, but it must be {kind}"));
    }
    let among = parameter.enum_.is_empty() || parameter.enum_.iter().any(|one| one == value);
    let choices = || listed(parameter.enum_.iter().map(String::as_str));
    (!among).then(|| format!("parameters.{name} is {value:?}, but it must be one of: {}", choices()))
}

/// The same rule as that of a parameter's default: up to 18 digits on each side of the point.
fn is_number(value: &str) -> bool {
    let digits = |text: &str| (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = value.strip_prefix('-').unwrap_or(value);
    match value.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(value),
    }
}
