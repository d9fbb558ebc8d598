# SPDX-License-Identifier: BSD-3-Clause
# Finds calls that a place may not make. Input: a table of rules (WHERE NAMES REASON, tab separated), then
# FILE:LINE:CODE lines from strip.awk.
FILENAME == ARGV[1] {
	if ($0 !~ /^#/ && NF) {
		split($0, column, "\t")
		rules++
		where[rules] = column[1]
		names[rules] = " " column[2] " "
		reason[rules] = column[3]
	}
	next
}
{
	colon = index($0, ":")
	file = substr($0, 1, colon - 1)
	rest = substr($0, colon + 1)
	colon = index(rest, ":")
	line = substr(rest, 1, colon - 1)
	code = substr(rest, colon + 1)
}
# Which function this is: its name stands in the first column's line before its brace.
code ~ /^[A-Za-z_].*\(/ && code !~ /;[ \t]*$/ {
	function_name = code
	sub(/\(.*/, "", function_name)
	sub(/.*[^A-Za-z0-9_]/, "", function_name)
}
{
	text = code
	while (match(text, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
		name = substr(text, RSTART, RLENGTH)
		sub(/[ \t]*\(/, "", name)
		before = RSTART > 1 ? substr(text, 1, RSTART - 1) : ""
		text = substr(text, RSTART + RLENGTH)
		# A member called through its struct is no call of the library's function.
		if (before ~ /(->|\.)[ \t]*$/) {
			continue
		}
		for (r = 1; r <= rules; r++) {
			if (file ~ where[r] && index(names[r], " " name " ") &&
			    !(reason[r] ~ /^only in constructors/ && function_name ~ /^make_|_(new|free|init|fini)$/)) {
				print file ":" line ": " name "(): " reason[r]
			}
		}
	}
}
