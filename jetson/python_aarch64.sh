#!/usr/bin/env bash
# Cross-build a Jetson's Python, which no Debian has, into an arm64 root: 3.10 as in JetPack 6, 3.12 as in JetPack 7, from the
# sources that their Ubuntu builds it from. It takes the place of the root's python3. Some minutes; the results are kept.
# Needs curl, xz-utils, gcc, make and gcc-aarch64-linux-gnu; the root holds the headers that are named in prove_aarch64.sh.
set -euo pipefail

WORK="$(realpath "${1:?usage: python_aarch64.sh WORK_FOLDER 3.10|3.12 ROOT}")"
PY="${2:?usage: python_aarch64.sh WORK_FOLDER 3.10|3.12 ROOT}"
ROOT="$(realpath "${3:?usage: python_aarch64.sh WORK_FOLDER 3.10|3.12 ROOT}")"
case "$PY" in
3.10) VERSION=3.10.12 SUM=afb74bf19130e7a47d10312c8f5e784f24e0527981eab68e20546cfb865830b8 ;;
3.12) VERSION=3.12.3 SUM=56bfef1fdfc1221ce6720e43a661e3eb41785dd914ce99698d8c7896af4bdaa1 ;;
*) echo "'$PY' is no Jetson's Python; write 3.10 or 3.12" >&2 && exit 2 ;;
esac
URL="http://archive.ubuntu.com/ubuntu/pool/main/p/python$PY/python${PY}_$VERSION.orig.tar.xz"
SOURCE="$WORK/Python-$VERSION" NATIVE="$WORK/native-$VERSION"

if [ ! -e "$SOURCE/configure" ]; then
    curl --fail --silent --show-error --output "$WORK/python-$VERSION.tar.xz" "$URL"
    echo "$SUM  $WORK/python-$VERSION.tar.xz" | sha256sum --check --quiet
    tar -C "$WORK" -xf "$WORK/python-$VERSION.tar.xz"
fi

# A cross-build runs parts of itself: by the same Python, built for this machine first.
if [ ! -x "$NATIVE/bin/python$PY" ]; then
    mkdir -p "$NATIVE/build" && cd "$NATIVE/build"
    "$SOURCE/configure" -q --prefix="$NATIVE" --without-ensurepip
    make -s -j"$(nproc)" >build.log 2>&1 && make -s install >install.log 2>&1
fi

# Debian's links to libraries begin at /, which leads the linker out of the root.
find "$ROOT/usr/lib/aarch64-linux-gnu" -maxdepth 1 -name '*.so' -lname '/lib/*' | while read -r link; do
    ln -sfn "$(basename "$(readlink "$link")")" "$link"
done

BUILD="$WORK/cross-$VERSION"
mkdir -p "$BUILD" && cd "$BUILD"
export PATH="$NATIVE/bin:$PATH" PKG_CONFIG_SYSROOT_DIR="$ROOT" PKG_CONFIG_LIBDIR="$ROOT/usr/lib/aarch64-linux-gnu/pkgconfig"
if [ ! -x python ]; then
    extra=()
    [ "$PY" = 3.10 ] || extra=(--with-build-python="$NATIVE/bin/python$PY") # 3.10 takes it from PATH
    "$SOURCE/configure" -q --host=aarch64-linux-gnu --build="$(gcc -dumpmachine)" --prefix=/usr --without-ensurepip \
        CC="aarch64-linux-gnu-gcc --sysroot=$ROOT" LDFLAGS="-L$ROOT/usr/lib/aarch64-linux-gnu" \
        ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no ac_cv_buggy_getaddrinfo=no "${extra[@]}"
    # 3.10 looks for ffi.h there alone, and pkg-config names the folder above.
    sed -i "s#^LIBFFI_INCLUDEDIR=.*#LIBFFI_INCLUDEDIR=$ROOT/usr/include/aarch64-linux-gnu#" Makefile
    make -s -j"$(nproc)" >build.log 2>&1
fi
make -s install DESTDIR="$ROOT" >install.log 2>&1
