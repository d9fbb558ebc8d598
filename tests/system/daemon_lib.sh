# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Sourced by the tests of the daemon and the tools, after ring.sh: checks that say what they saw.

: "${ring_build:?}"
work=$(mktemp -d)

# Again after ring_up, which has traps of its own.
clean_up_at_exit() {
	trap daemon_cleanup EXIT
	trap 'exit 1' INT TERM HUP
}
clean_up_at_exit

# started NAME: the process that has just been started in the background ends with the test. It must not have been
# started through a function, whose shell would be the one that ends.
started() {
	echo "$!" >"$work/$1.pid"
}

daemon_cleanup() {
	for cleanup_pid in "$work"/*.pid "$work"/*/coronetd.pid; do
		[ ! -f "$cleanup_pid" ] || kill -KILL "$(cat "$cleanup_pid")" 2>/dev/null
	done
	rm -rf "$work"
	if [ -n "$ring_dir" ]; then
		ring_down
	fi
}

fail() {
	echo "FAIL: $*" >&2
	[ ! -s "$work/out" ] || sed 's/^/  said: /' "$work/out" >&2
	if [ -n "$ring_dir" ]; then
		ring_fail "see above"
	fi
	exit 1
}

# run STATUS COMMAND...: runs it, its output goes to $work/out, and it has to exit with STATUS.
run() {
	run_expected=$1
	shift
	run_status=0
	"$@" >"$work/out" 2>&1 </dev/null || run_status=$?
	[ "$run_status" -eq "$run_expected" ] ||
		fail "$* exits with $run_status, not $run_expected"
}

# says TEXT: the last command said it; says_not TEXT.
says() {
	grep -qF -e "$1" "$work/out" || fail "nobody says: $1"
}

says_not() {
	! grep -qF -e "$1" "$work/out" || fail "somebody says: $1"
}

# until_true SECONDS COMMAND...: waits for it to succeed.
until_true() {
	until_left=$(($1 * 20))
	shift
	until "$@"; do
		until_left=$((until_left - 1))
		[ "$until_left" -gt 0 ] || return 1
		sleep 0.05
	done
}

# nothing_left DIRECTORY: no socket and no lock of a daemon in it.
nothing_left() {
	if [ -e "$1/coronetd.pid" ] || [ -e "$1/cpg.sock" ]; then
		fail "left behind: $(ls "$1")"
	fi
}

# logs I TEXT: node I has logged it.
logs() {
	grep -qF -e "$2" "$ring_dir/node$1.log"
}

wait_log() {
	until_true 10 logs "$1" "$2" || fail "node $1 does not log: $2"
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

node_pid() {
	cat "$ring_dir/node$1.pid"
}

# One fact of node I's status: a number or a word, by its name.
fact() {
	node "$1" "$ring_build/coronet-status" --json 2>/dev/null | tr -s ',{}[]' '[\n*]' |
		sed -n "s/^\"$2\":\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" | head -n 1
}

fact_is() {
	[ "$(fact "$1" "$2")" = "$3" ]
}
