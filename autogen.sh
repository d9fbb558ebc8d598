#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Regenerates the build system: configure, Makefile.in and what they need. Nothing else.
set -e
cd "$(dirname "$0")"
mkdir -p build-aux m4
# Two runs at once would tear each other's files.
if command -v flock >/dev/null 2>&1; then
	exec flock m4/coronet.m4 autoreconf --install --warnings=all,no-obsolete
fi
exec autoreconf --install --warnings=all,no-obsolete
