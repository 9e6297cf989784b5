//! What is written into the workspace: it can be read, is written over, and what is gone counts as removed.

use super::{Databricks, granted, same, unused};

const FIRST: [(&str, &str); 3] = [("a.py", "print(1)"), ("b.py", "print(2)"), ("c.py", "print(3)")];

fn names(notebooks: &[&str]) -> Vec<String> {
    notebooks.iter().map(|name| (*name).to_owned()).collect()
}

async fn says(workspace: &impl Databricks, notebooks: &[(&str, &str)]) -> Result<(), String> {
    for (name, text) in notebooks {
        let is_said = granted("a look", workspace.says(name, text).await)?;
        same(&format!("whether {name} says {text}"), &is_said, &true)?;
    }
    Ok(())
}

pub(super) async fn deployed(workspace: &impl Databricks) -> Result<(), String> {
    let uid = unused("release");
    let counts = granted("deploy", workspace.deploy(&uid, &FIRST, 1).await)?;
    same("added, changed, removed", &counts, &(3, 0, 0))?;
    same("the notebooks", &granted("a list", workspace.notebooks().await)?, &names(&["a.py", "b.py", "c.py"]))?;
    says(workspace, &FIRST).await?;
    // What was written down of it is read again: by the same release, and by the next one.
    for uid in [uid, unused("release")] {
        let counts = granted("deploy again", workspace.deploy(&uid, &FIRST, 1).await)?;
        same("added, changed, removed", &counts, &(0, 0, 0))?;
    }
    Ok(())
}

/// Its answers are lost, as when the controller dies between them and the write of the release's status.
pub(super) async fn asked_again(workspace: &impl Databricks) -> Result<(), String> {
    granted("deploy", workspace.deploy(&unused("release"), &FIRST, 1).await)?;
    let second = [("a.py", "print('other')"), ("b.py", "print(2)")];
    granted("deploy three times", workspace.deploy(&unused("release"), &second, 3).await)?;
    same("the notebooks", &granted("a list", workspace.notebooks().await)?, &names(&["a.py", "b.py"]))?;
    says(workspace, &second).await?;
    let counts = granted("deploy", workspace.deploy(&unused("release"), &second, 1).await)?;
    same("added, changed, removed", &counts, &(0, 0, 0))
}

pub(super) async fn overwritten(workspace: &impl Databricks) -> Result<(), String> {
    granted("deploy", workspace.deploy(&unused("release"), &FIRST, 1).await)?;
    let second = [("a.py", "print('other')"), ("b.py", "print(2)"), ("c.py", "print(3)")];
    let counts = granted("deploy", workspace.deploy(&unused("release"), &second, 1).await)?;
    same("added, changed, removed", &counts, &(0, 1, 0))?;
    says(workspace, &second).await?;
    same("the notebooks", &granted("a list", workspace.notebooks().await)?, &names(&["a.py", "b.py", "c.py"]))?;
    // Something that Brickline has not put there is written over as well.
    granted("edit", workspace.edit("d.py", Some("theirs")).await)?;
    let third = [second.as_slice(), &[("d.py", "print(4)")]].concat();
    let counts = granted("deploy", workspace.deploy(&unused("release"), &third, 1).await)?;
    same("added, changed, removed", &counts, &(1, 0, 0))?;
    says(workspace, &third).await
}

pub(super) async fn removed(workspace: &impl Databricks) -> Result<(), String> {
    granted("deploy", workspace.deploy(&unused("release"), &FIRST, 1).await)?;
    granted("edit", workspace.edit("theirs.py", Some("theirs")).await)?;
    // One of those that are to go has gone already.
    granted("edit", workspace.edit("c.py", None).await)?;
    let counts = granted("deploy", workspace.deploy(&unused("release"), &FIRST[..1], 1).await)?;
    same("added, changed, removed", &counts, &(0, 0, 2))?;
    same("the notebooks", &granted("a list", workspace.notebooks().await)?, &names(&["a.py", "theirs.py"]))?;
    says(workspace, &[("a.py", "print(1)"), ("theirs.py", "theirs")]).await
}
