//! A workspace's limits, as its client counts them.

use std::num::NonZeroU32;

use brickline_crds as crds;

use crate::databricks::{Family, Limits};

/// What the client may ask of the workspace per second.
pub(super) fn limits(spec: &crds::Limits) -> Limits {
    let families = &spec.families;
    let said = [
        (Family::Import, families.import),
        (Family::Export, families.export),
        (Family::Dbfs, families.dbfs),
        (Family::Files, families.files),
        (Family::Submit, families.runs_submit),
        (Family::RunRead, families.runs_get),
    ];
    let families = said.into_iter().filter_map(|(family, limit)| Some((family, NonZeroU32::new(limit?)?))).collect();
    Limits { total: NonZeroU32::new(spec.requests_per_second), families }
}
