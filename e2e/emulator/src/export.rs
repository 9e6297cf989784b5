//! The export of a run: an HTML page that carries the notebook with its outputs as an encoded model.

use crate::state::cells::Cell;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// What JavaScript's `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The page. The name is part of the model only, so that nothing in it can break the page.
pub(crate) fn html(name: &str, cells: &[Cell]) -> String {
    let model = model(name, cells).to_string();
    let encoded = crate::api::encode(utf8_percent_encode(&model, COMPONENT).to_string().as_bytes());
    format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>Notebook</title>\n</head>\n<body>\n<script>\n\
         var __DATABRICKS_NOTEBOOK_MODEL = '{encoded}';\n</script>\n<script>\n\
         var model = JSON.parse(decodeURIComponent(atob(__DATABRICKS_NOTEBOOK_MODEL)));\n\
         model.commands.forEach(function (command) {{\n\
         \x20 [command.command, JSON.stringify(command.results, null, 1)].forEach(function (text) {{\n\
         \x20   document.body.appendChild(document.createElement('pre')).textContent = text;\n\
         \x20 }});\n}});\n</script>\n</body>\n</html>\n"
    )
}

fn model(name: &str, cells: &[Cell]) -> Value {
    let commands: Vec<_> = cells.iter().enumerate().map(|(index, cell)| command(index, cell)).collect();
    json!({ "version": "NotebookV1", "name": name, "language": "python", "commands": commands })
}

fn command(index: usize, cell: &Cell) -> Value {
    json!({
        "version": "CommandV1",
        "subtype": "command",
        "commandType": "auto",
        "position": index + 1,
        "command": cell.command,
        "commandTitle": cell.title,
        "state": cell.state,
        "startTime": cell.start_time,
        "submitTime": cell.start_time,
        "finishTime": cell.finish_time,
        "results": cell.results,
        "errorSummary": cell.error_summary,
        "error": cell.error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;

    #[test]
    fn the_model_can_be_read_back() {
        let cell = Cell {
            command: "print('é </script> %')".to_owned(),
            state: "finished".to_owned(),
            results: Some(json!({ "type": "listResults", "data": [{ "type": "ansi", "data": "é\n" }] })),
            ..Cell::default()
        };
        let page = html("n</script>", &[cell]);
        let model = page.split("__DATABRICKS_NOTEBOOK_MODEL = '").nth(1).unwrap().split('\'').next().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(model).unwrap();
        let text = percent_encoding::percent_decode(&bytes).decode_utf8().unwrap().into_owned();
        let model: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(model["commands"][0]["results"]["data"][0]["data"], "é\n");
        assert_eq!(model["name"], "n</script>");
        assert_eq!(page.matches("</script>").count(), 2);
    }
}
