//! An errand is what a forge, or another host with credentials like a forge's, is asked for; it says which field of whose
//! spec a fault is about.

/// What a forge is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// To take a release's commit status.
    CommitStatus,
    /// To list a pipeline's branches.
    Branches,
    /// To hand out an artifact that was built elsewhere.
    Artifact,
}

impl Errand {
    /// What every message begins with.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CommitStatus => "commit status",
            Self::Branches => "branches of the repository",
            Self::Artifact => "source.artifact",
        }
    }

    /// The field that names the Secret.
    pub(super) fn credentials_field(self) -> &'static str {
        match self {
            Self::CommitStatus => "source.git.credentialsRef",
            Self::Branches => "repository.credentialsRef",
            Self::Artifact => "source.artifact.credentialsRef",
        }
    }

    /// The fields that say where the forge is.
    pub(super) fn address_field(self) -> &'static str {
        match self {
            Self::CommitStatus => "source.git.url and provider",
            Self::Branches => "repository.url",
            Self::Artifact => "source.artifact.url",
        }
    }

    /// What the credentials must allow.
    pub(super) fn access(self) -> &'static str {
        match self {
            Self::CommitStatus => "write access to the repository's statuses",
            Self::Branches => "read access to the repository",
            Self::Artifact => "read access to the file",
        }
    }
}
