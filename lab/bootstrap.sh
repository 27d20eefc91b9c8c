#!/usr/bin/env bash
# Bring a fresh Debian or Ubuntu machine to where lab/lab.py and Ansible can work: Debian packages that are missing, a
# Docker daemon if none answers, the Python environment of requirements.txt. Quick when all is there; safe to repeat.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p build

# A user's path need not hold the administrator's programs.
PATH="$PATH:/usr/sbin:/sbin"
# Each host's systemd uses a few inotify instances; the kernel's default of 128 stops systemd containers at about 25.
readonly inotify_instances=1024
readonly daemon_patience=60

say() { printf 'bootstrap: %s\n' "$*"; }
refuse() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Root's rights, directly or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# A sentence each; nothing has been changed when one of them is said.
check_prerequisites() {
    have apt-get || refuse "this is not a Debian or Ubuntu machine (apt-get is missing): run it on one, or in a VM of one."
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || refuse "root's rights are needed for packages and Docker: run as root or install sudo."
    fi
    python=$(find_python) || refuse "Python 3.11 is needed and was not found: install it (on Debian 12 the package python3)."
}

find_python() {
    local candidate
    for candidate in python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Packages are judged by what they bring, so that a machine with Docker's own packages is left as it is.
missing_packages() {
    local program
    if ! have dockerd && ! docker_answers; then echo docker.io; fi
    # Since Debian 13 the client is a package of its own.
    if ! have docker && apt-cache show docker-cli >/dev/null 2>&1; then echo docker-cli; fi
    for program in mmdebstrap zstd openssl git; do
        if ! have "$program"; then echo "$program"; fi
    done
    if ! have ssh || ! have ssh-keygen; then echo openssh-client; fi
    # For the signed repositories of the tests' lab.
    if ! have apt-ftparchive; then echo apt-utils; fi
    for program in gpg gpgconf gpg-agent gpgv; do
        if ! have "$program"; then echo "$program"; fi
    done
    if ! [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then echo debian-archive-keyring; fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then echo python3.11-venv; fi
}

install_packages() {
    local packages
    # Without package lists apt knows neither these packages nor the mirror that the images are built from.
    [ -n "$(apt-get indextargets 2>/dev/null)" ] || as_root apt-get update -q
    mapfile -t packages < <(missing_packages)
    [ "${#packages[@]}" -gt 0 ] || return 0
    say "installing ${packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
        apt-get install -q -y --no-install-recommends "${packages[@]}" >build/apt.log 2>&1 ||
        refuse "apt-get could not install ${packages[*]}: $(tail -n 3 build/apt.log)"
}

docker_answers() {
    docker info >/dev/null 2>&1 || { [ "$(id -u)" -ne 0 ] && sudo -n docker info >/dev/null 2>&1; }
}

# Through systemd where it runs, by hand otherwise; a daemon that is there is never touched.
start_docker() {
    if docker_answers; then return; fi
    say "starting a Docker daemon"
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker
    else
        # It outlives this script, so it must not inherit the lock (descriptor 9). The quotes hold: the inner shell expands.
        # shellcheck disable=SC2016
        as_root sh -c 'exec setsid dockerd >>"$1" 2>&1 </dev/null &' sh "$PWD/build/dockerd.log" 9>&-
    fi
    local deadline=$((SECONDS + daemon_patience))
    until docker_answers; do
        [ "$SECONDS" -lt "$deadline" ] ||
            refuse "the Docker daemon did not answer within $daemon_patience seconds; see build/dockerd.log or 'journalctl -u docker'."
        sleep 0.3
    done
}

raise_inotify() {
    local now
    now=$(cat /proc/sys/fs/inotify/max_user_instances)
    [ "$now" -lt "$inotify_instances" ] || return 0
    as_root sysctl -q -w "fs.inotify.max_user_instances=$inotify_instances" ||
        say "note: fs.inotify.max_user_instances stays at $now; about $((now / 5)) test hosts can run at once."
}

# The environment is exactly requirements.txt; a stamp beside it says of which state.
make_environment() {
    local wanted stamp=.venv/.requirements.sha256
    wanted=$(sha256sum requirements.txt | cut -d ' ' -f 1)
    # A checkout that was moved has an interpreter that no longer starts; an interrupted first run left one without pip.
    if ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        rm -rf .venv
        "$python" -m venv .venv
    fi
    [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
    say "installing the Python environment of requirements.txt"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt ||
        refuse "pip could not install requirements.txt (see above); check that this machine reaches its package index."
    printf '%s\n' "$wanted" >"$stamp"
}

check_prerequisites
# Two at once would install the same things twice.
exec 9>build/bootstrap.lock
flock 9
install_packages
start_docker
raise_inotify
make_environment
say "ready"
