#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every header compiles alone, twice in a row; the installed ones in C99 and in C++ as well.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

: "${CC:=cc}"
flags="-fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -Isrc -Itransport -I."
# shellcheck disable=SC2086 # CC and flags are lists
compile()
{
	header=$1
	shift
	printf '#include "%s"\n#include "%s"\n' "$root/$header" "$root/$header" >"$work/alone.c"
	"$@" $flags "$work/alone.c" >"$work/errors" 2>&1 ||
		complain "$header: does not compile alone with $*
$(head -n 5 "$work/errors")"
}

cxx=
for candidate in c++ g++ clang++ clang++-14; do
	if command -v $candidate >/dev/null 2>&1; then
		cxx=$candidate
		break
	fi
done

count=0
for header in $(c_files | grep -E '^(include|src|transport)/.*\.h$'); do
	case $header in
	transport/verbs/*) [ "${BUILD_VERBS:-yes}" = yes ] || continue ;;
	esac
	count=$((count + 1))
	# shellcheck disable=SC2086
	compile "$header" $CC -std=gnu11 -x c
	case $header in
	include/*)
		# shellcheck disable=SC2086
		compile "$header" $CC -std=c99 -pedantic -x c
		if [ -n "$cxx" ]; then
			compile "$header" "$cxx" -std=c++11 -x c++
		fi
		;;
	esac
done
[ "$count" -gt 0 ] || complain "no header found"
finish "$count headers compile alone${cxx:+, the installed ones also with $cxx}"
