#!/bin/sh
# Builds the C library in release mode and installs it with its header and pkg-config file:
#     bindings/c/install.sh PREFIX
set -eu
prefix=${1:?usage: install.sh PREFIX}
mkdir -p "$prefix/include" "$prefix/lib/pkgconfig"
prefix=$(cd "$prefix" && pwd)
cd "$(dirname "$0")/../.."
cargo build --release --package rustdb-c
version=$(cargo pkgid --package rustdb-c | sed 's/.*[#@]//')
built=${CARGO_TARGET_DIR:-target}/release

install -m 644 include/rustdb.h "$prefix/include/rustdb.h"
install -m 644 "$built/librustdb_c.a" "$prefix/lib/librustdb.a"
if [ -f "$built/librustdb_c.dylib" ]; then
    install -m 755 "$built/librustdb_c.dylib" "$prefix/lib/librustdb.dylib"
else
    install -m 755 "$built/librustdb_c.so" "$prefix/lib/librustdb.so.$version"
    ln -sf "librustdb.so.$version" "$prefix/lib/librustdb.so.0"
    ln -sf librustdb.so.0 "$prefix/lib/librustdb.so"
fi
cat > "$prefix/lib/pkgconfig/rustdb.pc" <<EOF
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: rustdb
Description: An embedded relational database
Version: $version
Libs: -L\${libdir} -lrustdb
Libs.private: -lpthread -ldl -lm
Cflags: -I\${includedir}
EOF
echo "installed RustDB $version in $prefix"
