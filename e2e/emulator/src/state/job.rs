//! A saved job: its settings, who made it, and when its schedule comes next.

use crate::{
    spec::{JobSettings, Quartz},
    state::{Refusal, disk, ids, lock, objects::now},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fs, io, path::PathBuf, sync::Mutex};
use tokio::sync::watch;

const MAX_JOBS: usize = 10_000;
/// Two runs of a schedule are at least ten seconds apart, whatever its seconds say; the next whole second after this.
const PAUSE: SignedDuration = SignedDuration::from_secs(9);

/// What is remembered of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    pub(crate) job_id: i64,
    pub(crate) creator: String,
    /// Milliseconds since 1970.
    pub(crate) created_time: i64,
    pub(crate) settings: Map<String, Value>,
}

/// A job: its record, and the schedule that was read from it.
struct Job {
    record: JobRecord,
    clock: Option<Quartz>,
    /// Its schedule counts from here on: the last change or run of it.
    floor: Timestamp,
}

impl Job {
    fn new(record: JobRecord, floor: Timestamp) -> Result<Self, Refusal> {
        let clock = JobSettings::read(&record.settings)?.clock()?;
        Ok(Self { record, clock, floor })
    }
}

/// All jobs.
pub(crate) struct Jobs {
    known: Mutex<BTreeMap<i64, Job>>,
    folder: PathBuf,
    /// Rings when a schedule may have changed.
    bell: watch::Sender<u64>,
}

/// What the schedules want.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Agenda {
    /// Jobs that are to run now.
    pub(crate) due: Vec<i64>,
    /// When to look again.
    pub(crate) next: Option<Timestamp>,
}

impl Jobs {
    /// Reads the jobs of an earlier life. What their schedules missed meanwhile isn't made up for.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut known = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if !path.to_string_lossy().ends_with(".job.json") {
                continue;
            }
            let Some(record) = disk::read_json::<JobRecord>(&path)? else { continue };
            let job = Job::new(record, Timestamp::now()).map_err(io::Error::other)?;
            known.insert(job.record.job_id, job);
        }
        let bell = watch::channel(0).0;
        Ok(Self { known: Mutex::new(known), folder, bell })
    }

    fn file(&self, id: i64) -> PathBuf {
        self.folder.join(format!("{id}.job.json"))
    }

    fn ring(&self) {
        self.bell.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A listener for changes.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Adds a job and gives its id.
    pub(crate) fn create(&self, creator: &str, settings: Map<String, Value>) -> Result<i64, Refusal> {
        let record = JobRecord { job_id: ids::random(), creator: creator.to_owned(), created_time: now(), settings };
        let id = record.job_id;
        let job = Job::new(record, Timestamp::now())?;
        {
            let mut known = lock(&self.known);
            if known.len() >= MAX_JOBS {
                return Err(Refusal::QuotaExceeded(format!("A workspace has at most {MAX_JOBS} jobs.")));
            }
            disk::write_json(&self.file(id), &job.record)?;
            known.insert(id, job);
        }
        self.ring();
        Ok(id)
    }

    /// One job.
    pub(crate) fn get(&self, id: i64) -> Result<JobRecord, Refusal> {
        lock(&self.known).get(&id).map(|job| job.record.clone()).ok_or_else(|| unknown(id))
    }

    /// Replaces a job's settings.
    pub(crate) fn change(&self, id: i64, settings: Map<String, Value>) -> Result<(), Refusal> {
        {
            let mut known = lock(&self.known);
            let job = known.get_mut(&id).ok_or_else(|| unknown(id))?;
            let new = Job::new(JobRecord { settings, ..job.record.clone() }, Timestamp::now())?;
            disk::write_json(&self.file(id), &new.record)?;
            *job = new;
        }
        self.ring();
        Ok(())
    }

    /// Forgets a job.
    pub(crate) fn remove(&self, id: i64) -> Result<(), Refusal> {
        lock(&self.known).remove(&id).ok_or_else(|| unknown(id))?;
        fs::remove_file(self.file(id))?;
        self.ring();
        Ok(())
    }

    /// All jobs, the newest first.
    pub(crate) fn all(&self) -> Vec<JobRecord> {
        let mut all: Vec<_> = lock(&self.known).values().map(|job| job.record.clone()).collect();
        all.sort_by_key(|job| std::cmp::Reverse((job.created_time, job.job_id)));
        all
    }

    /// What is due at `now`, each job once, and when to look again. A job that is due counts as having run.
    pub(crate) fn agenda(&self, now: Timestamp) -> Agenda {
        let mut agenda = Agenda::default();
        for job in lock(&self.known).values_mut() {
            let Some(clock) = &job.clock else { continue };
            let mut next = clock.next(job.floor);
            if next.is_some_and(|next| next <= now) {
                agenda.due.push(job.record.job_id);
                job.floor = now.checked_add(PAUSE).unwrap_or(now);
                next = clock.next(job.floor);
            }
            agenda.next = agenda.next.into_iter().chain(next).min();
        }
        agenda
    }
}

fn unknown(id: i64) -> Refusal {
    Refusal::Invalid(format!("Job {id} does not exist."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(cron: &str, pause: &str) -> Map<String, Value> {
        let schedule = json!({ "quartz_cron_expression": cron, "timezone_id": "UTC", "pause_status": pause });
        serde_json::from_value(json!({ "name": "j", "schedule": schedule })).unwrap()
    }

    fn soon(seconds: i64) -> Timestamp {
        Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }

    #[test]
    fn a_schedule_comes_once_and_not_before_ten_seconds_have_passed() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(folder.path().to_owned()).unwrap();
        let id = jobs.create("me", settings("* * * * * ?", "UNPAUSED")).unwrap();
        jobs.create("me", settings("* * * * * ?", "PAUSED")).unwrap();
        let first = jobs.agenda(Timestamp::now());
        assert!(first.due.is_empty() && first.next.is_some(), "nothing is due at once: {first:?}");
        let later = soon(2);
        let second = jobs.agenda(later);
        assert_eq!(second.due, [id]);
        assert!(second.next.unwrap().duration_since(later) > SignedDuration::from_secs(9), "{second:?}");
        assert!(jobs.agenda(later).due.is_empty());
    }

    #[test]
    fn a_job_survives_and_its_schedule_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(folder.path().to_owned()).unwrap();
        let id = jobs.create("me", settings("0 * * * * ?", "UNPAUSED")).unwrap();
        drop(jobs);
        let jobs = Jobs::open(folder.path().to_owned()).unwrap();
        assert_eq!(jobs.get(id).unwrap().creator, "me");
        assert_eq!(jobs.agenda(soon(61)).due, [id]);
        jobs.change(id, settings("0 * * * * ?", "PAUSED")).unwrap();
        assert_eq!(jobs.agenda(soon(200)), Agenda::default());
        jobs.remove(id).unwrap();
        assert!(jobs.get(id).is_err());
        assert!(Jobs::open(folder.path().to_owned()).unwrap().all().is_empty());
    }
}
