//! How a test's run is judged.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::InnerTests;
use crate::{GoDuration, duration};

/// How a test's run is judged. To be flattened into what is a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rules {
    /// A failure is an issue and not a failure. Default: that of the whole `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continue_on_error: Option<bool>,
    /// When Databricks stops the run: at most `timeouts.test`, unless it is the default. Default: `1h`.
    pub timeout: GoDuration,
    /// The longest execution that still passes, or `Off`; queue, setup and cluster start don't count. Default: `100s`.
    pub max_duration: MaxDuration,
    /// Fails a run that is slower than the ones before it. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regression: Option<Regression>,
    /// Instead of `test.innerTests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_tests: Option<InnerTests>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            continue_on_error: None,
            timeout: GoDuration::from_secs(3600),
            max_duration: MaxDuration::Limit(GoDuration::from_secs(100)),
            regression: None,
            inner_tests: None,
        }
    }
}

/// When a run is slower than it was: compared with the middle one of the last runs that passed, in the same pipeline and
/// stage. Until three of them are known (or `over`, if that is less), nothing is slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Regression {
    /// How much longer a run may take, in percent. Default: 50.
    #[schemars(range(min = 1, max = 10000))]
    pub percent: u32,
    /// How many runs it is compared with. Default: 10.
    #[schemars(range(min = 1, max = 50))]
    pub over: u32,
}

impl Default for Regression {
    fn default() -> Self {
        Self { percent: 50, over: 10 }
    }
}

/// The longest execution that still passes. Written as a duration, or as `Off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxDuration {
    /// However long it takes.
    Off,
    /// At most this long.
    Limit(GoDuration),
}

impl MaxDuration {
    /// The limit, if there is one.
    #[must_use]
    pub fn limit(self) -> Option<GoDuration> {
        match self {
            Self::Off => None,
            Self::Limit(limit) => Some(limit),
        }
    }
}

/// How no limit is written.
const OFF: &str = "Off";

impl fmt::Display for MaxDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str(OFF),
            Self::Limit(limit) => limit.fmt(f),
        }
    }
}

impl Serialize for MaxDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MaxDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == OFF {
            return Ok(Self::Off);
        }
        GoDuration::from_str(&text).map(Self::Limit).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for MaxDuration {
    fn schema_name() -> Cow<'static, str> {
        "MaxDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let rule = format!("self == '{OFF}' || ({})", duration::RULE);
        duration::schema(&rule, &format!("{}, or {OFF}", duration::MESSAGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Off", None)]
    #[case("1m40s", Some(100))]
    fn a_limit_reads_back_what_it_prints(#[case] text: &str, #[case] seconds: Option<u64>) {
        let read: MaxDuration = serde_json::from_value(text.into()).expect("a limit");
        assert_eq!(read.limit().map(GoDuration::as_secs), seconds);
        assert_eq!(serde_json::to_value(read).expect("JSON"), text);
    }
}
