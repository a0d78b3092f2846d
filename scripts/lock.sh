#!/bin/sh
# Refresh the lock files. With names, only those packages move: scripts/lock.sh yt-dlp
#
# One lock serves Python 3.11 and every later one (--universal). It carries hashes and no index address,
# so it installs the same from any mirror. The others follow the development lock's versions.
set -eu
cd "$(dirname "$0")/.."

[ -x .venv/bin/uv ] || .venv/bin/python -m pip -qq --disable-pip-version-check install uv

move=--upgrade
[ $# -eq 0 ] || move=$(printf -- '--upgrade-package %s ' "$@")

compile() {
    # shellcheck disable=SC2086 # $move is a list of flags
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links $move "$@"
}

compile --extra install --extra dev --extra speech --extra tracing --output-file requirements-dev.lock pyproject.toml
compile --extra install --constraints requirements-dev.lock --output-file requirements.lock pyproject.toml
compile --extra install --extra speech --constraints requirements-dev.lock --output-file requirements-speech.lock pyproject.toml
compile --extra install --extra tracing --constraints requirements-dev.lock --output-file requirements-tracing.lock pyproject.toml
# Alone in a venv: it wants an old boto3.
echo checkov | compile --output-file requirements-checkov.lock -
