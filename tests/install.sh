#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Judges an installation: install.sh STAGE PREFIX, after "make install DESTDIR=STAGE" with that prefix. The
# files are where they belong, and a program is compiled and linked with nothing but them.
set -u

stage=$1
prefix=$2
status=0
: "${CC:=cc}"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

complain()
{
	echo "$*"
	status=1
}

for file in sbin/coronetd sbin/coronet-cpgtool sbin/coronet-keygen sbin/coronet-status bin/coronet-bench \
	lib/libcpg.so lib/libcpg.so.4 lib/libcpg.so.4.1.0 \
	lib/libcorosync_common.so lib/libcorosync_common.so.4 lib/libcorosync_common.so.4.0.0 \
	lib/pkgconfig/libcpg.pc lib/pkgconfig/libcorosync_common.pc \
	include/corosync/cpg.h include/corosync/corotypes.h include/corosync/corodefs.h \
	include/coronet/cpg.h share/man/man3/coronet_cpg_release.3 \
	share/man/man3/cpg_join.3 share/man/man5/coronet.conf.5 share/man/man8/coronetd.8 \
	lib/systemd/system/coronetd.service share/doc/coronet/coronet.conf.example share/doc/coronet/README.md \
	share/man/man8/coronet-bench.8 share/man/man8/coronet-cpgtool.8 share/man/man8/coronet-keygen.8 share/man/man8/coronet-status.8; do
	[ -e "$stage$prefix/$file" ] || complain "$prefix/$file is not installed"
done
find "$stage" ! -type d | grep -v "^$stage$prefix/" | sed 's/$/ is outside of the prefix/' >"$work/outside"
if [ -s "$work/outside" ]; then
	cat "$work/outside"
	status=1
fi
if find "$stage" -name '*.la' -newer "$0" -o -name 'libcoronet*' | grep libcoronet; then
	complain "an internal library is installed"
fi

cat >"$work/program.c" <<'END'
#include <stdio.h>

#include <corosync/corotypes.h>
#include <corosync/cpg.h>

int main(void)
{
	cpg_handle_t handle;

	return puts(cs_strerror(cpg_initialize(&handle, NULL))) < 0;
}
END
export PKG_CONFIG_PATH="$stage$prefix/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$stage"
flags=$(pkg-config --cflags --libs libcpg libcorosync_common) || complain "pkg-config does not find libcpg"
for module in libcpg libcorosync_common; do
	[ "$(pkg-config --variable=libdir $module)" = "$stage$prefix/lib" ] ||
		complain "$module.pc: libdir is $(pkg-config --variable=libdir $module)"
done
# shellcheck disable=SC2086 # lists of flags
if $CC -Wall -Wextra -Werror -o "$work/program" "$work/program.c" $flags -Wl,-rpath-link,"$stage$prefix/lib"; then
	said=$(LD_LIBRARY_PATH=$stage$prefix/lib CORONET_RUN_DIR=$work "$work/program")
	[ "$said" = CS_ERR_LIBRARY ] ||
		complain "cpg_initialize without a daemon gives \"$said\", not CS_ERR_LIBRARY"
else
	complain "a program does not build on what is installed"
fi
if command -v coronetd >/dev/null 2>&1; then
	echo "note: there is a coronetd on this machine's PATH as well"
fi
for program in sbin/coronetd sbin/coronet-cpgtool sbin/coronet-keygen sbin/coronet-status bin/coronet-bench; do
	if [ -x "$stage$prefix/$program" ]; then
		LD_LIBRARY_PATH=$stage$prefix/lib "$stage$prefix/$program" --help >"$work/help" 2>&1 ||
			complain "$program --help fails: $(head -n 3 "$work/help")"
	fi
done
[ $status -ne 0 ] || echo "installation is whole"
exit $status
