#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# clang-format 14 would change nothing. Another version judges differently, so none other will do.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

tool=
for candidate in clang-format-14 clang-format; do
	if command -v $candidate >/dev/null 2>&1 && $candidate --version | grep -q 'version 14\.'; then
		tool=$candidate
		break
	fi
done
[ -n "$tool" ] || skip "no clang-format 14 (Debian: clang-format-14)"

c_files >"$work/list"
[ -s "$work/list" ] || complain "no C file found"
while IFS= read -r file; do
	"$tool" --style=file "$file" >"$work/formatted" || complain "$file: $tool failed"
	if ! diff -u "$file" "$work/formatted" >"$work/diff"; then
		complain "$file: $(grep -c '^[-+][^-+]' "$work/diff") lines differ: run $tool -i $file"
	fi
done <"$work/list"
finish "$(wc -l <"$work/list") files are as clang-format 14 would write them"
