#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The man pages are clean for mandoc at its warning level, name themselves as their file is called, and refer only
# to pages of ours that exist. Skipped (77) without mandoc.
set -eu

top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top/docs/man"
command -v mandoc >/dev/null || { echo "skipped: no mandoc (Debian: mandoc)"; exit 77; }

status=0
complain()
{
	echo "$*" >&2
	status=1
}

count=0
for page in *.[0-9]; do
	count=$((count + 1))
	name=${page%.*}
	section=${page##*.}
	# A page that only leads to another, which must tell of it.
	target=$(sed -n "s,^\.so man$section/,,p" "$page")
	if [ -n "$target" ]; then
		grep -qxE "\.Nm $name( ,)?" "$target" || complain "$page: leads to $target, which does not name it"
		continue
	fi
	mandoc -Tlint -W warning "$page" || complain "$page: see above"
	grep -qi "^\.Dt $name $section\$" "$page" || complain "$page: .Dt names another page"
	grep -qxE "\.Nm $name( ,)?" "$page" || complain "$page: no .Nm $name in it"
	# Other systems' pages are theirs; names that begin like ours must exist.
	sed -n 's/^\.Xr \([^ ]*\) \([0-9]\).*/\1.\2/p' "$page" | sort -u | while read -r ref; do
		case $ref in
		cpg_*|cs_*|qb_to_cs_*|hdb_error_*|coronet*) [ -e "$ref" ] || echo "$ref" ;;
		esac
	done >"${TMPDIR:-/tmp}/man_lint.$$"
	while read -r ref; do
		complain "$page: refers to $ref, which does not exist"
	done <"${TMPDIR:-/tmp}/man_lint.$$"
	rm -f "${TMPDIR:-/tmp}/man_lint.$$"
done
[ "$count" -gt 20 ] || complain "only $count pages found"
[ "$status" -ne 0 ] || echo "$count pages"
exit "$status"
