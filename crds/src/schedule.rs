//! A schedule: a time at which a branch is released, whether somebody pushed or not.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::pattern;

/// One field of a cron expression: `*`, `?`, values or ranges of them, each with a step if need be, in a list.
macro_rules! field {
    ($value:literal) => {
        concat!(field!(@ $value), "(,", field!(@ $value), ")*")
    };
    (@ $value:literal) => {
        concat!("([*?]|", $value, "(-", $value, ")?)(/(0?[1-9]|[1-9][0-9]))?")
    };
}

/// A cron expression: one of the words, or minute, hour, day of the month, month and day of the week, each within its
/// range. What never comes, such as the 30th of February, is told by the pipeline's condition.
pub(crate) const CRON: &str = concat!(
    "self.matches('^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$') || self.matches('^ *",
    field!("[0-5]?[0-9]"),
    " +",
    field!("([01]?[0-9]|2[0-3])"),
    " +",
    field!("(0?[1-9]|[12][0-9]|3[01])"),
    " +",
    field!("(0?[1-9]|1[0-2]|(?i:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC))"),
    " +",
    field!("(0?[0-7]|(?i:SUN|MON|TUE|WED|THU|FRI|SAT))"),
    " *$')"
);
/// What a user reads whose cron expression is another.
pub(crate) const CRON_MESSAGE: &str = "cron is five fields such as '0 3 * * 1-5' (minute 0-59, hour 0-23, day of the month 1-31, \
    month 1-12 or JAN-DEC, day of the week 0-7 or SUN-SAT), or @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually";

/// A branch, not a pattern of branches.
const BRANCH: &str = "!self.startsWith('refs/') && !self.startsWith('/') && !self.contains('..') && \
    !self.matches('[[:space:]*?{}~^:]') && !self.contains('[') && !self.contains(']')";
const BRANCH_MESSAGE: &str =
    "branch is the name of one branch such as release, without refs/heads/, spaces or patterns";

/// A time at which a branch is released, as in a Kubernetes CronJob.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, x_kube(cel))]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// When: minute, hour, day of the month, month and day of the week, or `@hourly`, `@daily`, `@midnight`, `@weekly`,
    /// `@monthly`, `@yearly` or `@annually`. Months and days may be names. A time that the clock skips in spring comes
    /// at the next time there is, one that the clock repeats in autumn comes once; schedules of every hour come every
    /// hour. Example: `0 3 * * MON-FRI`.
    #[schemars(length(min = 6, max = 100))]
    #[x_kube(validation = Rule::new(CRON).message(CRON_MESSAGE))]
    pub cron: String,
    /// Whose clock: a name of the IANA time zone database. Example: `Europe/Lisbon`. Default: `UTC`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(pattern::ZONE).message(pattern::ZONE_MESSAGE))]
    pub time_zone: String,
    /// The branch whose newest commit is released. None: the first of the trigger's branches that is no pattern.
    /// Example: `release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new(BRANCH).message(BRANCH_MESSAGE))]
    pub branch: Option<String>,
    /// Stops this schedule. Times that pass meanwhile are not made up for. Default: false.
    #[serde(default)]
    pub suspend: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    /// What the API server would say: nothing, or the sentence.
    fn refusal(schedule: &Value) -> Option<String> {
        Schedule::validate_cel(schedule, None).err().map(|errors| errors.to_string())
    }

    #[rstest]
    #[case("0 3 * * 1-5")]
    #[case("*/15 * * * *")]
    #[case("0 8-18/2 1,15 JAN-MAR,dec Mon-Fri")]
    #[case("0 0 ? * SUN")]
    #[case("5/10 0  1 1 7")]
    #[case("59,00-05 23 31 12,Feb 0-sat/2")]
    #[case("@daily")]
    #[case("@midnight")]
    fn a_cron_expression_is_taken(#[case] cron: &str) {
        assert_eq!(refusal(&json!({"cron": cron, "timeZone": "UTC", "suspend": false})), None);
    }

    #[rstest]
    #[case::four_fields("0 3 * *")]
    #[case::seconds("0 0 3 * * 1-5")]
    #[case::a_word("tomorrow")]
    #[case::an_interval("@every 1h")]
    #[case::reboot("@reboot")]
    #[case::a_zone_inside("TZ=Europe/Lisbon 0 3 * * *")]
    #[case::a_name_among_minutes("MON 3 * * *")]
    #[case::last_day("0 3 L * *")]
    #[case::second_monday("0 3 * * MON#2")]
    #[case::an_open_range("0 3- * * *")]
    #[case::an_open_list("0 3, * * *")]
    #[case::minute_60("60 3 * * *")]
    #[case::hour_24("0 24 * * *")]
    #[case::day_0("0 3 0 * *")]
    #[case::day_32("0 3 32 * *")]
    #[case::month_13("0 3 * 13 *")]
    #[case::weekday_8("0 3 * * 8")]
    #[case::no_month("0 3 * FOO *")]
    #[case::a_day_for_a_month("0 3 * MON *")]
    #[case::a_step_of_nothing("*/0 * * * *")]
    #[case::all_of_it("99 99 99 99 99")]
    #[case::two_lines("0 3 * *\n*")]
    #[case::nothing("      ")]
    fn another_text_is_no_cron_expression(#[case] cron: &str) {
        let said = refusal(&json!({"cron": cron, "timeZone": "UTC", "suspend": false})).unwrap();
        assert!(said.contains("cron is five fields"), "{said}");
    }

    #[rstest]
    #[case("UTC")]
    #[case("Europe/Lisbon")]
    #[case("America/Argentina/Buenos_Aires")]
    #[case("Etc/GMT+5")]
    fn a_time_zone_is_taken(#[case] zone: &str) {
        assert_eq!(refusal(&json!({"cron": "@daily", "timeZone": zone, "suspend": false})), None);
    }

    #[rstest]
    #[case("Local")]
    #[case("+02:00")]
    #[case("../etc/passwd")]
    #[case("/Europe/Lisbon")]
    #[case("Europe/")]
    #[case("Europe/Lis bon")]
    fn another_text_is_no_time_zone(#[case] zone: &str) {
        let said = refusal(&json!({"cron": "@daily", "timeZone": zone, "suspend": false})).unwrap();
        assert!(said.contains("timeZone is a name"), "{said}");
    }

    #[rstest]
    #[case("release", true)]
    #[case("release/1.2-ü", true)]
    #[case("release/*", false)]
    #[case("release-[12]", false)]
    #[case("refs/heads/release", false)]
    #[case("a..b", false)]
    #[case("a b", false)]
    fn a_branch_is_one_branch(#[case] branch: &str, #[case] taken: bool) {
        let said = refusal(&json!({"cron": "@daily", "timeZone": "UTC", "branch": branch, "suspend": false}));
        assert_eq!(said.is_none(), taken, "{said:?}");
        assert!(said.is_none_or(|said| said.contains("branch is the name")));
    }

    #[test]
    fn the_cron_alone_is_enough() {
        let schedule: Schedule = serde_json::from_value(json!({"cron": "@daily"})).unwrap();
        let all = Schedule { cron: "@daily".into(), time_zone: "UTC".into(), branch: None, suspend: false };
        assert_eq!(schedule, all);
    }
}
