#!/usr/bin/env bash
# Install EchoEdge on a Jetson (JetPack 6 and 7) or any Debian or Ubuntu machine. Run it again after a failure or a change:
# each step looks at what is there and does only what is missing.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
REPO="$(dirname "$HERE")"
ROOT="/"
WHEELS=""
KEY=""
POWER="bedside"
SCREEN="no"
APT="yes"
DRY="no"
ACTION="install"

usage() {
    cat <<'TEXT'
usage: install.sh [options]
  --wheels DIR    wheelhouse (default: wheelhouse/cpXY-ARCH beside jetson/, made by `make wheelhouse`)
  --key FILE      trusted_key.json of the publisher, which updates are checked against
  --power NAME    bench, bedside (default) or battery
  --screen        show the picture on this device's screen at boot, without login (else: no screen)
  --no-apt        install no system package; the missing ones are named
  --root DIR      look at this file system instead of /, and change nothing: implies --dry-run
  --dry-run       print what would be done
  --uninstall     remove everything but settings, recordings and the audit log
  --purge         with --uninstall: remove those, too
example: sudo jetson/install.sh --key trusted_key.json --screen
TEXT
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

say() { echo "== $*"; }

# Do it, or say it. Every change to the machine goes through here.
run() {
    if [ "$DRY" = yes ]; then
        echo "+ $*"
    else
        "$@"
    fi
}

# Copy a file where it is missing or different.
lay() {
    local mode="$1" from="$2" to="$3"
    if ! cmp -s "$from" "$ROOT$to"; then
        run install -D -m "$mode" "$from" "$to"
    fi
}

live_systemd() { [ "$DRY" = yes ] || [ -d /run/systemd/system ]; }

parse() {
    while [ $# -gt 0 ]; do
        case "$1" in
        --wheels) WHEELS="${2:?--wheels needs a folder}" && shift ;;
        --key) KEY="${2:?--key needs a file}" && shift ;;
        --power) POWER="${2:?--power needs a name}" && shift ;;
        --root) ROOT="${2:?--root needs a folder}" && ROOT="${ROOT%/}/" && DRY=yes && shift ;;
        --screen) SCREEN=yes ;;
        --no-apt) APT=no ;;
        --dry-run) DRY=yes ;;
        --uninstall) ACTION=uninstall ;;
        --purge) ACTION=purge ;;
        -h | --help) usage && exit 0 ;;
        *) usage >&2 && fail "'$1' is no option" ;;
        esac
        shift
    done
    case "$POWER" in bench | bedside | battery) ;; *) fail "--power is bench, bedside or battery, not '$POWER'" ;; esac
    if [ "$DRY" = no ] && [ "$(id -u)" != 0 ]; then
        fail "changes the system: run it with sudo, or look first with --dry-run"
    fi
}

# What machine this is: edge/jetson/board.py prints NAME=value lines; it needs nothing but python3.
detect() {
    command -v python3 >/dev/null || fail "no python3 here: apt-get install python3"
    local name value
    declare -gA BOARD=()
    while IFS='=' read -r name value; do
        BOARD[$name]="$value"
    done < <(python3 "$REPO/edge/jetson/board.py" "$ROOT")
    say "board: ${BOARD[model]:-not a Jetson}${BOARD[jetson_linux]:+, Jetson Linux ${BOARD[jetson_linux]}, JetPack ${BOARD[jetpack]}}"
    say "TensorRT: ${BOARD[tensorrt]:-none, networks run on the CPU}; CUDA: ${BOARD[cuda]:-none}; Python: ${BOARD[python]:-none}"
    [ -z "${BOARD[verdict]}" ] || fail "${BOARD[verdict]}"
    if [ -n "${BOARD[jetson_linux]}" ] && [ -z "${BOARD[tensorrt]}" ]; then
        say "to run on the GPU: apt-get install nvidia-jetpack, then run this again"
    fi
}

wheelhouse() {
    local machine tag
    machine="$(uname -m)"
    [ -z "${BOARD[jetson_linux]}" ] || machine=aarch64
    tag="cp${BOARD[python]//./}-$machine"
    WHEELS="${WHEELS:-$REPO/wheelhouse/$tag}"
    local own=("$WHEELS"/echoedge-*.whl)
    if [ ! -e "${own[0]}" ]; then
        [ "$DRY" = yes ] && VERSION="VERSION" && say "wheelhouse $WHEELS is empty: make it with 'make wheelhouse'" && return
        fail "no wheel of echoedge in $WHEELS: make it with 'make wheelhouse' on any machine and copy the folder here"
    fi
    VERSION="$(basename "${own[0]}" | cut -d- -f2)"
    say "wheels: $WHEELS, version $VERSION"
}

