//! What a condition may say: compare fields of stages and of the release, and nothing that loops.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

use super::StageView;

/// The variable that holds the stages by name.
pub(super) const STAGES: &str = "stages";
/// The variable that holds the release.
pub(super) const RELEASE: &str = "release";

const OF_A_STAGE: [&str; 4] = ["result", "commit", "artifact", "reason"];
const OF_THE_RELEASE: [&str; 3] = ["branch", "commit", "reason"];

const OPERATORS: [&str; 11] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::IN,
];
/// Functions whose time grows with their arguments' length and no faster.
const FUNCTIONS: [&str; 5] = ["contains", "endsWith", "matches", "size", "startsWith"];

/// Walks the whole expression.
pub(super) fn check(expression: &Expression, stages: &BTreeMap<String, StageView>) -> Result<(), String> {
    if let Some(path) = path(&expression.expr) {
        return check_path(&path, stages);
    }
    match &expression.expr {
        Expr::Literal(_) => Ok(()),
        Expr::List(list) => list.elements.iter().try_for_each(|element| check(element, stages)),
        Expr::Call(call) => check_call(call, stages),
        Expr::Comprehension(_) => Err("a condition has no loops: all, exists, exists_one, filter and map".to_owned()),
        Expr::Map(_) | Expr::Struct(_) => Err("a condition makes no maps or messages".to_owned()),
        Expr::Select(select) => check(&select.operand, stages)
            .and_then(|()| Err(format!("'{}' is a field of neither a stage nor the release", select.field))),
        Expr::Ident(_) | Expr::Unspecified => Err("the condition can't be read".to_owned()),
    }
}

fn check_call(call: &CallExpr, stages: &BTreeMap<String, StageView>) -> Result<(), String> {
    let name = call.func_name.as_str();
    if name == operators::INDEX {
        return Err("in [] stands the name of a stage or a field, in quotes: stages['staging'].result".to_owned());
    }
    if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
        let (name, known) = (name.trim_matches('_'), FUNCTIONS.join(", "));
        let hint = if name == "-" { "; a name with '-' is written stages['my-stage']" } else { "" };
        return Err(format!("a condition has no '{name}': it compares, and knows {known}{hint}"));
    }
    call.target.iter().map(Box::as_ref).chain(&call.args).try_for_each(|part| check(part, stages))
}

/// A name with what is taken from it, by `.field` or `['field']`: `stages.staging.result`.
fn path(mut expression: &Expr) -> Option<Vec<&str>> {
    let mut reversed = Vec::new();
    loop {
        match expression {
            Expr::Ident(name) => {
                reversed.push(name.as_str());
                reversed.reverse();
                return Some(reversed);
            }
            Expr::Select(select) => {
                reversed.push(select.field.as_str());
                expression = &select.operand.expr;
            }
            Expr::Call(call) if call.func_name == operators::INDEX => {
                let [operand, index] = call.args.as_slice() else { return None };
                let Expr::Literal(LiteralValue::String(name)) = &index.expr else { return None };
                reversed.push(name.inner());
                expression = &operand.expr;
            }
            _ => return None,
        }
    }
}

fn check_path(path: &[&str], stages: &BTreeMap<String, StageView>) -> Result<(), String> {
    let one_of = |fields: &[&str], field: &str, of: &str| {
        let message = || format!("{of} has no '{field}': it has {}", fields.join(", "));
        fields.contains(&field).then_some(()).ok_or_else(message)
    };
    match path {
        [STAGES, stage, field] if stages.contains_key(*stage) => {
            one_of(&OF_A_STAGE, field, &format!("stage '{stage}'"))
        }
        [STAGES, stage, ..] if !stages.contains_key(*stage) => {
            let known: Vec<&str> = stages.keys().map(String::as_str).collect();
            Err(format!(
                "there is no stage '{stage}': there is {}; a name with '-' is written stages['my-stage']",
                known.join(", ")
            ))
        }
        [STAGES, ..] => Err("of a stage one field is asked, such as stages.staging.result".to_owned()),
        [RELEASE, field] => one_of(&OF_THE_RELEASE, field, "the release"),
        [RELEASE, ..] => Err("of the release one field is asked, such as release.branch".to_owned()),
        [name, ..] => Err(format!(
            "the condition doesn't know '{name}': it knows stages and release; a stage with '-' is written \
             stages['my-stage'], a text in quotes"
        )),
        [] => Err("the condition can't be read".to_owned()),
    }
}
