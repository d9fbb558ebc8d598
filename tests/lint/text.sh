#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every source names its licence in its first lines and says in a comment what it is; nobody leaves notes to
# self, blanks at line ends, conflict marks, or links to files that are not there.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

notes='TO''DO|FIX''ME|XX''X'
count=0
tree_files >"$work/list"
while IFS= read -r file; do
	case $file in
	*.c | *.h) head -n 1 "$file" | grep -qxF '/* SPDX-License-Identifier: BSD-3-Clause */' ||
		complain "$file: the first line is not the licence: /* SPDX-License-Identifier: BSD-3-Clause */"
		sed -n 2p "$file" | grep -q '^/\*' || complain "$file: the second line begins no comment on what the file is" ;;
	*.sh | *.ac | *.am | *.inc | *.m4 | *.awk | *.mk | *.conf) head -n 3 "$file" |
		grep -qF 'SPDX-License-Identifier: BSD-3-Clause' ||
		complain "$file: no SPDX-License-Identifier in its first three lines" ;;
	LICENSE | *.md | *.map | *.pc.in) ;;
	*.[1-9]) head -n 3 "$file" | grep -qF 'SPDX-License-Identifier: BSD-3-Clause' ||
		complain "$file: no SPDX-License-Identifier in its first three lines" ;;
	*) if head -n 1 "$file" | LC_ALL=C grep -aq '^#!'; then
		head -n 3 "$file" | grep -qF 'SPDX-License-Identifier: BSD-3-Clause' ||
			complain "$file: no SPDX-License-Identifier in its first three lines"
	fi ;;
	esac
	LC_ALL=C grep -qI . "$file" 2>/dev/null || continue
	count=$((count + 1))
	grep -nwE "$notes" "$file" | sed "s|^|$file:|; s|\$| <- a note to self|" >>"$work/faults"
	grep -nE '^(<<<<<<<|>>>>>>>) ' "$file" | sed "s|^|$file:|; s|\$| <- a conflict mark|" >>"$work/faults"
	case $file in
	*.patch | *.md) ;;
	*) grep -nE '[ 	]+$' "$file" | sed "s|^\([0-9]*\):.*|$file:\1: blanks at the end of the line|" >>"$work/faults" ;;
	esac
	case $file in
	*.md)
		grep -oE '\]\([^)#: ]+' "$file" | sed 's/^](//' | while IFS= read -r target; do
			[ -e "$(dirname "$file")/$target" ] || complain "$file: links to $target, which does not exist"
		done
		;;
	esac
done <"$work/list"
finish "$count texts"
