//! What a condition may say: compare fields of what came before and of the release, and nothing that loops.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

use super::Subject;

/// The variable that holds the release.
pub(super) const RELEASE: &str = "release";

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
pub(super) fn check<S: Subject>(expression: &Expression, subjects: &BTreeMap<String, S>) -> Result<(), String> {
    if let Some(path) = path(&expression.expr) {
        return check_path(&path, subjects);
    }
    match &expression.expr {
        Expr::Literal(_) => Ok(()),
        Expr::List(list) => list.elements.iter().try_for_each(|element| check(element, subjects)),
        Expr::Call(call) => check_call(call, subjects),
        Expr::Comprehension(_) => Err("a condition has no loops: all, exists, exists_one, filter and map".to_owned()),
        Expr::Map(_) | Expr::Struct(_) => Err("a condition makes no maps or messages".to_owned()),
        Expr::Select(select) => check(&select.operand, subjects)
            .and_then(|()| Err(format!("'{}' is a field of neither a {} nor the release", select.field, S::NOUN))),
        Expr::Ident(_) | Expr::Unspecified => Err("the condition can't be read".to_owned()),
    }
}

fn check_call<S: Subject>(call: &CallExpr, subjects: &BTreeMap<String, S>) -> Result<(), String> {
    let name = call.func_name.as_str();
    if name == operators::INDEX {
        let (noun, all) = (S::NOUN, S::VARIABLE);
        return Err(format!("in [] stands the name of a {noun} or a field, in quotes: {all}['my-{noun}'].result"));
    }
    if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
        let (name, known) = (name.trim_matches('_'), FUNCTIONS.join(", "));
        let hint = if name == "-" { format!("; {}", dashed::<S>()) } else { String::new() };
        return Err(format!("a condition has no '{name}': it compares, and knows {known}{hint}"));
    }
    call.target.iter().map(Box::as_ref).chain(&call.args).try_for_each(|part| check(part, subjects))
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

fn check_path<S: Subject>(path: &[&str], subjects: &BTreeMap<String, S>) -> Result<(), String> {
    let one_of = |fields: &[&str], field: &str, of: &str| {
        let message = || format!("{of} has no '{field}': it has {}", fields.join(", "));
        fields.contains(&field).then_some(()).ok_or_else(message)
    };
    let noun = S::NOUN;
    match path {
        [all, name, field] if *all == S::VARIABLE && subjects.contains_key(*name) => {
            one_of(S::FIELDS, field, &format!("{noun} '{name}'"))
        }
        [all, name, ..] if *all == S::VARIABLE && !subjects.contains_key(*name) => {
            let known: Vec<&str> = subjects.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(format!("there is no {noun} '{name}': there is {known}; {}", dashed::<S>()))
        }
        [all, ..] if *all == S::VARIABLE => {
            Err(format!("of a {noun} one field is asked, such as {all}['my-{noun}'].result"))
        }
        [RELEASE, field] => one_of(&OF_THE_RELEASE, field, "the release"),
        [RELEASE, ..] => Err("of the release one field is asked, such as release.branch".to_owned()),
        [name, ..] => Err(format!(
            "the condition doesn't know '{name}': it knows {} and release; {}, a text in quotes",
            S::VARIABLE,
            dashed::<S>()
        )),
        [] => Err("the condition can't be read".to_owned()),
    }
}

/// How a name is written that looks like a subtraction.
fn dashed<S: Subject>() -> String {
    format!("a name with '-' is written {}['my-{}']", S::VARIABLE, S::NOUN)
}
