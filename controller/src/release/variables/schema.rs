//! Whether a string is still what the API server would take, once values stand in it: judged by the schema itself, so
//! that there is one rule and not two.

use std::sync::LazyLock;

use brickline_crds::{DatabricksRelease, condition::truncate};
use cel::{Context, Program};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::place::{Place, Step};

/// How much of a string a sentence shows, in characters.
const SHOWN: usize = 120;

/// The schema of a release's spec.
static SPEC: LazyLock<Option<JSONSchemaProps>> = LazyLock::new(|| {
    let version = DatabricksRelease::crd().spec.versions.into_iter().next()?;
    version.schema?.open_api_v3_schema?.properties?.remove("spec")
});

/// Why the string can't stand at this place, as a sentence. None if it can.
pub(super) fn refused(place: &Place, text: &str) -> Option<String> {
    let schema = at(SPEC.as_ref()?, &place.0)?;
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(most) = schema.max_length.filter(|most| length > *most) {
        return Some(format!("{place} becomes {length} characters long; at most {most} are taken"));
    }
    if schema.min_length.is_some_and(|least| length < least) {
        return Some(format!("{place} becomes {text:?}, which is too short"));
    }
    // The rules take a leading `$(params.NAME)` on trust. What looks like one now came with a value and is only text.
    let own = broken(schema, &json!(text.replace("$(", "(")));
    let why = own.or_else(|| broken(at(SPEC.as_ref()?, place.list()?)?, &json!([text])))?;
    Some(format!("{place} becomes {:?}: {why}", truncate(text, SHOWN)))
}

/// What the first rule that the value breaks says.
fn broken<'a>(schema: &'a JSONSchemaProps, value: &Value) -> Option<&'a str> {
    let rule = rules(schema).find(|rule| !holds(&rule.rule, value))?;
    Some(rule.message.as_deref().unwrap_or(&rule.rule))
}

fn at<'a>(schema: &'a JSONSchemaProps, steps: &[Step]) -> Option<&'a JSONSchemaProps> {
    let Some((step, rest)) = steps.split_first() else { return Some(schema) };
    let next = match step {
        Step::Field(name) => match schema.properties.as_ref().and_then(|fields| fields.get(name)) {
            Some(field) => field,
            None => match schema.additional_properties.as_ref()? {
                JSONSchemaPropsOrBool::Schema(values) => values,
                JSONSchemaPropsOrBool::Bool(_) => return None,
            },
        },
        Step::Index(_) => match schema.items.as_ref()? {
            JSONSchemaPropsOrArray::Schema(items) => items,
            JSONSchemaPropsOrArray::Schemas(_) => return None,
        },
    };
    at(next, rest)
}

/// The rules for a value by itself; the others are about its changes.
fn rules(schema: &JSONSchemaProps) -> impl Iterator<Item = &ValidationRule> {
    schema.x_kubernetes_validations.iter().flatten().filter(|rule| !rule.rule.contains("oldSelf"))
}

/// Whether a rule of the schema holds for a value. One that can't be evaluated does not.
pub(super) fn holds(rule: &str, value: &Value) -> bool {
    let mut context = Context::default();
    context.add_variable("self", value).is_ok()
        && Program::compile(rule).is_ok_and(|program| program.execute(&context) == Ok(cel::Value::Bool(true)))
}

/// Every rule that is asked about a string in which variables may stand, and whether it is about a list of them: for the
/// test that tries them all.
#[cfg(test)]
pub(super) fn asked() -> Vec<(String, bool)> {
    use super::place::WITHOUT;
    fn collect(schema: &JSONSchemaProps, found: &mut Vec<(String, bool)>) {
        let items = if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items { Some(items) } else { None };
        let is_string = |schema: &JSONSchemaProps| schema.type_.as_deref() == Some("string");
        let is_list = items.is_some_and(|items| is_string(items));
        if is_string(schema) || is_list {
            found.extend(rules(schema).map(|rule| (rule.rule.clone(), is_list)));
        }
        schema.properties.iter().flat_map(|all| all.values()).for_each(|field| collect(field, found));
        if let Some(items) = items {
            collect(items, found);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
            collect(values, found);
        }
    }
    let mut found = Vec::new();
    let fields = SPEC.iter().flat_map(|spec| spec.properties.iter().flatten());
    fields.filter(|(name, _)| !WITHOUT.contains(&name.as_str())).for_each(|(_, field)| collect(field, &mut found));
    found
}
