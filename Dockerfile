# Linkferry in one image; which part of it runs is the command: up, web, bots, worker, migrate, doctor, ...
# Nothing here depends on the processor: `docker buildx build --platform linux/amd64,linux/arm64 .` makes both.
FROM python:3.11.15-slim-bookworm AS build

WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/linkferry

# requirements-speech.lock also hears what is said in videos without captions; it takes 400 MB more.
# requirements-tracing.lock also sends traces to an OpenTelemetry collector.
ARG LOCK=requirements.lock
COPY requirements.lock requirements-speech.lock requirements-tracing.lock ./
RUN /opt/linkferry/bin/pip install --only-binary=:all: --require-hashes -r "$LOCK"

# A newer yt-dlp than the lock's: sites change faster than Linkferry does. It comes without the lock's hashes;
# `make lock ONLY=yt-dlp` before the build is the way with them.
ARG YT_DLP=
RUN test -z "$YT_DLP" || \
    /opt/linkferry/bin/pip install --only-binary=:all: "yt-dlp[default,curl-cffi,deno]==$YT_DLP"

COPY pyproject.toml README.md ./
COPY bots bots
COPY worker worker
COPY shared shared
COPY migrations migrations
COPY linkferry linkferry
RUN /opt/linkferry/bin/pip install --no-deps --no-build-isolation . && \
    /opt/linkferry/bin/pip uninstall --yes setuptools pip


FROM python:3.11.15-slim-bookworm

# Debian keeps only the newest build of a version, so that a pinned one could soon not be installed any more.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ffmpeg && \
    rm -rf /var/lib/apt/lists/* && \
    pip uninstall --yes wheel setuptools pip

# A number, so that `runAsNonRoot` and its like can tell. An empty volume takes over whose folder /data is.
RUN groupadd --gid 10001 linkferry && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin linkferry && \
    install --directory --owner=10001 --group=10001 --mode=0700 /data

COPY --from=build /opt/linkferry /opt/linkferry

# Nothing but /data and /tmp is written to. In a container, what listens on loopback is heard by nobody.
ENV PATH=/opt/linkferry/bin:$PATH \
    HOME=/data \
    LINKFERRY_DATA_DIR=/data \
    LINKFERRY_HOST=0.0.0.0 \
    LINKFERRY_METRICS_PORT=9464
USER 10001:10001
VOLUME /data
EXPOSE 8080 9464

HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["linkferry", "health"]
ENTRYPOINT ["linkferry"]
CMD ["up"]
