# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the lab's host side says, and how it becomes root when it must install something.

# Exit codes of the lab itself; every other code is COMMAND's own.
LAB_EXIT_HANG=124
LAB_EXIT_KERNEL=125
LAB_EXIT_BROKEN=126

say() {
	printf 'lab: %s\n' "$*" >&2
}

explain() {
	if ((opt_verbose)); then
		say "$(printf '%5d ms  ' $(((${EPOCHREALTIME/[.,]/} - start_us) / 1000)))$*"
	fi
}

die() {
	say "$@"
	exit "$LAB_EXIT_BROKEN"
}

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this needs root and there is no sudo; run as root: $*"
	fi
}
