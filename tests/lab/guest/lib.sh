# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the helpers in guest/bin share. They run inside the guest only.
set -u

: "${LAB_STATE?this helper works inside tests/lab/run only}"

helper=${0##*/}

say() {
	printf '%s: %s\n' "$helper" "$*" >&2
}

die() {
	say "$@"
	exit 1
}

# Usage text as its own shell words; the exit status is that of wrong usage.
usage() {
	printf 'usage: %s %s\n' "$helper" "$*" >&2
	exit 2
}

is_number() {
	[[ $1 =~ ^[0-9]{1,6}$ ]]
}

need_node() {
	is_number "$1" && ((10#$1 >= 1 && 10#$1 <= LAB_NODES)) ||
		die "there is no node '$1'; this lab has nodes 1 to $LAB_NODES"
}

# wait_until SECONDS COMMAND...: runs COMMAND until it succeeds; fails when the time is up.
wait_until() {
	local until=$((SECONDS + $1))
	shift
	while ! "$@"; do
		((SECONDS < until)) || return 1
		sleep 0.2
	done
}

# Text of EXTRA_CONF: the content of a file of that name, or else the words themselves, in which a bracket or a
# semicolon may stand where the grammar wants the end of a line.
extra_conf() {
	if [[ -f $1 ]]; then
		cat "$1"
	elif [[ -n $1 ]]; then
		printf '%s\n' "$1" | sed 's/[{;]/&\n/g; s/}/\n}\n/g' | tr -d ';'
	fi
}

# supervise NAME COMMAND...: starts COMMAND in the background with its output in NAME.log, its process id in
# NAME.pid and, when it has ended, its exit status in NAME.status.
supervise() {
	local name=$LAB_STATE/$1
	shift
	rm -f "$name.pid" "$name.status"
	(
		"$@" &
		echo $! >"$name.pid.new"
		mv "$name.pid.new" "$name.pid"
		wait $!
		echo $? >"$name.status"
	) </dev/null >>"$name.log" 2>&1 &
	disown
	wait_until 10 test -s "$name.pid" || die "${name##*/} was not started"
}

# Process id of what runs under NAME; fails when it has ended or never ran.
supervised_pid() {
	local name=$LAB_STATE/$1
	[[ -s $name.pid && ! -s $name.status ]] && cat "$name.pid"
}

supervised_ended() {
	! supervised_pid "$1" >/dev/null
}

any_ended() {
	local name
	for name in "$@"; do
		! supervised_ended "$name" || return 0
	done
	return 1
}

# Where a process hangs: for each thread its state, what it waits for in the kernel, and how it came there.
process_stacks() {
	local task
	for task in /proc/"$1"/task/*; do
		say "thread ${task##*/}: $(grep '^State' "$task/status"), in $(cat "$task/wchan"), system call $(cat "$task/syscall")"
		sed 's/^/    /' "$task/stack" >&2
	done
	if command -v gdb >/dev/null; then
		timeout 60 gdb -p "$1" -batch -ex 'thread apply all backtrace' 2>/dev/null | grep '^[#T]' >&2
	fi
}

# Ends what runs under each NAME: asks first, and kills (and fails) after so many seconds.
supervised_stop() {
	local seconds=$1 name pid failed=0
	shift
	for name in "$@"; do
		! pid=$(supervised_pid "$name") || kill -TERM "$pid"
	done
	for name in "$@"; do
		if ! wait_until "$seconds" supervised_ended "$name"; then
			say "$name did not end within $seconds s after SIGTERM; killing it"
			process_stacks "$(supervised_pid "$name")"
			kill -KILL "$(supervised_pid "$name")"
			failed=1
		fi
	done
	return "$failed"
}

log_tail() {
	printf -- '--- last lines of %s\n' "$LAB_STATE/$1.log" >&2
	tail -n "${2:-15}" "$LAB_STATE/$1.log" >&2
}
