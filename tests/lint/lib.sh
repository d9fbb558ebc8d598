# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
# What the lint scripts share: the root of the tree they judge, its list of files, and how to complain.
# A script sources this, calls complain for each fault and ends with finish.

here=$(cd "$(dirname "$0")" && pwd)
root=${LINT_ROOT:-${top_srcdir:-$(cd "$here/../.." && pwd)}}
cd "$root" || exit 99
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
: >"$work/faults"

# complain TEXT: report a fault; also from a subshell.
complain()
{
	printf '%s\n' "$*" >>"$work/faults"
}

# finish TEXT: show the faults and end; TEXT says what was looked at when there is none.
finish()
{
	[ -e "$work/faults" ] || exit 99
	if [ -s "$work/faults" ]; then
		sort -u "$work/faults"
		exit 1
	fi
	echo "$*"
	exit 0
}

skip()
{
	echo "skipped: $*"
	exit 77
}

# tree_files: every file of the tree that people write, one path per line. Builds inside the tree, files that
# autotools generate and what git ignores are left out.
tree_files()
{
	if [ -e .git ] && command -v git >/dev/null 2>&1 && git rev-parse --git-dir >/dev/null 2>&1; then
		git -c safe.directory="$root" ls-files --cached --others --exclude-standard |
			while IFS= read -r file; do
				if [ -e "$file" ]; then
					printf '%s\n' "$file"
				fi
			done
	else
		find . -type f ! -path './build*' ! -path './autom4te.cache/*' ! -path './.git/*' \
			! -path './m4/l*' ! -name configure ! -name aclocal.m4 ! -name 'config.h*' \
			! -name Makefile.in ! -name '*.o' ! -name '*.lo' | sed 's,^\./,,'
	fi | sort
}

# c_files: the C sources and headers among them.
c_files()
{
	tree_files | grep '\.[ch]$'
}

# shell_files: the shell scripts, known by suffix or by first line.
shell_files()
{
	tree_files | while IFS= read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*.*) ;;
		*) if head -n 1 "$file" | LC_ALL=C grep -aqE '^#!.*/(env )?(ba|da)?sh( |$)'; then echo "$file"; fi ;;
		esac
	done
}
