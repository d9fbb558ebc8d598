#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every option that a program's --help shows is on its page, and the page shows no other. Programs that
# are not built are named; skipped (77) when none is.
set -eu

top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${top_builddir:-.}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
checked=0

# Options as words, -f or --node. In --help each has a line: blanks, its names, two blanks, what it does.
helped()
{
	"$build/$1" --help >"$work/help" 2>&1 || { cat "$work/help"; return 1; }
	# Of the lines that begin with an option, the part before the description.
	sed -n 's/^ *\(-.*\)/\1/p' "$work/help" | sed 's/  .*//' |
		grep -o -E -e '--?[A-Za-z][A-Za-z-]*' | sort -u >"$work/helped"
}

# The options of the list in DESCRIPTION: the .It Fl lines.
paged()
{
	sed -n 's/^\.It Fl //p' "$top/docs/man/$1.8" | sed 's/ , Fl /\n/g' | awk '{ print $1 }' |
		sed 's/\\-/-/g; s/^/-/' | sort -u >"$work/paged"
}

for program in coronetd coronet-bench coronet-cpgtool coronet-keygen coronet-status; do
	if [ ! -x "$build/$program" ]; then
		echo "$program: not built"
		continue
	fi
	checked=$((checked + 1))
	helped "$program" || { echo "$program: --help fails" >&2; status=1; continue; }
	paged "$program"
	if [ ! -s "$work/helped" ] || [ ! -s "$work/paged" ]; then
		echo "$program: no options found" >&2
		status=1
	fi
	diff -u "$work/paged" "$work/helped" >"$work/diff" || {
		echo "$program: - options only on the page, + options only in --help" >&2
		sed -n '3,$p' "$work/diff" | grep '^[-+]' >&2
		status=1
	}
done
[ "$checked" -gt 0 ] || { echo "skipped: no program is built"; exit 77; }
exit "$status"
