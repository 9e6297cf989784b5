//! Windows: when Deploy may begin, in the time of each window's own zone.

use brickline_crds::{Day, Reason, Window};
use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};

use crate::trouble::Trouble;

/// How many days from now the next opening is looked for: every window opens once a week, except where the clock skips
/// the whole of it.
const AHEAD: i64 = 15;

/// Whether Deploy may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Now.
    Open,
    /// Not before this time, at which it is open.
    ClosedUntil(Timestamp),
}

/// Whether one of the windows is open, or when the next one opens. No windows: always open.
///
/// # Errors
/// `InvalidSpec` if a window can't be read: its time zone is unknown, or it never opens.
pub(crate) fn gate(windows: &[Window], now: Timestamp) -> Result<Gate, Trouble> {
    if windows.is_empty() {
        return Ok(Gate::Open);
    }
    let mut next: Option<Timestamp> = None;
    for (index, window) in windows.iter().enumerate() {
        let times = Times::read(window).ok_or_else(|| unreadable(window, index))?;
        for (opens, closes) in times.around(now) {
            if opens <= now && now < closes {
                return Ok(Gate::Open);
            }
            if now < opens {
                next = Some(next.map_or(opens, |earliest| earliest.min(opens)));
            }
        }
    }
    let never = || Trouble::lasting(Reason::InvalidSpec, "protection.windows: none of them ever opens");
    next.map(Gate::ClosedUntil).ok_or_else(never)
}

fn unreadable(window: &Window, index: usize) -> Trouble {
    let Window { from, to, time_zone, .. } = window;
    let message = match TimeZone::get(time_zone) {
        Err(_) => format!("protection.windows[{index}].timeZone: the IANA database knows no time zone {time_zone:?}"),
        Ok(_) => format!("protection.windows[{index}]: {from:?} to {to:?} are no times of a day"),
    };
    Trouble::lasting(Reason::InvalidSpec, message)
}

/// A window as it is counted.
struct Times<'a> {
    days: &'a [Day],
    from: civil::Time,
    to: civil::Time,
    /// Whether it ends on the day after it began.
    overnight: bool,
    zone: TimeZone,
}

impl<'a> Times<'a> {
    fn read(window: &'a Window) -> Option<Self> {
        let time = |text: &str| civil::Time::strptime("%H:%M", text).ok();
        let from = time(&window.from)?;
        let to = if window.to == "24:00" { civil::Time::midnight() } else { time(&window.to)? };
        Some(Self { days: &window.days, from, to, overnight: to <= from, zone: TimeZone::get(&window.time_zone).ok()? })
    }

    /// When it opens and closes, from the day before `now`, which may last into it, to [`AHEAD`] days later.
    ///
    /// A time that the clock skips in spring is as much later as it skips; of one that comes twice in autumn the first
    /// counts. A window that is skipped as a whole doesn't open that day.
    fn around(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = now.to_zoned(self.zone.clone()).date();
        let dates = (-1..=AHEAD).filter_map(move |offset| today.checked_add(offset.days()).ok());
        dates.filter(|date| self.days.contains(&day(*date))).filter_map(|date| {
            let end = if self.overnight { date.tomorrow().ok()? } else { date };
            let at =
                |date: civil::Date, time| Some(date.to_datetime(time).to_zoned(self.zone.clone()).ok()?.timestamp());
            let (opens, closes) = (at(date, self.from)?, at(end, self.to)?);
            (opens < closes).then_some((opens, closes))
        })
    }
}

fn day(date: civil::Date) -> Day {
    match date.weekday() {
        civil::Weekday::Monday => Day::Mon,
        civil::Weekday::Tuesday => Day::Tue,
        civil::Weekday::Wednesday => Day::Wed,
        civil::Weekday::Thursday => Day::Thu,
        civil::Weekday::Friday => Day::Fri,
        civil::Weekday::Saturday => Day::Sat,
        civil::Weekday::Sunday => Day::Sun,
    }
}
