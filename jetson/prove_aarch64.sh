#!/usr/bin/env bash
# Prove on any x86-64 Debian or Ubuntu machine that the product installs and runs on aarch64: an arm64 Debian root, emulated by
# qemu, with a Jetson's Python, 3.10 or 3.12, built from source, or Debian's own (bookworm has 3.11, trixie 3.13);
# install.sh from the wheelhouse, doctor, the first frames of a real loop, the tests marked `portable`, and --uninstall.
# Needs root, debootstrap, qemu-user-static and what python_aarch64.sh names; half an hour or more a Python.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
REPO="$(dirname "$HERE")"
WORK="${1:?usage: prove_aarch64.sh WORK_FOLDER 3.10|3.11|3.12|3.13}"
PY="${2:?usage: prove_aarch64.sh WORK_FOLDER 3.10|3.11|3.12|3.13}"
PACKAGES=python3,python3-venv,ca-certificates,udev,systemd,openssl
case "$PY" in
3.10 | 3.12) SUITE=bookworm PACKAGES+=,libc6-dev,libssl-dev,zlib1g-dev,libffi-dev,libbz2-dev,liblzma-dev,libsqlite3-dev ;;
3.11) SUITE=bookworm ;;
3.13) SUITE=trixie ;;
*) echo "'$PY' is no Python that is proved; write 3.10, 3.11, 3.12 or 3.13" >&2 && exit 2 ;;
esac
TAG="cp${PY/./}" NAME="py${PY/./}"
WHEELS="$REPO/wheelhouse/$TAG-aarch64"
TEST_WHEELS="$REPO/wheelhouse/tests-$TAG"
FRAMES=4
ARM="$WORK/$NAME-arm64"
# A Jetson Orin has Cortex-A78AE cores; this is the nearest that qemu 7.2 emulates.
export QEMU_CPU=cortex-a76 LC_ALL=C.UTF-8

binfmt() {
    local entry=/proc/sys/fs/binfmt_misc
    [ -e "$entry/register" ] || mount -t binfmt_misc binfmt_misc "$entry"
    [ -e "$entry/qemu-aarch64" ] && return
    printf '%s' ':qemu-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F' >"$entry/register"
}

root() {
    [ -e "$ARM/.made" ] && return
    mkdir -p "$WORK"
    debootstrap --arch=arm64 --foreign --variant=minbase \
        --include="$PACKAGES" "$SUITE" "$ARM" http://deb.debian.org/debian
    chroot "$ARM" /debootstrap/debootstrap --second-stage
    case "$PY" in 3.10 | 3.12) "$HERE/python_aarch64.sh" "$WORK" "$PY" "$ARM" ;; esac
    touch "$ARM/.made"
}

# Nothing of this machine's environment: a PIP_FIND_LINKS here would otherwise be looked at there.
there() {
    chroot "$ARM" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LC_ALL="$LC_ALL" \
        QEMU_CPU="$QEMU_CPU" OMP_NUM_THREADS=1 "$@"
}

say() { echo "### $* ($(date -u +%H:%M:%S))"; }

binfmt
root
trap 'umount "$ARM/proc" "$ARM/sys"' EXIT
mountpoint -q "$ARM/proc" || mount -t proc proc "$ARM/proc"
# OpenVINO's CPU plugin reads the cores' topology there. Without it a run ended in a segmentation fault once; the cause is not known.
mountpoint -q "$ARM/sys" || mount -t sysfs -o ro sysfs "$ARM/sys"
rm -rf "$ARM/stick" && mkdir "$ARM/stick"
git -C "$REPO" ls-files -z | tar -C "$REPO" --null -T - -cf - | tar -C "$ARM/stick" -xf -
cp -r "$WHEELS" "$ARM/stick/wheels"
cp -r "$TEST_WHEELS" "$ARM/stick/test-wheels"

say "$(there python3 -c 'import platform; print(platform.machine(), "Python", platform.python_version(), *platform.libc_ver())')"
say "install.sh"
there /stick/jetson/install.sh --wheels /stick/wheels --no-apt
say "install.sh again changes nothing"
there /stick/jetson/install.sh --wheels /stick/wheels --no-apt | tee "$WORK/$NAME-again.log"
grep -q "a slot is installed already" "$WORK/$NAME-again.log"
say "doctor"
there echoedge doctor --target jetson --json >"$WORK/$NAME-doctor.json"
grep -A1 '"module"\|"CPU inference"\|"models"\|"slots"' "$WORK/$NAME-doctor.json"
say "run: the first $FRAMES frames of the SonoSite loop"
there /opt/echoedge/current/venv/bin/python - <<PY
from pydicom import dcmread
from pydicom.examples import get_path
loop = dcmread(get_path("ybr_color"))
loop.PixelData = loop.pixel_array[:$FRAMES].tobytes()
loop.NumberOfFrames = $FRAMES
loop.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
loop.PhotometricInterpretation = "RGB"
loop.save_as("/root/loop.dcm")
PY
there echoedge run /root/loop.dcm --backend openvino --view A4C --out /root/out --json >"$WORK/$NAME-run.json"
grep -E '"frames_processed"|"backend"|"precision"' "$WORK/$NAME-run.json"
say "tests marked portable"
there /opt/echoedge/current/venv/bin/python -m pip install --quiet --no-index --find-links /stick/test-wheels pytest hypothesis
# Beside the installed package, not beside the sources: what is tested is the wheel. CI=1: no deadlines under emulation.
mkdir "$ARM/stick/proof" && cp -r "$ARM/stick/tests" "$ARM/stick/pyproject.toml" "$ARM/stick/proof/"
# Named one by one: the other files import what no device has (onnxruntime), and would fail while they are collected.
mapfile -t PORTABLE < <(cd "$REPO" && grep -rl --include='*.py' 'pytest\.mark\.portable' tests | sort)
there sh -c "cd /stick/proof && CI=1 /opt/echoedge/current/venv/bin/python -m pytest -q -m portable -p no:cacheprovider ${PORTABLE[*]}"
say "uninstall"
there /stick/jetson/install.sh --uninstall --purge
test ! -e "$ARM/opt/echoedge" && test ! -e "$ARM/etc/systemd/system/echoedge.service"
say "proved"
