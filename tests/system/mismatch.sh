#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Daemons that do not belong to the ring: of another version, with a node id that is taken, of another cluster.
# Both sides say in their logs what is wrong, and the ring does not notice.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

# stranger NAME DAEMON ARGS...: a daemon beside those of the ring.
stranger() {
	stranger_name=$1
	shift
	mkdir -p "$work/$stranger_name"
	"$@" -f --run-dir "$work/$stranger_name" >"$work/$stranger_name.log" 2>&1 &
	started "$stranger_name"
}

stranger_says() {
	until_true 10 grep -qF -e "$2" "$work/$1.log" || fail "$1 does not say: $2: $(tail -n 5 "$work/$1.log")"
}

stranger_ends() {
	kill -TERM "$(cat "$work/$1.pid")" 2>/dev/null
	until_true 10 gone "$(cat "$work/$1.pid")" || fail "$1 does not end"
	wait "$(cat "$work/$1.pid")"
}

configurations() {
	grep -c "TOTEM.* ring .*: members" "$ring_dir/node$1.log"
}

# What 1 and 3 had installed before is what they have now, and messages pass.
undisturbed() {
	sleep 2
	[ "$(configurations 1)" -eq "$before" ] || fail "$1 disturbs the ring"
	run 0 node 1 "$ring_build/tests/system/overload" send 1 1000 200x mismatch
	run 0 node 3 "$ring_build/tests/system/overload" send 1 100000 20x mismatch
}

# refused NAME DAEMON CONFIGURATION WHY: as node 2, which node 1 dials, and which dials node 3. All three say why.
refused() {
	stranger "$1" "$2" -c "$3" --node node2
	stranger_says "$1" "$4"
	wait_log 1 "$4"
	wait_log 3 "$4"
	undisturbed "$1"
	[ "$(grep -cF "$4" "$ring_dir/node1.log")" -le 2 ] || fail "node 1 says it again and again"
	stranger_ends "$1"
}

# A second node 1.
twin() {
	stranger twin "$ring_build/coronetd" -c "$ring_dir/coronet.conf" --node node1
	stranger_says twin "is node 1 of cluster"
	until_true 10 gone "$(cat "$work/twin.pid")" || fail "two daemons are node 1"
	wait "$(cat "$work/twin.pid")" && fail "a daemon whose node id is taken ends with success"
	wait_log 1 "refused a connection from node 1: it has the node id of this daemon"
	undisturbed "a second node 1"
}

version="another protocol version"
[ -z "${RING_NETWORK-}" ] || version="another version of the transport protocol"
ring_up 3
clean_up_at_exit
sed 's/cluster_name: .*/cluster_name: elsewhere/' "$ring_dir/coronet.conf" >"$work/elsewhere.conf"

kill_node 2 TERM
until_true 20 ring_has 1 2 || fail "nodes 1 and 3 are no ring"
before=$(configurations 1)
refused next "$ring_build/tests/system/coronetd-next" "$ring_dir/coronet.conf" "$version"
if [ -n "${RING_NETWORK-}" ]; then
	refused elsewhere "$ring_build/coronetd" "$work/elsewhere.conf" "another cluster name"
else
	# On one host daemons of another cluster are strangers: they do not even dial.
	stranger elsewhere "$ring_build/coronetd" -c "$work/elsewhere.conf" --node node2
	stranger_says elsewhere "ready: clients may connect"
	undisturbed "another cluster"
	stranger_ends elsewhere
fi
start_node 2
wait_for_ring 3
before=$(configurations 1)
[ -n "${RING_NETWORK-}" ] || twin
echo "who does not belong to the ring is told so, and disturbs nobody"
