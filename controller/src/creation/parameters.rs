//! The values a release is given: a stage's, over the pipeline's defaults. Pure.

use std::collections::BTreeMap;

use brickline_crds::{Parameter, ParameterType, PipelineStage, ReleasePipeline};

/// The most characters of a value that are quoted.
const QUOTED: usize = 64;

/// The values for a release to `stage`. A parameter without a value or a default is left out: the release that needs it
/// says so.
///
/// # Errors
/// A sentence for the user: a value of a parameter that the pipeline doesn't have, or not of its type or enum.
pub(crate) fn of(
    pipeline: &ReleasePipeline,
    stage: Option<&PipelineStage>,
) -> Result<BTreeMap<String, String>, String> {
    let parameters = &pipeline.spec.parameters;
    let default = |parameter: &Parameter| Some((parameter.name.clone(), parameter.default.clone()?));
    let mut values: BTreeMap<String, String> = parameters.iter().filter_map(default).collect();
    let Some(stage) = stage else { return Ok(values) };
    for (name, value) in &stage.parameters {
        let parameter = parameters.iter().find(|parameter| parameter.name == *name).ok_or_else(|| {
            let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("stage {}: parameter {name} is not one of spec.parameters ({known})", stage.name)
        })?;
        fits(parameter, value).map_err(|why| format!("stage {}: {why}", stage.name))?;
        values.insert(name.clone(), value.clone());
    }
    Ok(values)
}

/// Whether the parameter takes the value.
fn fits(parameter: &Parameter, value: &str) -> Result<(), String> {
    let Parameter { name, type_, enum_, .. } = parameter;
    let quoted = brickline_crds::condition::truncate(value, QUOTED);
    if !enum_.is_empty() && !enum_.iter().any(|allowed| allowed == value) {
        return Err(format!("parameter {name} is '{quoted}', but must be one of {}", enum_.join(", ")));
    }
    match type_ {
        ParameterType::Boolean if !matches!(value, "true" | "false") => {
            Err(format!("parameter {name} is '{quoted}', but must be true or false"))
        }
        ParameterType::Number if !is_number(value) => {
            Err(format!("parameter {name} is '{quoted}', but must be a number such as 3, -1 or 0.5"))
        }
        _ => Ok(()),
    }
}

/// As the schema says it of defaults: `-?[0-9]{1,18}([.][0-9]{1,18})?`.
fn is_number(value: &str) -> bool {
    let digits = |part: &str| (1..=18).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let value = value.strip_prefix('-').unwrap_or(value);
    match value.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::samples;
    use rstest::rstest;

    fn pipeline(type_: ParameterType, allowed: &[&str], default: Option<&str>) -> ReleasePipeline {
        let mut pipeline = samples::pipeline();
        pipeline.spec.parameters = vec![Parameter {
            name: "env".to_owned(),
            type_,
            enum_: allowed.iter().map(|value| (*value).to_owned()).collect(),
            default: default.map(str::to_owned),
            ..Parameter::default()
        }];
        pipeline
    }

    fn with(mut pipeline: ReleasePipeline, name: &str, value: &str) -> Result<BTreeMap<String, String>, String> {
        pipeline.spec.stages[0].parameters = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        of(&pipeline, pipeline.spec.stages.first())
    }

    #[test]
    fn a_stages_value_goes_before_the_default() {
        let pipeline = pipeline(ParameterType::String, &[], Some("staging"));
        assert_eq!(of(&pipeline, None).unwrap()["env"], "staging");
        assert_eq!(of(&pipeline, pipeline.spec.stages.first()).unwrap()["env"], "staging");
        assert_eq!(with(pipeline, "env", "production").unwrap()["env"], "production");
    }

    #[test]
    fn a_parameter_without_any_value_is_left_out() {
        assert_eq!(of(&pipeline(ParameterType::String, &[], None), None), Ok(BTreeMap::new()));
    }

    #[rstest]
    #[case(ParameterType::Number, &[], "3", None)]
    #[case(ParameterType::Number, &[], "-0.5", None)]
    #[case(ParameterType::Number, &[], "1e3", Some("must be a number"))]
    #[case(ParameterType::Number, &[], ".5", Some("must be a number"))]
    #[case(ParameterType::Number, &[], "", Some("must be a number"))]
    #[case(ParameterType::Boolean, &[], "true", None)]
    #[case(ParameterType::Boolean, &[], "yes", Some("must be true or false"))]
    #[case(ParameterType::String, &["a", "b"], "b", None)]
    #[case(ParameterType::String, &["a", "b"], "c", Some("stage staging: parameter env is 'c', but must be one of a, b"))]
    #[case(ParameterType::String, &[], "anything", None)]
    fn a_value_is_of_its_type_and_enum(
        #[case] type_: ParameterType,
        #[case] allowed: &[&str],
        #[case] value: &str,
        #[case] refusal: Option<&str>,
    ) {
        let said = with(pipeline(type_, allowed, None), "env", value);
        match refusal {
            None => assert_eq!(said.unwrap()["env"], value),
            Some(part) => assert!(said.as_ref().unwrap_err().contains(part), "{said:?}"),
        }
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let said = with(pipeline(ParameterType::String, &[], None), "evn", "x").unwrap_err();
        assert_eq!(said, "stage staging: parameter evn is not one of spec.parameters (env)");
    }
}
