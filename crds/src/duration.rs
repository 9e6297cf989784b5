//! A duration as users write it: Go's notation (`90s`, `1h30m`).

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use kube::core::Duration as KubeDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// What every duration obeys.
pub(crate) const RULE: &str = "self.matches('^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$') && size(self) > 0 && \
    duration(self) > duration('0s') && duration(self) <= duration('8760h')";
/// What a user reads whose duration does not.
pub(crate) const MESSAGE: &str =
    "write a duration such as 90s, 15m or 1h30m, longer than zero and at most one year (8760h)";

/// A positive duration in Go's notation, at most one year. Written back as it was understood.
///
/// The schema refuses anything but hours, minutes and seconds, so that no reader has to know about `µs`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct GoDuration(KubeDuration);

impl GoDuration {
    /// A whole number of seconds.
    #[must_use]
    pub fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds).into())
    }

    /// The same as the standard library's type.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0.into()
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub fn as_secs(self) -> u64 {
        self.get().as_secs()
    }
}

impl From<Duration> for GoDuration {
    /// Whole seconds, rounded up: the schema takes no fractions and no zero.
    fn from(duration: Duration) -> Self {
        let up = u64::from(duration.subsec_nanos() > 0);
        Self::from_secs(duration.as_secs().saturating_add(up).max(1))
    }
}

impl FromStr for GoDuration {
    type Err = kube::core::duration::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Debug for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

impl fmt::Display for GoDuration {
    /// `2h5m`, `1m30s`, `45s`: the largest units first, zeros left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.as_secs();
        let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        if seconds > 0 || total == 0 {
            write!(f, "{seconds}s")?;
        }
        Ok(())
    }
}

impl Serialize for GoDuration {
    /// As [`Display`](fmt::Display): what people read in `kubectl get` and in defaults is `1h`, not `3600s`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(RULE, MESSAGE)
    }
}

/// A text that is a duration, or something else that `rule` takes.
pub(crate) fn schema(rule: &str, message: &str) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 20,
        // A rule and no `pattern`: that one's refusal would quote the expression instead of saying what to write.
        "x-kubernetes-validations": [{"rule": rule, "message": message}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "0s")]
    #[case(45, "45s")]
    #[case(90, "1m30s")]
    #[case(3600, "1h")]
    #[case(7505, "2h5m5s")]
    fn reads_back_what_it_prints(#[case] seconds: u64, #[case] text: &str) {
        let duration = GoDuration::from_secs(seconds);
        assert_eq!(duration.to_string(), text);
        assert_eq!(text.parse::<GoDuration>().unwrap().as_secs(), seconds);
        assert_eq!(serde_json::to_value(duration).unwrap(), text);
    }

    #[test]
    fn a_measured_duration_is_one_the_schema_takes() {
        for (millis, text) in [(0, "1s"), (1, "1s"), (35_098, "36s"), (60_000, "1m")] {
            assert_eq!(GoDuration::from(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
