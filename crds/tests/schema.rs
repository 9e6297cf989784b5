//! What can't be changed later: bounds, selectable fields, columns and short names of the generated schema.

use std::{fs, path::Path};

use serde_json::Value;

/// Collects the places below `schema` whose size nothing bounds.
fn unbounded(schema: &Value, path: &str, found: &mut Vec<String>) {
    let bounded = |key: &str| schema.get(key).is_some();
    match schema["type"].as_str() {
        Some("string") if !(bounded("maxLength") || bounded("enum") || bounded("format")) => {
            found.push(path.to_owned());
        }
        Some("array") if !bounded("maxItems") => found.push(path.to_owned()),
        Some("object") if bounded("additionalProperties") && !bounded("maxProperties") => found.push(path.to_owned()),
        _ => {}
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            unbounded(property, &format!("{path}.{name}"), found);
        }
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            unbounded(&schema[key], &format!("{path}{suffix}"), found);
        }
    }
}

fn crds() -> Vec<Value> {
    brickline_crds::all_crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect()
}

#[test]
fn every_string_list_and_map_is_bounded() {
    let mut found = Vec::new();
    for crd in crds() {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for part in ["spec", "status"] {
            unbounded(&schema["properties"][part], &format!("{kind}.{part}"), &mut found);
        }
    }
    assert!(found.is_empty(), "bounds added later invalidate stored objects; unbounded: {found:#?}");
}

#[test]
fn every_field_is_documented() {
    fn undocumented(schema: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, property) in properties {
                let path = format!("{path}.{name}");
                if property["description"].as_str().is_none_or(str::is_empty) {
                    found.push(path.clone());
                }
                undocumented(property, &path, found);
            }
        }
        if schema["items"].is_object() {
            undocumented(&schema["items"], &format!("{path}[]"), found);
        }
    }
    let mut found = Vec::new();
    for crd in crds() {
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for part in ["spec", "status"] {
            undocumented(&schema["properties"][part], part, &mut found);
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn releases_are_found_by_the_fields_users_filter_by() {
    let release = &crds()[2];
    let fields: Vec<&str> = release["spec"]["versions"][0]["selectableFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["jsonPath"].as_str().unwrap())
        .collect();
    let ours = [
        ".status.result",
        ".spec.workspaceRef.name",
        ".spec.source.git.ref",
        ".spec.source.git.commit",
        ".status.branch",
    ];
    assert_eq!(fields, ours);
    assert_eq!(release["spec"]["names"]["shortNames"][0], "dbrel");
}

#[test]
fn the_generated_yaml_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    for crd in brickline_crds::all_crds() {
        let file = folder.join(format!("{}.yaml", crd.spec.names.plural));
        let stored = fs::read_to_string(&file).unwrap_or_default();
        let current = serde_saphyr::to_string(&crd).unwrap();
        assert!(
            stored == current,
            "{} is not current: run `cargo run -p crds --bin crdgen -- crds/yaml`",
            file.display()
        );
    }
}
