#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Whoever follows only the README, or runs ./demo first, gets what a build needs: what tests/packages lists for it.
top=${top_srcdir:-.}
status=0
while read -r group package; do
	[ "$group" = build ] || continue
	grep -Eq "^(needs=')?[^ ]+ $package'?\$" "$top/demo" || {
		echo "demo: does not look for $package"
		status=1
	}
	case $package in
	lib*-dev)
		[ "$package" = libc6-dev ] || grep -q "apt-get install .* $package " "$top/README.md" || {
			echo "README.md: does not install $package"
			status=1
		}
		;;
	esac
done <"$top/tests/packages"
exit $status
