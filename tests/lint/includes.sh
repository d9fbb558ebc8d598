#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The include law (docs/LAYERS); quoted includes name files of this tree; a source includes its own header
# first.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

tree_files >"$work/tree"
c_files >"$work/list"
[ -s "$work/list" ] || complain "no C file found"
xargs awk -f "$here/strip.awk" <"$work/list" >"$work/code" || exit 99
# Programs have no header of their own.
sed -n 's/^\([^:]*\):[0-9]*:\(int \)*main(.*/\1/p' "$work/code" | sort -u >"$work/mains"
awk -f "$here/includes.awk" "$work/tree" docs/LAYERS "$work/mains" "$work/code" >>"$work/faults" || exit 99
finish "$(wc -l <"$work/list") files keep to docs/LAYERS"
