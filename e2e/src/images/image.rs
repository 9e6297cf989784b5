//! An image: one target of the Dockerfile, with its name and the files that its content depends on.

/// One of the images that the Dockerfile makes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Image {
    /// The controller, with the runner that it puts into build pods.
    Controller,
    /// What fetches a commit in a build pod.
    Checkout,
    /// The default image of a build's steps.
    Build,
    /// The workspace emulator.
    Emulator,
}

impl Image {
    /// Every image, in the order in which they are worth building: what others share comes first.
    pub const ALL: [Self; 4] = [Self::Build, Self::Controller, Self::Checkout, Self::Emulator];

    /// The Dockerfile's target.
    #[must_use]
    pub const fn target(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Checkout => "checkout",
            Self::Build => "build",
            Self::Emulator => "emulator",
        }
    }

    /// The name without a tag, as charts and pods use it.
    #[must_use]
    pub fn repository(self) -> String {
        format!("brickline.dev/{}", self.target())
    }

    /// Files and folders of the checkout that decide what is in the image; everything else leaves its tag as it is.
    pub(super) const fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Controller => &["Dockerfile", "Cargo.toml", "Cargo.lock", "crds", "controller"],
            Self::Checkout => {
                &["Dockerfile", "Cargo.toml", "Cargo.lock", "crds", "controller/runner", "controller/artifact"]
            }
            Self::Build => &["Dockerfile"],
            Self::Emulator => &["Dockerfile", "Cargo.toml", "Cargo.lock", "e2e/emulator"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_a_target_of_the_dockerfile() {
        let dockerfile = include_str!("../../../Dockerfile");
        for image in Image::ALL {
            let stage = format!(" AS {}\n", image.target());
            assert!(dockerfile.contains(&stage), "no stage{stage}");
        }
    }

    #[test]
    fn the_dockerfile_names_no_registry_but_in_its_arguments() {
        let dockerfile = include_str!("../../../Dockerfile");
        let froms = dockerfile.lines().filter(|line| line.starts_with("FROM "));
        for from in froms {
            assert!(!from.contains('/'), "{from}: name base images by ARG, so that they can be replaced");
        }
    }
}
