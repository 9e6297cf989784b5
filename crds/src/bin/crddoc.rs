//! Writes the reference of the kinds as Markdown: `cargo run -p crds --bin crddoc -- docs/crds.md`.
//!
//! Everything in it comes from the CustomResourceDefinitions; without a file it goes to standard output.

use std::{env, error::Error, fmt::Write as _, fs};

use brickline_crds::all_crds;
use serde_json::Value;

const HEAD: &str = "\
<!-- Generated: cargo run -p crds --bin crddoc -- docs/crds.md -->
# The kinds of `brickline.dev/v1alpha1`

Every kind lives in a namespace, and refers only to objects of its own namespace. Durations are written like `90s`, `15m`
or `1h30m`, quantities and times as everywhere in Kubernetes. `≤` says how many characters, items or entries there may be.
Examples that work are in [examples](examples).
";

/// Holds the same fields as a release's spec, which the page tells once.
const TEMPLATE: &str = "spec.template.spec";

fn main() -> Result<(), Box<dyn Error>> {
    let text = document()?;
    match env::args_os().nth(1) {
        Some(file) => fs::write(file, text)?,
        None => print!("{text}"),
    }
    Ok(())
}

/// The whole page.
fn document() -> Result<String, Box<dyn Error>> {
    let mut text = HEAD.to_owned();
    for crd in all_crds() {
        kind(&serde_json::to_value(&crd)?, &mut text)?;
    }
    Ok(text)
}

fn kind(crd: &Value, text: &mut String) -> Result<(), Box<dyn Error>> {
    let names = &crd["spec"]["names"];
    let version = &crd["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"];
    writeln!(text, "\n## {}\n", plain(&names["kind"]))?;
    writeln!(text, "{}\n", line(&schema["description"]))?;
    writeln!(text, "`kubectl get {}`, or `{}`.", words(&names["shortNames"]).join("`, `"), plain(&names["plural"]))?;
    let selectable = version["selectableFields"].as_array().into_iter().flatten();
    let selectable: Vec<String> = selectable.map(|field| plain(&field["jsonPath"])[1..].to_owned()).collect();
    if !selectable.is_empty() {
        writeln!(text, "Field selectors: `{}`.", selectable.join("`, `"))?;
    }
    for part in ["spec", "status"] {
        writeln!(text, "\n### {} {part}\n", plain(&names["kind"]))?;
        writeln!(text, "| field | type | meaning |\n| --- | --- | --- |")?;
        fields(&schema["properties"][part], part, text)?;
    }
    Ok(())
}

/// One row for each field below `schema`, deeper ones after the one that holds them.
fn fields(schema: &Value, path: &str, text: &mut String) -> Result<(), Box<dyn Error>> {
    let required = words(&schema["required"]);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let mut kind = type_of(field);
        if required.contains(name) && path.starts_with("spec.") {
            kind.push_str(", required");
        }
        let default = if path.starts_with("spec.") { default(field) } else { String::new() };
        let same = if path == TEMPLATE {
            " The fields are those of [DatabricksRelease](#databricksrelease-spec)."
        } else {
            ""
        };
        writeln!(text, "| `{path}` | {kind} | {}{same}{default} |", meaning(field))?;
        if path == TEMPLATE {
            continue;
        }
        fields(field, &path, text)?;
        fields(&field["items"], &format!("{path}[]"), text)?;
        if field["additionalProperties"].is_object() {
            fields(&field["additionalProperties"], &format!("{path}.*"), text)?;
        }
    }
    Ok(())
}

fn type_of(field: &Value) -> String {
    let bound = |key: &str| field[key].as_u64().map(|max| format!(" ≤ {max}")).unwrap_or_default();
    let choices: Vec<String> =
        words(&field["enum"]).into_iter().filter(|word| !word.is_empty()).map(|word| format!("`{word}`")).collect();
    if !choices.is_empty() {
        return choices.join(" ");
    }
    match (plain(&field["type"]), plain(&field["format"])) {
        ("array", _) => format!("list{} of {}", bound("maxItems"), type_of(&field["items"])),
        ("object", _) if field["additionalProperties"].is_object() => {
            format!("map{} of {}", bound("maxProperties"), type_of(&field["additionalProperties"]))
        }
        ("string", "date-time") => "time".to_owned(),
        ("string", _) if is_duration(field) => "duration".to_owned(),
        ("integer", _) => format!("integer{}", bound("maximum")),
        (name, _) => format!("{name}{}", bound("maxLength")),
    }
}

