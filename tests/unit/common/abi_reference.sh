#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Compares our public headers and libcorosync_common with the distribution's: the same program is
# compiled against both, and the outputs must be equal; every macro of theirs must be one of ours.
# Skipped (77) where corosync's development files are not installed.
set -eu

: "${CC:=cc}"
top=${top_srcdir:-$(cd "$(dirname "$0")/../../.." && pwd)}
theirs=${REFERENCE_INCLUDE:-/usr/include}
facts=$top/tests/unit/common/abi_facts.c

skip()
{
	echo "skipped: $*"
	exit 77
}

for header in cpg corotypes corodefs; do
	[ -r "$theirs/corosync/$header.h" ] ||
		skip "no $theirs/corosync/$header.h (Debian: libcpg-dev, libcorosync-common-dev)"
done
if grep -q Coronet "$theirs/corosync/cpg.h"; then
	skip "$theirs/corosync/cpg.h is our own: Coronet is installed there"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The program links with the files of the common room, not with a library, so that no search path
# can bring in the wrong one.
$CC -std=gnu11 -I"$top/include" -o "$work/ours" "$facts" "$top/src/common/cs_error.c"
"$work/ours" >"$work/ours.txt"

$CC -std=gnu11 -isystem "$theirs" -o "$work/theirs" "$facts" -l:libcorosync_common.so.4 \
	2>"$work/link.txt" || {
	cat "$work/link.txt"
	grep -q 'cannot find -l' "$work/link.txt" && skip "no libcorosync_common.so.4 to link with"
	echo "the facts do not compile against $theirs/corosync" >&2
	exit 1
}
"$work/theirs" >"$work/theirs.txt"

diff -u "$work/theirs.txt" "$work/ours.txt" || {
	echo "the headers disagree: - theirs, + ours" >&2
	exit 1
}

# macros DIR: names of the macros that the headers below DIR/corosync define themselves.
macros()
{
	printf '#include <corosync/%s.h>\n' cpg corotypes corodefs >"$work/all.c"
	$CC -std=gnu11 -isystem "$1" -E -dD "$work/all.c" |
		awk '/^# [0-9]+ "/ { own = index($3, "/corosync/") }
		     /^#define / && own { sub(/\(.*/, "", $2); print $2 }' | sort -u
}

macros "$theirs" >"$work/theirs.txt"
macros "$top/include" >"$work/ours.txt"
[ -s "$work/theirs.txt" ] || { echo "found no macro in $theirs/corosync" >&2; exit 1; }
missing=$(comm -23 "$work/theirs.txt" "$work/ours.txt")
[ -z "$missing" ] || { echo "macros that ours lack: $missing" >&2; exit 1; }
echo "equal: $(wc -l <"$work/theirs.txt") macros, and all facts of abi_list.h"
