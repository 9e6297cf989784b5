//! What was measured, beside the bars.

use super::{
    CHANGED, FOLDERS, LARGE, LARGE_MIB, LATENCY, Measured, NOTEBOOKS, PER_SECOND, PLACES, SIZE, bench::Deployed,
};
use crate::load::figures::table;

/// The bars: share of the server's rate, share of calls that it refuses, how much faster than one at a time, calls, memory.
const OF_RATE: f64 = 0.85;
const REFUSED: f64 = 0.01;
const FASTER: f64 = 4.0;
const UNCHANGED: usize = 2;
const FEW: usize = 15;
const MEMORY: u64 = 32;
/// The API of notebooks.
const IMPORT: &str = "/workspace/import";

#[allow(clippy::cast_precision_loss)] // counts of requests are far below 2^52
pub(super) fn print(measured: &Measured) {
    println!("{NOTEBOOKS} notebooks of {} KiB in {FOLDERS} folders", SIZE >> 10);
    let mut figures = table(&["what", "measured", "bar"]);
    let limited = &measured.limited;
    let rate = limited.of(IMPORT).filter(|request| request.status == 200).count() as f64 / limited.span(IMPORT);
    let share = rate / f64::from(PER_SECOND);
    let what = format!("imports a second, {PER_SECOND} allowed");
    figures.add_row([
        what,
        format!("{rate:.1} ({:.0} %)", share * 100.0),
        format!("at least {:.0} %", OF_RATE * 100.0),
    ]);
    let refused = limited.of(IMPORT).filter(|request| request.status == 429).count() as f64;
    let refused = refused / limited.of(IMPORT).count().max(1) as f64 * 100.0;
    figures.add_row([
        "of them refused with 429".into(),
        format!("{refused:.2} %"),
        format!("under {} %", REFUSED * 100.0),
    ]);
    let (parallel, serial) = (measured.parallel.span(IMPORT), measured.serial.span(IMPORT));
    let latency = format!("{} ms latency", LATENCY.as_millis());
    figures.add_row([format!("{latency}, ten at a time"), format!("{parallel:.1} s"), String::new()]);
    figures.add_row([format!("{latency}, one at a time"), format!("{serial:.1} s"), String::new()]);
    let faster = serial / parallel;
    figures.add_row(["ratio of the two".into(), format!("{faster:.1}"), format!("at least {FASTER}")]);
    for (what, deployed, bar) in [
        ("calls, nothing changed".to_owned(), &measured.unchanged, format!("at most {UNCHANGED}")),
        (format!("calls, {CHANGED} changed"), &measured.changed, format!("at most {FEW}")),
        (
            "calls, nothing changed, folders listed".to_owned(),
            &measured.listed,
            format!("{FOLDERS} lists, {UNCHANGED} more"),
        ),
    ] {
        figures.add_row([what, calls(deployed), bar]);
    }
    let (before, peak) = measured.memory;
    let grown = peak.saturating_sub(before) >> 10;
    let gibibyte = LARGE * LARGE_MIB * PLACES;
    let what = format!("memory more with {gibibyte} MiB of files ({:.0} s)", measured.large.span("import-file"));
    let grown = format!("{grown} MiB: from {} to {} MiB", before >> 10, peak >> 10);
    figures.add_row([what, grown, format!("under {MEMORY} MiB")]);
    println!("{figures}");
}

/// How many calls there were, and of which kinds.
fn calls(deployed: &Deployed) -> String {
    let lists = deployed.of("/workspace/list").count();
    let imports = deployed.of(IMPORT).count();
    let all = deployed.requests.len();
    format!("{all}: {lists} lists, {imports} imports, {} more", all - lists - imports)
}
