//! Steps run in the user's image: install what is required, build the wheels, run the tests, judge the reports. Those of a
//! further job are the user's own scripts.
//!
//! Wheels come before tests, so that tests can import what is released and find what it depends on.

mod connect;
mod install;
pub mod ledger;
mod python;
pub mod reports;
mod scripts;
pub mod shop;
mod tests;
mod tree;
mod venv;
mod wheels;

use brickline_artifact::result::{Outcome, Reason};

use self::shop::{Failure, Shop};
use crate::Run;
use crate::place::name;
use crate::source::SourceInfo;

/// Runs all steps; the outcome also stands in the ledger for `collect`.
pub fn steps(run: &Run) -> Outcome {
    let mut shop = match Shop::open(run) {
        Ok(shop) => shop,
        Err(error) => return Outcome::failed(Reason::BuildFailed, &format!("the work folder: {error}")),
    };
    let built = build(&mut shop);
    // Whatever became of the build: the reports that it left are handed in.
    let outcome = match built.and(reports::redact(&shop)) {
        Ok(()) => Outcome::Succeeded,
        Err(Failure { reason, message }) => Outcome::failed(reason, &shop.secrets().masked(&message)),
    };
    shop.close(&outcome);
    outcome
}

/// The steps in their order.
fn build(shop: &mut Shop<'_>) -> Result<(), Failure> {
    let place = &shop.run.place;
    let source =
        SourceInfo::read(&place.meta).map_err(|error| Failure::build(format!("the checkout's word: {error}")))?;
    if let Some(job) = &shop.run.plan.job {
        tree::copy(&place.source, &place.work.join(name::TREE))?;
        return scripts::run(shop, job, &source);
    }
    let wheels = wheels::find(shop.run, &source)?;
    let tests = tests::find(shop.run, &source)?;
    let requirements = install::find(shop.run, &source, &wheels);
    tree::copy(&place.source, &place.work.join(name::TREE))?;
    let installs = !requirements.is_empty() || shop.run.plan.databricks_connect.is_some();
    if installs || !wheels.is_empty() || !tests.is_empty() {
        let python = python::find(shop, &source)?;
        venv::make(shop, &python)?;
        install::requirements(shop, &requirements)?;
        wheels::build(shop, &wheels)?;
        connect::install(shop)?;
        tests::run(shop, &tests)?;
    }
    reports::judge(shop, &source, !tests.is_empty())
}
