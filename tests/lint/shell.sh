#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tool shellcheck has nothing to say about our shell scripts. Not asked for: opinions on "A && B || C", and
# guesses about which functions are never called.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

command -v shellcheck >/dev/null 2>&1 || skip "no shellcheck (Debian: shellcheck)"
shell_files >"$work/list"
[ -s "$work/list" ] || complain "no shell script found"
xargs shellcheck -x -P SCRIPTDIR -e SC2015,SC2317 -f gcc <"$work/list" >>"$work/faults" 2>&1
finish "$(wc -l <"$work/list") shell scripts are clean"
