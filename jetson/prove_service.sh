#!/usr/bin/env bash
# Prove on an x86-64 Debian or Ubuntu machine that the units really start, are watched, and go back after a bad update: a
# Debian 12 root booted by systemd-nspawn, install.sh in it, a synthetic source in place of the grabber. Needs root,
# debootstrap and systemd-container.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
REPO="$(dirname "$HERE")"
WORK="${1:?usage: prove_service.sh WORK_FOLDER WHEELS}"
WHEELS="${2:?usage: prove_service.sh WORK_FOLDER WHEELS}"
PC="$WORK/x86"
NAME=echoedge-proof

say() { echo "### $* ($(date -u +%H:%M:%S))"; }

if [ ! -e "$PC/.made" ]; then
    debootstrap --variant=minbase --include=python3,python3-venv,systemd,systemd-sysv,udev,dbus bookworm "$PC" http://deb.debian.org/debian
    touch "$PC/.made"
fi
rm -rf "$PC/stick" && mkdir "$PC/stick"
git -C "$REPO" ls-files -z | tar -C "$REPO" --null -T - -cf - | tar -C "$PC/stick" -xf -
cp -r "$WHEELS" "$PC/stick/wheels"
cp "$HERE/prove_service_inside.sh" "$PC/stick/"
cat >"$PC/etc/systemd/system/proof.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/bash /stick/prove_service_inside.sh
ExecStopPost=/bin/systemctl poweroff --no-block
StandardOutput=append:/stick/proof.log
StandardError=inherit
TimeoutStartSec=30min
UNIT
mkdir -p "$PC/etc/systemd/system/multi-user.target.wants"
ln -sf ../proof.service "$PC/etc/systemd/system/multi-user.target.wants/proof.service"
say "boot"
systemd-nspawn --quiet --machine="$NAME" --register=no --keep-unit --directory="$PC" --boot --console=pipe </dev/null
cat "$PC/stick/proof.log"
test -e "$PC/stick/proved"
say "proved"
