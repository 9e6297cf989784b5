//! Reads and writes the state file. Harmless when repeated: each write replaces the file as a whole.

use brickline_crds::Reason;

use super::state::State;
use crate::databricks::{Answer, Client, Upload};
use crate::trouble::Trouble;

/// The state file of one owner.
#[derive(Clone, Copy)]
pub(super) struct Store<'a> {
    pub(super) client: &'a Client,
    pub(super) place: &'a str,
}

impl Store<'_> {
    /// What the last deployment left; none if there was none.
    pub(super) async fn read(&self) -> Result<Option<State>, Trouble> {
        let file = match self.client.download(self.place, Answer::File).await {
            Err(error) if error.is_not_found() => return Ok(None),
            file => file?,
        };
        State::read(&file).map(Some).map_err(|error| {
            let message = format!(
                "{} can't be used: {error}. Use the controller that wrote it, or delete it: then everything is written \
                 once more, and nothing from before is removed",
                self.place
            );
            Trouble::lasting(Reason::DeployFailed, message)
        })
    }

    /// Writes it over the one before.
    pub(super) async fn write(&self, state: &State) -> Result<(), Trouble> {
        let file = state.write().map_err(|error| {
            let message = format!("{} would be larger than 10 MB: deploy fewer files ({error})", self.place);
            Trouble::lasting(Reason::DeployFailed, message)
        })?;
        Ok(self.client.upload(self.place, &Upload::of(file)).await?)
    }
}
