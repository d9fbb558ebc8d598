# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Sourced by system tests: a ring of daemons over shared memory in a temporary directory.
#   ring_up N [EXTRA]   N daemons, EXTRA lines appended to their configuration; waits until they are one ring
#   node I COMMAND...   runs COMMAND as a client of node I
#   start_node I / kill_node I [SIGNAL]
#   ring_down           ends all of them; called on exit too
# The build directory is the current one, as in make check. In the soft-RoCE lab RING_NETWORK=10.50.0. puts node I
# at 10.50.0.I, over RDMA. With RING_KEYFILE=FILE the ring is protected by that key.

ring_build=${top_builddir:-$PWD}
ring_dir=

ring_fail() {
	for log in "$ring_dir"/node*.log; do
		[ -s "$log" ] && { echo "--- ${log##*/}" >&2; tail -n 20 "$log" >&2; }
	done
	echo "FAIL: $*" >&2
	exit 1
}

ring_config() {
	printf 'totem {\n\tversion: 2\n\tcluster_name: test-%s\n' "$$"
	if [ -n "${RING_NETWORK-}" ]; then
		printf '\ttransport: rdma\n\ttoken: 3000\n}\n'
	else
		printf '\ttransport: shm\n\ttoken: 1000\n}\n'
	fi
	[ -z "${RING_KEYFILE-}" ] || printf 'totem {\n\tsecauth: on\n\tkeyfile: %s\n}\n' "$RING_KEYFILE"
	printf 'logging {\n\tto_stderr: yes\n\tto_syslog: no\n\ttimestamp: hires\n}\nnodelist {\n'
	for ring_i in $(seq "$1"); do
		printf '\tnode {\n\t\tname: node%d\n\t\tnodeid: %d\n' "$ring_i" "$ring_i"
		[ -z "${RING_NETWORK-}" ] || printf '\t\tring0_addr: %s%d\n' "$RING_NETWORK" "$ring_i"
		printf '\t}\n'
	done
	printf '}\n%s\n' "$2"
}

start_node() {
	"$ring_build/coronetd" -f -c "$ring_dir/coronet.conf" --node "node$1" \
		--run-dir "$ring_dir/node$1" >>"$ring_dir/node$1.log" 2>&1 &
	echo "$!" >"$ring_dir/node$1.pid"
}

kill_node() {
	kill -"${2:-KILL}" "$(cat "$ring_dir/node$1.pid")"
}

node() {
	ring_i=$1
	shift
	CORONET_RUN_DIR="$ring_dir/node$ring_i" "$@"
}

# Node $1 is in a ring of $2 members.
ring_has() {
	node "$1" "$ring_build/coronet-status" --json 2>/dev/null |
		tr -d ' \n' | grep -q "\"members_count\":$2[,}]"
}

wait_for_ring() {
	ring_left=200
	for ring_i in $(seq "$1"); do
		until ring_has "$ring_i" "$1"; do
			ring_left=$((ring_left - 1))
			[ "$ring_left" -gt 0 ] || ring_fail "no ring of $1 nodes"
			sleep 0.1
		done
	done
}

ring_up() {
	ring_dir=$(mktemp -d)
	trap ring_down EXIT
	trap 'exit 1' INT TERM
	ring_config "$1" "${2:-}" >"$ring_dir/coronet.conf"
	for ring_i in $(seq "$1"); do
		start_node "$ring_i"
	done
	wait_for_ring "$1"
}

ring_down() {
	for ring_pid in "$ring_dir"/node*.pid; do
		[ -f "$ring_pid" ] && kill -KILL "$(cat "$ring_pid")" 2>/dev/null
	done
	wait 2>/dev/null
	# A call that the filter lacks may pass unnoticed otherwise.
	ring_refused=$(cat "$ring_dir"/node*.log 2>/dev/null | grep "system call .* was refused")
	rm -rf "$ring_dir"
	[ -z "$ring_refused" ] || { echo "FAIL: $ring_refused" >&2; exit 1; }
}
