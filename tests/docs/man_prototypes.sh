#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The section 3 pages say what the headers say. Every function that a header declares has a page; the
# prototype of its SYNOPSIS compiles next to the header's, so both are the same; the declarations that a
# page shows stand in the header; the example programs compile.
set -eu

: "${CC:=cc}"
top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
man=$top/docs/man
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

complain()
{
	echo "$*" >&2
	status=1
}

# functions HEADER: the names of the functions it declares itself.
functions()
{
	printf '#include <%s>\n' "$1" >"$work/one.c"
	$CC -std=gnu11 -I"$top/include" -E "$work/one.c" |
		awk -v own="/$1" '/^# [0-9]+ "/ { on = index($3, own); next } on' |
		sed -n 's/^\(cs_error_t\|const char \*\) *\([a-z_]*\)(.*/\2/p'
}

# page FUNCTION: the name of the page that tells of it, following the page that only leads to another.
page()
{
	target=$(sed -n 's,^\.so man3/,,p' "$man/$1.3")
	echo "${target:-$1.3}"
}

# prototypes PAGE: the prototypes of its SYNOPSIS as C.
prototypes()
{
	awk '/^\.Sh / { on = ($2 == "SYNOPSIS") }
	     !on { next }
	     /^\.In / { printf "#include <%s>\n", $2 }
	     /^\.Ft / { sub(/^\.Ft /, ""); type = $0 }
	     /^\.Fn / { name = $2; sub(/^\.Fn [^ ]* /, ""); gsub(/"/, "")
			printf "%s %s(%s);\n", type, name, $0 }
	     /^\.Fo / { line = type " " $2 "("; comma = "" }
	     /^\.Fa / { sub(/^\.Fa "/, ""); sub(/"$/, ""); line = line comma $0; comma = ", " }
	     /^\.Fc/ { print line ");" }' "$1"
}

# literal PAGE: writes its literal blocks, unescaped, to block.1.c, block.2.c...
literal()
{
	sed 's/\\e/\\/g' "$1" | awk -v out="$work/block." '
		/^\.Bd -literal/ { file = out (++n) ".c"; next }
		/^\.Ed/ { file = ""; next }
		file { print > file }'
}

# squeeze: C without comments and white space.
squeeze()
{
	tr '\n' ' ' | sed 's:/\*:\x01:g; s:\*/:\x02:g; s:\x01[^\x02]*\x02::g' | tr -d ' \t'
}

count=0
for header in corosync/cpg.h corosync/corotypes.h coronet/cpg.h; do
	for function in $(functions "$header"); do
		count=$((count + 1))
		[ -r "$man/$function.3" ] || { complain "$header: no page for $function"; continue; }
		prototypes "$man/$(page "$function")" >"$work/page.c"
		grep -q "[ *]$function(" "$work/page.c" ||
			complain "$function.3: no prototype of $function in its SYNOPSIS"
		grep -q "^#include <$header>" "$work/page.c" ||
			complain "$function.3: does not name $header"
		$CC -std=gnu11 -Wall -Wextra -Werror -I"$top/include" -fsyntax-only "$work/page.c" ||
			complain "$function.3: its prototype is not that of $header"
	done
done
[ "$count" -eq 30 ] || complain "$count functions in the headers, 20, 3 and 7 expected"

cat "$top/include/corosync/cpg.h" "$top/include/coronet/cpg.h" | squeeze >"$work/header"
blocks=0
programs=0
for page in "$man"/*.3; do
	literal "$page"
	for block in "$work"/block.*.c; do
		[ -e "$block" ] || continue
		if grep -q '^main(' "$block"; then
			programs=$((programs + 1))
			$CC -std=gnu11 -Wall -Wextra -Werror -I"$top/include" -fsyntax-only "$block" ||
				complain "${page##*/}: its example does not compile"
		elif grep -q '^\(typedef\|struct\) ' "$block"; then
			blocks=$((blocks + 1))
			# Layout is the page's own; names, types and order are not.
			grep -qF -e "$(squeeze <"$block")" "$work/header" ||
				complain "${page##*/}: shows a declaration that no cpg.h has:
$(cat "$block")"
		fi
	done
	rm -f "$work"/block.*
done
[ "$blocks" -ge 8 ] || complain "only $blocks declarations found in the pages"
[ "$programs" -ge 1 ] || complain "no example program found"
[ "$status" -ne 0 ] || echo "$count prototypes, $blocks declarations, $programs programs"
exit "$status"
