# SPDX-License-Identifier: BSD-3-Clause
# Blanks comments and the contents of strings and character constants in C, so that what is left is code.
# Lines keep their numbers. Preprocessor lines keep their strings: an include's name is one.
FNR == 1 { in_comment = 0 }
{
	line = $0
	out = ""
	keep = !in_comment && line ~ /^[ \t]*#[ \t]*include/
	n = length(line)
	for (i = 1; i <= n; i++) {
		c = substr(line, i, 1)
		two = substr(line, i, 2)
		if (in_comment) {
			if (two == "*/") {
				in_comment = 0
				i++
			}
			continue
		}
		if (two == "/*") {
			in_comment = 1
			out = out " "
			i++
		} else if (two == "//") {
			break
		} else if ((c == "\"" || c == "'") && !keep) {
			out = out c
			for (i++; i <= n; i++) {
				d = substr(line, i, 1)
				if (d == "\\") {
					i++
				} else if (d == c) {
					break
				}
			}
			out = out c
		} else {
			out = out c
		}
	}
	print FILENAME ":" FNR ":" out
}
