#!/bin/sh
# Install Debian packages, or say in one sentence what to run. No service is started, stopped or restarted:
# the tests need the programs of RabbitMQ and PostgreSQL, and start private servers of their own.
set -eu

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

command -v apt-get >/dev/null ||
    fail "Missing: $*. Install the same from your system's package manager, then run this again."
if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n env"
else
    fail "Missing: $*. Run \`sudo apt-get install $*\`, then run this again."
fi

apt() {
    $as_root DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" 2>&1
}

printf '%s\n' "Installing with apt: $* ..." >&2
policy=/usr/sbin/policy-rc.d # what packages ask before they touch a service; 101 is no
if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi
apt update >/dev/null || true # one dead source must not matter when the others have what is missing
output=$(apt install --yes --no-install-recommends "$@") ||
    fail "$output" "" "apt could not install $*, and says why above."

# A fresh server package also starts at every boot, which nobody asked for.
for service in rabbitmq-server postgresql prometheus; do
    case " $* " in
        *" $service "*) $as_root systemctl --quiet disable $service 2>/dev/null || true ;;
    esac
done
