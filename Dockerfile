# Sluice as an image. `docker build .` compiles it from this clone, about 20 minutes on two cores.
# With a binary that is built already on Debian 12, alone in a folder:
#   docker build --target prebuilt --file Dockerfile --tag sluice FOLDER
# Both also suit the builder without BuildKit, which makes every stage before the wanted one.

FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 libstdc++6 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin sluice \
    && install -d -o sluice -g sluice /data \
    && install -d /definitions
ENV SLUICE_LISTEN=0.0.0.0:7070 \
    SLUICE_DATA_DIR=/data \
    SLUICE_DEFINITIONS=/definitions
USER sluice
WORKDIR /data
VOLUME /data
EXPOSE 7070
# Ready once caught up with the log, which is why it may take a while at first.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["sluice", "health"]
ENTRYPOINT ["sluice"]
CMD ["serve"]

FROM base AS prebuilt
# Patterns may find nothing, so that a clone, where that binary isn't, doesn't end the build here.
COPY sluic[e] README.m[d] /usr/local/bin/

FROM debian:bookworm-slim AS build
WORKDIR /sluice
ENV CARGO_TARGET_DIR=/target
COPY rust-toolchain.toml ./
COPY script/prepare script/prepare
RUN script/prepare build
# The dependencies first, RocksDB among them: only a changed manifest compiles them again.
COPY Cargo.toml Cargo.lock ./
COPY schemas/Cargo.toml schemas/
COPY evaluator/Cargo.toml evaluator/
COPY processor/Cargo.toml processor/
COPY bench/Cargo.toml bench/
COPY tests/Cargo.toml tests/
COPY tests/fuzz/Cargo.toml tests/fuzz/
COPY tests/mutants/Cargo.toml tests/mutants/
RUN mkdir schemas/src evaluator/src processor/src \
    && touch schemas/src/lib.rs evaluator/src/lib.rs processor/src/lib.rs \
    && echo 'fn main() {}' >processor/src/main.rs \
    && bash -c '. script/prepare build && cargo build --release -p processor --locked'
COPY . .
# Cargo goes by the time of change, and those of the clone may be older than the stand-ins above.
RUN find schemas evaluator processor -name '*.rs' -exec touch {} + \
    && bash -c '. script/prepare build && cargo build --release -p processor --locked'

FROM base AS runtime
COPY --from=build /target/release/sluice /usr/local/bin/sluice
