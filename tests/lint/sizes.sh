#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Size limits: functions of 70 lines, sources of 700, headers of 250, blocks nested 4 deep, and no goto that
# jumps back. Public headers and tests may be longer than private headers and sources; functions may not.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

c_files >"$work/list"
[ -s "$work/list" ] || complain "no C file found"
xargs awk -f "$here/strip.awk" <"$work/list" >"$work/code" || exit 99
xargs wc -l <"$work/list" | awk '$2 != "total" { print $1, $2 }' >"$work/lines"

awk '$2 ~ /^(src|transport)\/.*\.c$/ && $1 > 700 { print $2 ": " $1 " lines, 700 are allowed" }
     $2 ~ /^(src|transport)\/.*\.h$/ && $1 > 250 { print $2 ": " $1 " lines, 250 are allowed" }' \
	"$work/lines" >>"$work/faults"

# A function opens with a brace in the first column and ends with one: the formatter sees to that.
awk -v functions="$work/functions" '
{
	colon = index($0, ":")
	file = substr($0, 1, colon - 1)
	rest = substr($0, colon + 1)
	colon = index(rest, ":")
	line = substr(rest, 1, colon - 1) + 0
	code = substr(rest, colon + 1)
}
file != last { last = file; body = 0 }
!body && code ~ /^[A-Za-z_].*\(/ && code !~ /;[ \t]*$/ {
	start = line
	name = code
	sub(/\(.*/, "", name)
	sub(/.*[^A-Za-z0-9_]/, "", name)
}
code ~ /^\{/ && file ~ /\.[ch]$/ { body = 1; depth = 0; deepest = 0; split("", labels) }
body {
	opens = gsub(/\{/, "{", code)
	closes = gsub(/\}/, "}", code)
	depth += opens - closes
	if (depth > deepest) {
		deepest = depth
		deepest_line = line
	}
	if (code ~ /^[A-Za-z_][A-Za-z0-9_]*:/) {
		label = code
		sub(/:.*/, "", label)
		labels[label] = 1
	}
	if (code ~ /(^|[^A-Za-z0-9_])goto[ \t]/) {
		label = code
		sub(/.*goto[ \t]+/, "", label)
		sub(/[^A-Za-z0-9_].*/, "", label)
		if (label in labels) {
			print file ":" line ": goto " label " jumps back"
		}
	}
}
body && code ~ /^\}/ {
	body = 0
	size = line - start + 1
	print size, file, name >functions
	if (size > 70) {
		print file ":" start ": " name " has " size " lines, 70 are allowed"
	}
	# The function itself is one level.
	if (deepest > 5) {
		print file ":" deepest_line ": " name " nests " deepest - 1 " blocks, 4 are allowed"
	}
}' "$work/code" >>"$work/faults"

# measure FILE: median and 90th percentile of its first column.
measure()
{
	sort -n "$1" | awk '{ v[NR] = $1 }
		END { if (NR) print "median " v[int((NR + 1) / 2)] ", p90 " v[int((NR * 9 + 9) / 10)] ", max " v[NR] }'
}

touch "$work/functions"
grep -E ' (src|transport)/' "$work/functions" >"$work/ours" || true
grep -E ' (src|transport)/.*\.c$' "$work/lines" >"$work/sources" || true
echo "functions: $(measure "$work/ours")"
echo "sources: $(measure "$work/sources")"
for room in src/totem src/pg src/store; do
	grep "^$room/" "$work/code" | awk -v room=$room '
		{ lines++ } /[^a-z_](check|assert)\(/ { checks++ }
		END { if (lines > 100) printf "%s: %d checks in 1000 lines (20 are a good number)\n", room,
			checks * 1000 / lines }'
done
finish "$(wc -l <"$work/functions") functions in $(wc -l <"$work/list") files"
