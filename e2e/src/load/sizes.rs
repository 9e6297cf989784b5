//! Sizes: how big the images are that users pull.

use std::{fs, path::Path};

use anyhow::Context as _;

use super::figures::table;
use crate::{
    cache::Cache,
    command::Command,
    images::{self, Image},
    progress::Progress,
};

const MEBI: f64 = 1_048_576.0;
/// The bar for the controller's image, in MiB.
const CONTROLLER: u32 = 60;

/// Builds the images unless the cache has them, and prints their sizes.
pub(super) async fn measure(progress: &Progress) -> anyhow::Result<()> {
    let mut sizes = table(&["image", "archive", "content", "bar"]);
    for built in images::build(&Cache::open()?, progress, &Image::ALL).await? {
        let archive = fs::metadata(&built.archive).with_context(|| built.archive.display().to_string())?.len();
        let listed = Command::new("tar").args(["--list", "--verbose", "--file"]).arg(&built.archive).run().await?;
        let bar = if built.image == Image::Controller { format!("under {CONTROLLER} MiB") } else { String::new() };
        sizes.add_row([built.image.target().to_owned(), mebi(archive), mebi(layers(&listed)), bar]);
    }
    println!("{sizes}");
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // sizes of images are far below 2^52
fn mebi(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MEBI)
}

/// The sum of an archive's layers: each is a tar file of its own. A link to a layer is not counted again.
fn layers(listed: &str) -> u64 {
    let files = listed.lines().filter(|line| line.starts_with('-'));
    let layers = files.filter(|line| Path::new(line).extension().is_some_and(|extension| extension == "tar"));
    layers.filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_summed_up_once() {
        let listed = "-r--r--r-- 0/0       100 1970-01-01 00:00 aa.tar\n\
                      -r--r--r-- 0/0        50 1970-01-01 00:00 bb.tar\n\
                      lrwxrwxrwx 0/0         0 1970-01-01 00:00 cc/layer.tar -> ../aa.tar\n\
                      -r--r--r-- 0/0      2000 1970-01-01 00:00 manifest.json\n";
        assert_eq!(layers(listed), 150);
    }
}
