//! The forge: keeps every commit status it was told; the newest counts.

use brickline_crds::Reason;

use crate::forge::Report;
use crate::phase::Trouble;

#[derive(Clone, Default)]
pub(crate) struct Forge {
    pub(crate) told: Vec<Report>,
}

impl Forge {
    pub(super) fn tell(&mut self, report: &Report, is_down: bool) -> Result<(), Trouble> {
        if is_down {
            return Err(Trouble::passing(Reason::InternalError, "the forge does not answer"));
        }
        self.told.push(report.clone());
        Ok(())
    }
}