packages() {
    local missing=() name wanted=(python3-venv)
    [ -z "${BOARD[jetson_linux]}" ] || wanted+=(gstreamer1.0-tools gstreamer1.0-plugins-good v4l-utils)
    [ "$SCREEN" = no ] || wanted+=(cage xwayland python3-tk)
    for name in "${wanted[@]}"; do
        grep -qsE -A2 "^Package: $name\$" "${ROOT}var/lib/dpkg/status" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$APT" = no ]; then
        say "system packages missing, not installed because of --no-apt: ${missing[*]}"
        return
    fi
    run apt-get update -qq
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

user() {
    lay 644 "$HERE/sysusers.conf" /usr/lib/sysusers.d/echoedge.conf
    id -u echoedge >/dev/null 2>&1 || run systemd-sysusers /usr/lib/sysusers.d/echoedge.conf
}

# The first slot; later versions come with `echoedge update`. The guard stands outside the slots, and so outlives them.
slots() {
    lay 644 "$REPO/edge/update/slots.py" /usr/lib/echoedge/slots.py
    local present="${ROOT}opt/echoedge/current/release.json"
    if [ -e "$present" ]; then
        say "a slot is installed already ($(grep -o '"version": *"[^"]*"' "$present")); newer versions: echoedge update install BUNDLE"
    else
        run install -d -m 755 /opt/echoedge
        run python3 -I /usr/lib/echoedge/slots.py first "$WHEELS" "echoedge[openvino,dicom,sign,cuda]==$VERSION" \
            --version "$VERSION" --python /usr/bin/python3
    fi
    [ "$(readlink "${ROOT}usr/local/bin/echoedge")" = /opt/echoedge/current/venv/bin/echoedge ] ||
        run ln -sfn /opt/echoedge/current/venv/bin/echoedge /usr/local/bin/echoedge
}

settings() {
    local name
    for name in echoedge display; do
        [ -e "${ROOT}etc/echoedge/$name.toml" ] || lay 644 "$HERE/settings/$name.toml" "/etc/echoedge/$name.toml"
    done
    if [ -n "$KEY" ]; then
        lay 644 "$KEY" /etc/echoedge/trusted_key.json
        write /etc/echoedge/echoedge.env "ECHOEDGE_TRUSTED_KEY=/etc/echoedge/trusted_key.json"
    fi
    write /etc/echoedge/power.env "ECHOEDGE_POWER=$POWER"
}

# One line into a file, where it is missing or different.
write() {
    local path="$1" line="$2"
    [ "$(cat "$ROOT$path" 2>/dev/null)" != "$line" ] || return 0
    if [ "$DRY" = yes ]; then
        echo "+ write $path: $line"
    else
        echo "$line" >"$path"
    fi
}

units() {
    local unit other enabled=(echoedge-health.timer)
    for unit in "$HERE"/systemd/*; do
        lay 644 "$unit" "/etc/systemd/system/$(basename "$unit")"
    done
    lay 644 "$HERE/udev/70-echoedge-grabber.rules" /etc/udev/rules.d/70-echoedge-grabber.rules
    if [ "$SCREEN" = yes ]; then
        enabled+=(echoedge-display.service) && other=echoedge.service
    else
        enabled+=(echoedge.service) && other=echoedge-display.service
    fi
    [ -z "${BOARD[jetson_linux]}" ] || enabled+=(echoedge-compile.timer echoedge-power.service)
    command -v systemctl >/dev/null || { say "no systemd here: units are in place, not enabled" && return; }
    run systemctl disable --quiet "$other"
    run systemctl enable --quiet "${enabled[@]}"
    if live_systemd; then
        run systemctl daemon-reload
        # A container has no device manager of its own.
        if [ "$DRY" = yes ] || systemctl is-active --quiet systemd-udevd; then
            run udevadm control --reload
            run udevadm trigger --subsystem-match=video4linux
        fi
        run systemctl start --no-block "${enabled[@]}"
    else
        say "systemd does not run here: the units start at the next boot"
    fi
}

verify() {
    [ "$DRY" = no ] || return 0
    /opt/echoedge/current/venv/bin/echoedge doctor --target jetson || say "the doctor names what is still to be done"
}

uninstall() {
    local path
    if live_systemd; then
        run systemctl disable --now --quiet echoedge.service echoedge-display.service echoedge-compile.timer \
            echoedge-health.timer echoedge-power.service || true
    fi
    for path in "$HERE"/systemd/*; do
        run rm -f "/etc/systemd/system/$(basename "$path")"
    done
    run rm -f /etc/udev/rules.d/70-echoedge-grabber.rules /usr/lib/sysusers.d/echoedge.conf /usr/local/bin/echoedge
    run rm -rf /usr/lib/echoedge /opt/echoedge/a /opt/echoedge/b /opt/echoedge/current /opt/echoedge/trial.json
    if [ "$ACTION" = purge ]; then
        run rm -rf /opt/echoedge /etc/echoedge /var/lib/echoedge
        ! id -u echoedge >/dev/null 2>&1 || run userdel echoedge
    else
        say "kept: /etc/echoedge, /var/lib/echoedge, /opt/echoedge/audit.jsonl (--purge removes them)"
    fi
}

parse "$@"
if [ "$ACTION" != install ]; then
    uninstall
    say "removed"
    exit 0
fi
detect
wheelhouse
packages
user
slots
settings
units
verify
say "done"
