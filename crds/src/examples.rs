//! Examples of a kind's objects: what its rules take, and what they refuse in which words. Every rule must be shown at
//! its place both ways; what a release and the template of a pipeline say alike is shown once, since it is one type.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    CustomResourceExt,
    core::cel::{CompiledSchema, ValidationErrors, Validator, compile_schema, validate_cel, validate_cel_update},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::place::{Place, Rules};

/// Rows of a table: values that are taken, or values and the words in which they are refused.
macro_rules! rows {
    ($($value:expr;)*) => { vec![$($value),*] };
    ($($value:expr => $words:expr;)*) => { vec![$(($value, $words)),*] };
}
pub(crate) use rows;

/// Every how many examples are judged a second time, by rules that are compiled for them alone.
const SAMPLE: usize = 20;

/// One object, or the change of one.
pub(crate) struct Example {
    object: Value,
    before: Option<Value>,
    refusal: Option<&'static str>,
}

impl Example {
    /// An object that is taken.
    pub(crate) fn taken(object: Value) -> Self {
        Self { object, before: None, refusal: None }
    }

    /// An object that is refused, among others in these words.
    pub(crate) fn refused((object, words): (Value, &'static str)) -> Self {
        Self { object, before: None, refusal: Some(words) }
    }

    /// The same as a change of another object.
    pub(crate) fn of(self, before: Value) -> Self {
        Self { before: Some(before), ..self }
    }

    fn judged<K: Kind>(&self) -> Result<(), ValidationErrors> {
        match &self.before {
            None => validate_cel(&read::<K>(&self.object)),
            Some(before) => validate_cel_update(&read::<K>(&self.object), &read::<K>(before)),
        }
    }

    /// The same by rules that were compiled before: `validate_cel` compiles all of them for each object.
    fn judged_by<K: Kind>(&self, rules: &CompiledSchema) -> Result<(), ValidationErrors> {
        let before = self.before.as_ref().map(whole::<K>);
        Validator::new().validate_compiled(rules, &whole::<K>(&self.object), before.as_ref())
    }
}

/// A kind that can be read, written and judged.
pub(crate) trait Kind: CustomResourceExt + DeserializeOwned + Serialize {}
impl<K: CustomResourceExt + DeserializeOwned + Serialize> Kind for K {}

fn read<K: Kind>(object: &Value) -> K {
    serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"))
}

/// The object as it is stored: with every default.
fn whole<K: Kind>(object: &Value) -> Value {
    serde_json::to_value(read::<K>(object)).expect("an object")
}

/// Shows the examples to the rules of `K`, and fails if one is judged otherwise, or if a rule is not shown both ways.
/// Those that another kind has at the same place are left to that kind's examples.
pub(crate) fn check<K: Kind>(examples: impl IntoIterator<Item = Example>, others: &[CustomResourceDefinition]) {
    let rules = Rules::of(&K::crd());
    let compiled = compile_schema(rules.schema());
    let (mut taken, mut refused, mut wrong) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (number, example) in examples.into_iter().enumerate() {
        let judged = example.judged_by::<K>(&compiled);
        if number % SAMPLE == 0 {
            assert_eq!(told(&judged), told(&example.judged::<K>()), "{}", example.object);
        }
        match (judged, example.refusal) {
            (Ok(()), None) => taken.extend(takers(&example, &rules)),
            (Err(errors), Some(words)) if errors.to_string().contains(words) => {
                refused.extend(refusers(&errors, words, &rules));
            }
            (said, words) => wrong.push(format!("{}: {said:?} instead of {words:?}", example.object["spec"])),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let elsewhere: BTreeSet<Place> = others.iter().flat_map(|other| Rules::of(other).all().into_keys()).collect();
    let ours = rules.all().into_iter().filter(|(place, _)| !elsewhere.contains(place)).collect::<Vec<_>>();
    let missing = |seen: &BTreeSet<Place>| {
        let unseen = ours.iter().filter(|(place, _)| !seen.contains(place));
        unseen.map(|(place, path)| format!("{path}: {}", place.message)).collect::<Vec<_>>()
    };
    let (taken, refused, kind) = (missing(&taken), missing(&refused), &rules.kind);
    assert!(taken.is_empty() && refused.is_empty(), "{kind}: none takes: {taken:#?}\nnone is refused by: {refused:#?}");
}

/// The rules that took what the example itself says, not a default; those about changes only if it is one, and if that
/// was said before.
fn takers(example: &Example, rules: &Rules) -> Vec<Place> {
    let before = example.before.as_ref().map(|before| rules.reached(before));
    let counts = |reached: &(Place, String)| match &before {
        None => !reached.0.is_about_changes(),
        Some(before) => before.contains(reached),
    };
    rules.reached(&example.object).into_iter().filter(counts).map(|(place, _)| place).collect()
}

/// The rules that refused something in these words.
fn refusers(errors: &ValidationErrors, words: &str, rules: &Rules) -> Vec<Place> {
    let told = errors.iter().filter(|error| error.message.contains(words));
    told.flat_map(|error| rules.told(&dotted(&error.field_path), &error.message)).collect()
}

/// What was said, in no order.
fn told(judged: &Result<(), ValidationErrors>) -> BTreeSet<String> {
    judged.as_ref().err().into_iter().flatten().map(ToString::to_string).collect()
}

/// `items[0].to` as `items.0.to`.
fn dotted(path: &str) -> String {
    path.replace('[', ".").replace(']', "")
}
