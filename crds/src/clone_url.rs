//! A clone URL: where a repository is fetched from, without anybody's credentials in it.

/// Either `http(s)://` or `ssh://` without a user, or ssh's two forms with the user `git`. No host begins with `-`: git's
/// helpers would take it for an option.
pub(crate) const RULE: &str = "self.matches('^(https?|ssh)://[^-@/[:space:]][^@/[:space:]]*/[^[:space:]]+$') || \
    self.matches('^(ssh://git@[^-@/[:space:]][^@/[:space:]]*/|git@[^-@/[:space:]][^@/[:space:]]*:)[^[:space:]]+$')";

/// What a user reads whose URL is another.
pub(crate) const MESSAGE: &str = "url is an https:// or ssh:// clone URL without user name or password: put credentials into \
    credentialsRef";
