//! Writes the CustomResourceDefinitions as YAML: `cargo run -p crds --bin crdgen -- DIR`.
//!
//! Each kind goes to `DIR/<plural>.yaml`; without DIR everything goes to standard output.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    for crd in brickline_crds::all_crds() {
        let yaml = serde_saphyr::to_string(&crd)?;
        match &folder {
            Some(folder) => fs::write(folder.join(format!("{}.yaml", crd.spec.names.plural)), yaml)?,
            None => println!("---\n{yaml}"),
        }
    }
    Ok(())
}
