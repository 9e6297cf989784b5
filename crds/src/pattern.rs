//! The rules that several kinds share, and what a user reads who breaks one.

/// The name of another object. Nothing else may stand in a path of the API server.
pub(crate) const OBJECT: &str = "self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')";
/// What a user reads whose name is another.
pub(crate) const OBJECT_MESSAGE: &str = "this is the name of an object: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit";

/// A word that stands in labels and other names: a stage, a pool, a pipeline's cluster.
pub(crate) const WORD: &str = "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')";

/// One part of a glob: a character, one that is escaped, or a class whose end is there.
macro_rules! part {
    () => {
        r"([^\\{}\[]|\\.|\[[!^]?\]?[^\]]*\])"
    };
}
/// Parts, and alternatives of them within each other.
macro_rules! glob {
    () => {
        concat!(r"^(", part!(), r"|\{(", part!(), r"|\{", part!(), r"*\})*\})*$")
    };
}

/// Branches by name or glob, as git's `refs/heads/` holds them. A name has none of the characters that git refuses
/// (<https://git-scm.com/docs/git-check-ref-format>); a class may begin with `^`.
pub(crate) const BRANCHES: &str = concat!(
    r"self.all(b, !b.startsWith('refs/') && !b.startsWith('/') && !b.contains('..') && !b.matches(r'[[:cntrl:] ~:\\]|(^|[^\[])\^') && b.matches(r'",
    glob!(),
    "'))"
);
/// What a user reads whose branches are others.
pub(crate) const BRANCHES_MESSAGE: &str = "branches are names or globs such as release, release/* or release-[0-9], without refs/heads/, spaces, '..' \
     or any of ~ ^ : \\; each [ and { needs its end";

/// Files of the repository. None is outside of it.
pub(crate) const GLOBS: &str =
    concat!("self.all(glob, !glob.startsWith('/') && !glob.contains('..') && glob.matches(r'", glob!(), "'))");
/// What a user reads whose files are others.
pub(crate) const GLOBS_MESSAGE: &str = "these are globs or paths relative to the repository's root, without a leading '/' and without '..'; each [ and { \
     needs its end";

/// Clusters by the workspace's names. They are checked before anything is done, so nothing in them is resolved later.
pub(crate) const CLUSTERS: &str = "self.all(name, name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'))";
/// The same for one cluster.
pub(crate) const CLUSTERS_MESSAGE: &str = "a cluster is named as in the workspace's spec.clusters, without $(...): what a release may use is known when it is \
     created";

/// Names of labels and annotations: an optional DNS name and a slash, then a word. Brickline's own are not for users.
pub(crate) const KEYS: &str = "self.all(key, key.matches('^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$') \
     && !key.matches('^([a-z0-9.-]*[.])?brickline[.]dev/'))";
/// What a user reads whose names are others.
pub(crate) const KEYS_MESSAGE: &str = "names of labels and annotations are words of at most 63 characters, after a domain and '/' if need be; those of \
     brickline.dev are set by the controller";

/// The shape of a name in the IANA time zone database. `Local` would be the controller's own, which nobody can see.
pub(crate) const ZONE: &str =
    "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$') && !self.matches('^[Ll][Oo][Cc][Aa][Ll]$')";
/// What a user reads whose time zone is another.
pub(crate) const ZONE_MESSAGE: &str = "timeZone is a name of the IANA time zone database, such as Europe/Lisbon or UTC";
