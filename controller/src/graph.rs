//! Things that wait for each other: the stages of a pipeline, the jobs of a build. Pure.

/// Those that wait for each other, as `staging -> production -> staging`; none if all can begin. Each stands there with its
/// name and the names of those it waits for.
pub(crate) fn cycle(nodes: &[(&str, &[String])]) -> Option<String> {
    let mut waiting = nodes.to_vec();
    loop {
        let before = waiting.len();
        let names: Vec<&str> = waiting.iter().map(|(name, _)| *name).collect();
        waiting.retain(|(_, after)| after.iter().any(|name| names.contains(&name.as_str())));
        if waiting.len() == before {
            break;
        }
    }
    // Each that is left waits for another one that is left: following them comes back.
    let mut path = vec![*waiting.first()?];
    loop {
        let (_, after) = path.last()?;
        let next = *waiting.iter().find(|(name, _)| after.iter().any(|other| other == name))?;
        if let Some(begin) = path.iter().position(|(name, _)| *name == next.0) {
            let names = path.iter().skip(begin).chain([&next]).map(|(name, _)| *name);
            return Some(names.collect::<Vec<_>>().join(" -> "));
        }
        path.push(next);
    }
}
