# Every image of Brickline, one target each: controller, checkout, build, emulator.
#
#   docker build --target controller -t brickline.dev/controller .
#
# All of them run as user 65532 with a read-only root file system; only /tmp (and /data of the emulator) must be writable.
#
# Behind a company's proxy nothing needs to be edited. Give what applies; none of it stays in an image:
#   --secret id=ca-bundle,src=FILE      PEM bundle that signs the package registries' certificates
#   --secret id=pip-config,src=FILE     pip.conf: package index and its credentials
#   --secret id=cargo-config,src=FILE   Cargo's config.toml: registry and its credentials
#   --build-arg HTTPS_PROXY=URL         (one of the builder's predefined arguments)

ARG BUILDER=docker.io/library/rust:1.95-bookworm
ARG BASE=docker.io/library/debian:bookworm-slim

# Python and Java ----------------------------------------------------------------------------------------------------

# What runs Spark: the same Python, Java and PySpark for tests in build pods and for notebooks in the emulator.
FROM ${BASE} AS spark
# Base images tell apt to throw packages away; here the cache mounts keep them, outside the image.
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean && \
    mkdir -p /usr/share/man/man1 && \
    apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates git openjdk-17-jre-headless python3 python3-pip python3-venv && \
    groupadd --gid 65532 brickline && \
    useradd --uid 65532 --gid 65532 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin brickline
# PySpark is pinned: what passes in a build pod must mean the same on the cluster. It comes as a source package and is
# built with the tools installed before it, so that no second set of them is fetched.
ARG PYSPARK_VERSION=3.5.9
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=secret,id=ca-bundle \
    --mount=type=secret,id=pip-config \
    if [ -s /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle; fi && \
    if [ -s /run/secrets/pip-config ]; then export PIP_CONFIG_FILE=/run/secrets/pip-config; fi && \
    python3 -m venv /opt/brickline/python && \
    export PIP_CACHE_DIR=/var/cache/pip && \
    /opt/brickline/python/bin/pip install --disable-pip-version-check \
        build==1.6.1 pytest==9.2.0 setuptools==84.2.1 wheel==0.48.0 && \
    /opt/brickline/python/bin/pip install --disable-pip-version-check --no-build-isolation pyspark==${PYSPARK_VERSION}
ENV PATH=/opt/brickline/python/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp

# The default image of a build's steps.
FROM spark AS build
LABEL org.opencontainers.image.title="Brickline build" \
      org.opencontainers.image.description="Python, Java and PySpark for the steps of a build" \
      org.opencontainers.image.licenses="Apache-2.0"

# Rust ---------------------------------------------------------------------------------------------------------------

# One static binary each, for the architecture that builds.
FROM ${BUILDER} AS rust
WORKDIR /src
ENV CARGO_TARGET_DIR=/target CARGO_TERM_COLOR=never RUSTFLAGS="-C target-feature=+crt-static"
# Cargo wants to see every member of the workspace, also those that no image holds.
COPY Cargo.toml Cargo.lock ./
COPY tests/Cargo.toml tests/
COPY tests/src/lib.rs tests/src/
COPY e2e/Cargo.toml e2e/
COPY e2e/src/main.rs e2e/src/
COPY e2e/emulator e2e/emulator
COPY crds crds
COPY controller controller

FROM rust AS rust-controller
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    --mount=type=secret,id=ca-bundle \
    --mount=type=secret,id=cargo-config,target=/usr/local/cargo/config.toml \
    if [ -s /run/secrets/ca-bundle ]; then export CARGO_HTTP_CAINFO=/run/secrets/ca-bundle; fi && \
    cargo build --release --locked --target "$(uname -m)-unknown-linux-gnu" -p brickline && \
    install -D -t /out /target/*/release/brickline

# Apart from the controller, so that it isn't built with the features that only the controller asks for.
FROM rust AS rust-runner
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    --mount=type=secret,id=ca-bundle \
    --mount=type=secret,id=cargo-config,target=/usr/local/cargo/config.toml \
    if [ -s /run/secrets/ca-bundle ]; then export CARGO_HTTP_CAINFO=/run/secrets/ca-bundle; fi && \
    cargo build --release --locked --target "$(uname -m)-unknown-linux-gnu" -p brickline-runner && \
    install -D -t /out /target/*/release/brickline-runner

FROM rust AS rust-emulator
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    --mount=type=secret,id=ca-bundle \
    --mount=type=secret,id=cargo-config,target=/usr/local/cargo/config.toml \
    if [ -s /run/secrets/ca-bundle ]; then export CARGO_HTTP_CAINFO=/run/secrets/ca-bundle; fi && \
    cargo build --release --locked --target "$(uname -m)-unknown-linux-gnu" -p brickline-emulator && \
    install -D -t /out /target/*/release/brickline-emulator

# Images -------------------------------------------------------------------------------------------------------------

# Nothing but the binaries and the certificate authorities. A build pod's first container copies the runner from here.
FROM scratch AS controller
COPY --from=rust /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=rust-runner /out/brickline-runner /brickline-runner
COPY --from=rust-controller /out/brickline /brickline
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/brickline"]
LABEL org.opencontainers.image.title="Brickline" \
      org.opencontainers.image.description="Turns a merge into a tested release on Databricks" \
      org.opencontainers.image.licenses="Apache-2.0"

# What fetches a commit: the only container of a build pod that sees the repository's credentials.
FROM ${BASE} AS checkout
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean && \
    apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates git git-lfs openssh-client && \
    groupadd --gid 65532 brickline && \
    useradd --uid 65532 --gid 65532 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin brickline
COPY --from=rust-runner /out/brickline-runner /usr/local/bin/brickline-runner
ENV HOME=/tmp
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["brickline-runner"]
LABEL org.opencontainers.image.title="Brickline checkout" \
      org.opencontainers.image.description="Git, Git LFS and SSH for fetching a commit" \
      org.opencontainers.image.licenses="Apache-2.0"

# A workspace to try things against: speaks Databricks' REST API and runs notebooks on the Spark above.
FROM spark AS emulator
USER root
# Beside it a stand-in for the Databricks CLI, for those who try asset bundles: with Databricks' own SDK, away from what
# notebooks see.
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=secret,id=ca-bundle \
    --mount=type=secret,id=pip-config \
    if [ -s /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle; fi && \
    if [ -s /run/secrets/pip-config ]; then export PIP_CONFIG_FILE=/run/secrets/pip-config; fi && \
    python3 -m venv /opt/brickline/bundle && \
    PIP_CACHE_DIR=/var/cache/pip /opt/brickline/bundle/bin/pip install databricks-sdk==0.156.0 && \
    install -d -o 65532 -g 65532 /data
COPY --chmod=755 e2e/emulator/bundle/databricks /usr/local/bin/databricks
USER 65532:65532
COPY --from=rust-emulator /out/brickline-emulator /usr/local/bin/brickline-emulator
ENV BRICKLINE_EMULATOR_LISTEN=0.0.0.0:8080 \
    BRICKLINE_EMULATOR_DATA=/data \
    BRICKLINE_EMULATOR_PYTHON=/opt/brickline/python/bin/python
EXPOSE 8080
ENTRYPOINT ["brickline-emulator"]
CMD ["serve"]
LABEL org.opencontainers.image.title="Brickline workspace emulator" \
      org.opencontainers.image.description="Databricks' REST API over real notebooks, libraries and restarts" \
      org.opencontainers.image.licenses="Apache-2.0"
