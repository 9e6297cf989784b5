//! A cron expression in Quartz's words, as Databricks wants it. Pure.
//!
//! | | cron | Quartz |
//! | --- | --- | --- |
//! | fields | minute, hour, day of the month, month, day of the week | seconds before them |
//! | Sunday to Saturday | 0 to 6, or 7 for Sunday | 1 to 7: so only names are written |
//! | day of the month and day of the week | a day is meant by either | one of them must be `?` |
//! | `10-40/15` | every 15 from 10 to 40 | the same, but written out here: the sets of values are what counts |

use crate::pipeline::schedule;

/// Names of the days as Quartz counts them.
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The expression with the same times. Words such as `@daily` are taken too.
///
/// # Errors
/// A sentence for the user if it is no cron expression, or one that Quartz has no words for: both a day of the month and a
/// day of the week.
pub(crate) fn quartz(cron: &str) -> Result<String, String> {
    let pattern = schedule::parse(cron)?.pattern;
    if pattern.days.has_modifiers() || pattern.days_of_week.has_modifiers() {
        return Err(format!("cron '{cron}' has L, W or #, which a cron expression of Kubernetes doesn't"));
    }
    let (any_day, any_weekday) = (pattern.is_dom_wildcard(), pattern.is_dow_wildcard());
    let weekdays: Vec<u16> = pattern.days_of_week.values().into_iter().filter(|day| *day < 7).collect();
    let (days, weekdays) = match (any_day, any_weekday) {
        (false, false) => {
            return Err(format!(
                "cron '{cron}' has a day of the month and a day of the week, and Databricks takes only one of them: \
                 write '*' for the other, or make two jobs"
            ));
        }
        (true, false) if weekdays.len() < DAYS.len() => ("?".to_owned(), names(&weekdays)),
        _ => (field(&pattern.days.values(), 1, 31), "?".to_owned()),
    };
    let (minutes, hours) = (field(&pattern.minutes.values(), 0, 59), field(&pattern.hours.values(), 0, 23));
    let months = field(&pattern.months.values(), 1, 12);
    Ok(format!("0 {minutes} {hours} {days} {months} {weekdays}"))
}

/// A field as short as it can be said: any, every so many from one on, or values and ranges.
fn field(values: &[u16], first: u16, last: u16) -> String {
    if values.len() == usize::from(last - first) + 1 {
        return "*".to_owned();
    }
    steps(values, last).unwrap_or_else(|| ranges(values, u16::to_string))
}

/// `0/15` if the values are every fifteenth up to the end.
fn steps(values: &[u16], last: u16) -> Option<String> {
    let [first, second, .., end] = values else { return None };
    let step = second - first;
    let even = values.windows(2).all(|pair| matches!(pair, [one, next] if next - one == step));
    (step > 1 && even && end + step > last).then(|| format!("{first}/{step}"))
}

fn names(weekdays: &[u16]) -> String {
    ranges(weekdays, |day| DAYS.get(usize::from(*day)).copied().unwrap_or_default().to_owned())
}

/// `1-5,8,10`: at least three in a row make a range.
fn ranges(values: &[u16], name: impl Fn(&u16) -> String) -> String {
    let runs = values.chunk_by(|one, next| one + 1 == *next);
    let said = runs.flat_map(|run| match run {
        [first, _, .., last] => vec![format!("{}-{}", name(first), name(last))],
        few => few.iter().map(&name).collect(),
    });
    said.collect::<Vec<_>>().join(",")
}
