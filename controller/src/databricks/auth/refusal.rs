//! Credentials that were refused are not sent again with every call: ever more rarely, until they are taken or replaced.
//! Pure: all times are handed in.

use std::time::{Duration, Instant};

use crate::databricks::Error;

const FIRST: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_mins(5);
/// How far calls may lie apart that are one try: whoever looks at several things gives all up when one is not let through.
const TOGETHER: Duration = Duration::from_secs(1);

/// How the credentials were refused, and when they may be tried again.
#[derive(Debug, Default)]
pub(super) struct Refusal(Option<Refused>);

#[derive(Debug)]
struct Refused {
    error: Error,
    until: Instant,
    pause: Duration,
    /// Since when somebody tries them again.
    tried: Option<Instant>,
}

impl Refusal {
    /// Whether a call may be sent now. After a pause those who come together may try; for later ones the pause goes on.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Error> {
        match &mut self.0 {
            Some(refused) if refused.tried.is_some_and(|since| now < since + TOGETHER) => Ok(()),
            Some(refused) if now < refused.until => Err(refused.error.clone()),
            Some(refused) => {
                refused.until = now + refused.pause;
                refused.tried = Some(now);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Databricks refused them. Calls that were under way together count as one.
    pub(super) fn refused(&mut self, error: &Error, now: Instant) {
        let pause = match &self.0 {
            Some(before) if before.tried.is_none() => return,
            Some(before) => (before.pause * 2).min(LONGEST),
            None => FIRST,
        };
        self.0 = Some(Refused { error: error.clone(), until: now + pause, pause, tried: None });
    }

    /// Databricks took them, or somebody says that they are good now.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> Error {
        let message = "no such client".to_owned();
        Error::Api { operation: "oidc/token", status: 401, code: None, message, retry_after: None }
    }

    /// Ten callers a second for a whole day.
    #[test]
    fn wrong_credentials_are_tried_rarely() {
        let (start, mut refusal, mut tried) = (Instant::now(), Refusal::default(), 0);
        for tenth in 0..24 * 60 * 60 * 10_u32 {
            let now = start + Duration::from_millis(100) * tenth;
            if refusal.admit(now).is_ok() {
                tried += 1;
                refusal.refused(&error(), now);
            }
        }
        assert!((24 * 12..24 * 12 + 10).contains(&tried), "{tried}");
    }

    #[test]
    fn credentials_that_are_taken_hold_nobody_up() {
        let (start, mut refusal) = (Instant::now(), Refusal::default());
        for _ in 0..5 {
            refusal.refused(&error(), start);
        }
        assert_eq!(refusal.admit(start + FIRST / 2), Err(error()));
        let later = start + FIRST;
        assert_eq!(refusal.admit(later), Ok(()));
        assert_eq!(refusal.admit(later + TOGETHER / 2), Ok(()), "two looks at one cluster are one try");
        assert_eq!(refusal.admit(later + TOGETHER), Err(error()), "later callers wait for what it finds");
        refusal.clear();
        assert_eq!(refusal.admit(later), Ok(()));
    }
}
