//! The release with the values of its variables in its spec.

use std::borrow::Cow;
use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, DatabricksReleaseSpec};

use super::place::visit;
use super::text::fill;

/// The release with every string of its spec as `status.variables` makes it; the release itself if its spec uses none,
/// or if they were not looked up yet. What phases work with; the stored object keeps the spec as it was written.
///
/// Values of parameters in `test` stay as they are: they may need a Secret's value besides, and are filled when
/// a run is submitted. To be called with the release as it is stored: what an escape or a value brings in is text, and
/// would not be if it were looked at again.
pub(crate) fn effective(release: &DatabricksRelease) -> Cow<'_, DatabricksRelease> {
    let variables = release.status.as_ref().map(|status| &status.variables).filter(|variables| !variables.is_empty());
    let Some(spec) = variables.and_then(|variables| filled(&release.spec, variables)) else {
        return Cow::Borrowed(release);
    };
    let (metadata, status) = (release.metadata.clone(), release.status.clone());
    Cow::Owned(DatabricksRelease { metadata, spec, status })
}

/// None only if the spec can't be written as JSON and read again, which its types rule out.
fn filled(spec: &DatabricksReleaseSpec, variables: &BTreeMap<String, String>) -> Option<DatabricksReleaseSpec> {
    let mut value = serde_json::to_value(spec).ok()?;
    visit(&mut value, &mut |place, text| {
        if !place.is_filled_late() {
            *text = fill(text, |name| variables.get(name).map(String::as_str));
        }
    });
    serde_json::from_value(value).ok()
}