/// The description, and what the rules on the field say.
fn meaning(field: &Value) -> String {
    let mut parts = vec![line(&field["description"])];
    let rules = field["x-kubernetes-validations"].as_array().into_iter().flatten().filter(|_| !is_duration(field));
    parts.extend(rules.map(|rule| format!("*{}.*", line(&rule["message"]))));
    parts.join(" ").replace('|', "\\|")
}

/// Whether it is a [`brickline_crds::GoDuration`]; the page's head says how those are written.
fn is_duration(field: &Value) -> bool {
    plain(&field["x-kubernetes-validations"][0]["message"]).starts_with("write a duration")
}

/// A default that fits into a cell and that the description doesn't tell already.
fn default(field: &Value) -> String {
    let default = &field["default"];
    let worth_it = default.is_number() || default.as_str().is_some_and(|text| !text.is_empty());
    if !worth_it || plain(&field["description"]).contains("Default:") {
        return String::new();
    }
    format!(" Default: `{}`.", default.as_str().map_or_else(|| default.to_string(), str::to_owned))
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn line(value: &Value) -> String {
    plain(value).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|word| plain(word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use brickline_crds::{DatabricksRelease, DatabricksWorkspace, GoDuration, ReleasePipeline};
    use serde::{Serialize, de::DeserializeOwned};

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn read(path: impl AsRef<Path>) -> String {
        let path = root().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn the_reference_is_current() {
        let current = document().unwrap() == read("docs/crds.md");
        assert!(current, "run: cargo run -p crds --bin crddoc -- docs/crds.md");
    }

    #[test]
    fn the_chart_has_the_current_definitions() {
        for crd in all_crds() {
            let file = format!("{}.yaml", crd.spec.names.plural);
            let same = read(format!("crds/yaml/{file}")) == read(format!("charts/brickline/files/crds/{file}"));
            assert!(same, "run: cp crds/yaml/{file} charts/brickline/files/crds/");
        }
    }

    /// What `part` has and `whole` lacks: fields of an example that no kind knows.
    fn lost(part: &Value, whole: &Value, path: &str, found: &mut Vec<String>) {
        match (part, whole) {
            (Value::Object(part), Value::Object(whole)) => {
                for (name, value) in part {
                    match whole.get(name) {
                        Some(other) => lost(value, other, &format!("{path}.{name}"), found),
                        None => found.push(format!("{path}.{name}")),
                    }
                }
            }
            (Value::Array(part), Value::Array(whole)) if part.len() == whole.len() => {
                part.iter().zip(whole).for_each(|(a, b)| lost(a, b, &format!("{path}[]"), found));
            }
            _ if part == whole || same_duration(part, whole) => {}
            _ => found.push(format!("{path}: {part} is read as {whole}")),
        }
    }

    /// `100s` is written back as `1m40s`.
    fn same_duration(one: &Value, other: &Value) -> bool {
        let read = |text: &Value| text.as_str().and_then(|text| text.parse::<GoDuration>().ok());
        read(one).is_some() && read(one) == read(other)
    }

    fn unknown_fields<K: DeserializeOwned + Serialize>(object: &Value) -> Vec<String> {
        let typed: K = serde_json::from_value(object.clone()).expect("the example fits its kind");
        let mut found = Vec::new();
        lost(object, &serde_json::to_value(typed).unwrap(), "", &mut found);
        found
    }

    #[test]
    fn the_examples_are_objects_of_the_kinds() {
        let folder = root().join("docs/examples");
        let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty());
        for file in files {
            let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(&file).unwrap()).unwrap();
            for object in objects {
                let unknown = match plain(&object["kind"]) {
                    "DatabricksWorkspace" => unknown_fields::<DatabricksWorkspace>(&object),
                    "ReleasePipeline" => unknown_fields::<ReleasePipeline>(&object),
                    "DatabricksRelease" => unknown_fields::<DatabricksRelease>(&object),
                    // Kubernetes' own, such as a Secret, are checked by the API server.
                    _ => Vec::new(),
                };
                assert!(unknown.is_empty(), "{}: {unknown:?}", file.display());
            }
        }
    }
}
