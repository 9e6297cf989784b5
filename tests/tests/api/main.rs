//! The API as users and the controller meet it: every rule, default, selector and column, tried on a real API server.

mod approval;
mod argo;
mod change;
mod chart;
mod columns;
mod connect;
mod contract;
mod coverage;
mod defaults;
mod definitions;
mod examples;
mod immutable;
mod jobs;
mod lock;
mod pipeline;
mod plan;
mod policies;
mod release;
mod roundtrip;
mod secrets;
mod selectors;
mod size;
mod stages;
mod status;
mod strictness;
mod trigger;
mod workspace;

use std::process::ExitCode;

use brickline_tests::Suite;

fn main() -> anyhow::Result<ExitCode> {
    let mut suite = Suite::new()?;
    definitions::add(&mut suite);
    let tables = [workspace::table(), pipeline::table(), release::table(), approval::table()];
    for table in &tables {
        suite.add_table(table);
    }
    let changes = [workspace::changes(), immutable::changes(), approval::changes()].concat();
    change::add(&mut suite, &changes);
    coverage::add(&mut suite, &tables, &changes);
    strictness::add(&mut suite);
    defaults::add(&mut suite);
    examples::add(&mut suite);
    argo::add(&mut suite);
    contract::add(&mut suite);
    status::add(&mut suite);
    roundtrip::add(&mut suite);
    size::add(&mut suite);
    columns::add(&mut suite);
    selectors::add(&mut suite);
    lock::add(&mut suite);
    secrets::add(&mut suite);
    chart::add(&mut suite);
    policies::add(&mut suite);
    Ok(suite.run())
}
