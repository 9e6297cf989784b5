//! Databricks Connect takes the place of pyspark: both bring a module `pyspark`, and the one installed over the other leaves
//! a mixture of both.

use super::shop::{Failure, Shop};
use super::venv;

/// The package.
const PACKAGE: &str = "databricks-connect";
/// Prints what brings such a module into the build's own environment, with its version. What the image brings stays: the
/// build's own packages are found before it.
const RIVALS: &str = "import importlib.metadata as m, sysconfig
for d in m.distributions(path=[sysconfig.get_path('purelib')]):
    if (d.metadata['Name'] or '').lower() in ('pyspark', 'pyspark-client', 'pyspark-connect'):
        print(d.metadata['Name'], d.version)";
/// Prints what was installed.
const INSTALLED: &str = "import importlib.metadata as m, platform
print(*(f'{name} {m.version(name)}' for name in ('databricks-connect', 'databricks-sdk')), sep=' and ', end='')
print(' on Python', platform.python_version())";

/// Installs the plan's version, if it has one: after requirements and wheels, which may have brought pyspark.
pub fn install(shop: &mut Shop<'_>) -> Result<(), Failure> {
    let Some(version) = shop.run.plan.databricks_connect.clone() else { return Ok(()) };
    make_way(shop)?;
    let wanted = format!("{PACKAGE}=={version}");
    let step = format!("pip install {wanted}");
    let mut command = venv::command(shop, &["-m", "pip", "install", &wanted]);
    let ending = shop.attempt(&step, &mut command)?;
    if !ending.is_success() {
        // What pip says if it left versions out for their Python.
        let other_python = shop.said("require a different python version");
        let hint = if other_python { "; this version wants another Python than the build image's" } else { "" };
        return Err(Failure::build(format!("{}{hint}", shop.complaint(&step, &ending))));
    }
    let mut installed = venv::command(shop, &["-I", "-c", INSTALLED]);
    let installed = shop.ask(&mut installed).unwrap_or(wanted);
    shop.say(&format!("sessions by {}", installed.trim()));
    Ok(())
}

/// Takes away what it replaces, and itself: its files may be among those that were overwritten.
fn make_way(shop: &mut Shop<'_>) -> Result<(), Failure> {
    let mut rivals = venv::command(shop, &["-I", "-c", RIVALS]);
    let found = shop.ask(&mut rivals).unwrap_or_default();
    let rivals: Vec<(&str, &str)> = found.lines().filter_map(|line| line.split_once(' ')).collect();
    if rivals.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = rivals.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let what = named.join(" and ");
    shop.say(&format!("{what}, which requirements or wheels brought, makes way for {PACKAGE}, which has its own"));
    let mut uninstall = venv::command(shop, &["-m", "pip", "uninstall", "--yes", PACKAGE]);
    shop.step("pip uninstall pyspark", uninstall.args(rivals.iter().map(|(name, _)| name)))
}
