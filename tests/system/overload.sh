#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# More than a ring can do: senders that never stop, readers that never read, a daemon that is stopped, two
# thousand members in a thousand groups. Nobody is kept waiting for ever, clients of one node get about the same,
# memory stays within its limits, and the ring goes on.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/system/overload_lib.sh
. "$(dirname "$0")/overload_lib.sh"

seconds=${OVERLOAD_SECONDS:-3}
queue_mib=64
# Less than that each: who has read too little of more is disconnected, although it reads.
large=900x
refused_max_ms=3000
# The same while a member is given up: token, consensus, and what was lent to it.
refused_stopped_max_ms=16000

# Many senders and a reader that is awake, one that sleeps and is soon too far behind, and one whose group is quiet.
never_stop_never_read() {
	sleeper 2 behind busy
	sleeper 3 far-behind busy
	sleeper 3 patient quiet
	begin 1 small send 8 1000 "$seconds" busy
	begin 2 other send 2 1000 "$seconds" busy
	ended small
	ended other
	begin 1 large send 4 65536 "$large" large+
	begin 2 other-large send 2 65536 "$large" other+
	ended large
	ended other-large
	node 1 "$overload" send 1 1000 300x quiet >"$work/out" 2>&1 || fail "the quiet group"
	for i in 2 3; do
		logs "$i" "clients.queue_max is exceeded" || fail "node $i does not disconnect who is far behind"
	done
	for i in behind far-behind patient; do
		woken "$i"
	done
	for i in small other large other-large; do
		treated_well "$i" "$refused_max_ms"
	done
	grep -q " right, disconnected" "$work/behind.out" || fail "node 2 keeps who is far behind"
	grep -qx "300 right, connected" "$work/patient.out" || fail "node 3 does not keep who is patient"
	[ "$(rings)" -eq "$first_rings" ] || fail "the ring did not last"
}

# Programs on two nodes hold all they get of a third one's messages, for ever. Together they have half of its
# common region (4 MiB), and it goes on sending.
hold_for_ever() {
	for i in 2 3; do
		begin "$i" "holder$i" hold held "$work/holder$i.ready" 100 "$work/holders.go"
		until_true 10 test -e "$work/holder$i.ready" || fail "holder$i does not join"
	done
	begin 1 held send 1 32768 1000x held
	ended held
	treated_well held "$refused_max_ms"
	for i in 2 3; do
		until_true 10 grep -q in_place "$work/holder$i.out" || fail "holder$i has not read all"
		[ "$(result "holder$i" in_place)" -gt 0 ] || fail "holder$i reads nothing in place"
		[ "$(result "holder$i" in_place)" -le 1048576 ] || fail "holder$i: $(cat "$work/holder$i.out")"
	done
	: >"$work/holders.go"
	ended holder2
	ended holder3
	until_true 10 fact_is 1 lent 0 || fail "$(fact 1 lent) loans are not given back"
}

# A daemon that is stopped keeps what was lent to it, and its sleeping client what it was shown.
stopped_daemon() {
	sleeper 3 beside-stopped stop
	begin 1 through send 1 1000000 8 stop
	sleep 2
	kill_node 3 STOP
	ended through
	treated_well through "$refused_stopped_max_ms"
	[ "$(result through sum)" -gt 20 ] || fail "hardly anything gets through: $(cat "$work/through.out")"
	kill_node 3 CONT
	wait_for_ring 3
	until_true 10 fact_is 1 lent 0 || fail "$(fact 1 lent) loans are not given back"
	woken beside-stopped
}

crowds() {
	begin 1 first-half crowd 500 500 0 2 20
	begin 2 second-half crowd 500 500 500 2 20
	begin 3 all crowd 1000 1000 0 2 20
	ended first-half
	ended second-half
	ended all
}

ring_up 3 "clients {
	queue_max: ${queue_mib}m
}"
clean_up_at_exit
first_rings=$(rings)
never_stop_never_read
peak_within 1 $((64 + 12 * 4)) "64, and 4 for each sender"
peak_within 2 $((64 + 6 * 4 + 3 * queue_mib)) "64, 4 for each sender, and what waits for one that sleeps"
peak_within 3 $((64 + 6 * queue_mib)) "64, and what waits for two that sleep"
hold_for_ever
stopped_daemon
crowds
[ "$(rings)" -le $((first_rings + 2)) ] || fail "the ring did not last: $(grep "TOTEM.* ring .*: members" "$ring_dir/node1.log")"
echo "nobody waits for ever, and the ring goes on"
