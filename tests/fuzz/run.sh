#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs every fuzz target for a short while over its corpus (tests/fuzz/corpus/NAME). Long runs are made
# by hand: ./configure CC=clang --enable-fuzz --enable-sanitizers, then tests/fuzz/fuzz_NAME CORPUS.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"

if [ -z "${FUZZ_TARGETS:-}" ]; then
	echo "no fuzz target is built"
	exit 77
fi
failed=0
for program in $FUZZ_TARGETS; do
	name=${program##*/fuzz_}
	corpus=$top_srcdir/tests/fuzz/corpus/$name
	set --
	if [ -d "$corpus" ]; then
		set -- "$corpus"/*
	fi
	echo "== $name: $# corpus files"
	if [ "${ENABLE_FUZZ:-no}" = yes ]; then
		work=$(mktemp -d) || exit 99
		if [ $# -gt 0 ]; then
			cp "$@" "$work"
		fi
		"$top_builddir/$program" -seed=1 -max_total_time="${FUZZ_SECONDS:-10}" \
			-artifact_prefix="$top_builddir/tests/fuzz/" "$work"
		status=$?
		rm -rf "$work"
	else
		"$top_builddir/$program" "$@"
		status=$?
	fi
	if [ $status -ne 0 ]; then
		echo "== $name failed with status $status"
		failed=1
	fi
done
exit $failed
