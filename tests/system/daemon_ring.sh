#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a ring of daemons over shared memory: orderly leave, death, restart, a stopped process that goes on,
# nodes and times that change while it runs, a fault in the configuration, rest.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

# ring_is N I...: nodes I... are in one ring of N members.
ring_is() {
	ring_is_count=$1
	shift
	ring_is_id=
	for ring_is_i in "$@"; do
		fact_is "$ring_is_i" members_count "$ring_is_count" &&
			fact_is "$ring_is_i" state operational || return 1
		: "${ring_is_id:=$(fact "$ring_is_i" ring_id)}"
		fact_is "$ring_is_i" ring_id "$ring_is_id" || return 1
	done
}

wait_ring_is() {
	until_true 20 ring_is "$@" || fail "no ring of $1 members: nodes $*"
}

# The sequence of the ring that node I is in.
ring_seq() {
	fact "$1" ring_seq
}

death_and_return() {
	seq=$(ring_seq 1)
	kill_node 3
	wait_ring_is 4 1 2 4 5
	logs 1 "left: 3" || fail "node 1 does not log who left"
	start_node 3
	wait_ring_is 5 1 2 3 4 5
	[ "$(ring_seq 3)" -gt "$seq" ] || fail "the ring's number does not grow"
}

orderly_leave() {
	kill_node 5 TERM
	wait "$(node_pid 5)" || fail "SIGTERM: exit status $?"
	wait_ring_is 4 1 2 3 4
	left_behind=$(ls "$ring_dir/node5")
	[ "$left_behind" = ringid_5 ] || fail "left in the run directory: $left_behind"
	[ "$(wc -c <"$ring_dir/node5/ringid_5")" -eq 8 ] || fail "ringid_5 has not 8 bytes"
	start_node 5
	wait_ring_is 5 1 2 3 4 5
}

# A process that does not run for longer than the token time is dead for the others; it comes back by itself.
stopped_process() {
	kill_node 2 STOP
	wait_ring_is 4 1 3 4 5
	kill_node 2 CONT
	wait_ring_is 5 1 2 3 4 5
	logs 2 "this daemon did not run for" || fail "node 2 does not log that it was stopped"
	node 2 "$ring_build/coronet-status" | grep -q "^pauses " || fail "the status does not say it"
}

# The representative, whose word the others wait for, is a case of its own.
stopped_representative() {
	kill_node 1 STOP
	wait_ring_is 4 2 3 4 5
	kill_node 1 CONT
	wait_ring_is 5 1 2 3 4 5
}

hup_all() {
	for hup_i in 1 2 3 4 5; do
		kill_node "$hup_i" HUP
	done
}

# Node 6 is added to the configuration of all, then starts; then it is taken out again.
nodes_come_and_go() {
	cp "$ring_dir/coronet.conf" "$work/five.conf"
	cat >>"$ring_dir/coronet.conf" <<-END
		nodelist {
			node {
				name: node6
				nodeid: 6
			}
		}
	END
	hup_all
	for i in 1 2 3 4 5; do
		wait_log "$i" "reload: node 6 is added"
	done
	start_node 6
	wait_ring_is 6 1 2 3 4 5 6
	kill_node 6 TERM
	wait "$(node_pid 6)"
	wait_ring_is 5 1 2 3 4 5
	cp "$work/five.conf" "$ring_dir/coronet.conf"
	hup_all
	for i in 1 2 3 4 5; do
		wait_log "$i" "reload: node 6 is removed"
	done
	wait_ring_is 5 1 2 3 4 5
}

times_change() {
	sed -i 's/token: 1000/token: 1500/; s/transport: shm/transport: auto/' "$ring_dir/coronet.conf"
	printf 'rdma {\n    dissemination: chain\n}\n' >>"$ring_dir/coronet.conf"
	kill_node 1 HUP
	# Five nodes: three times the coefficient on top.
	wait_log 1 "reload: token 3450 ms"
	wait_log 1 "reload: dissemination chain"
	wait_log 1 "reload: totem.transport stays shm until the daemon is restarted"
	echo "nonsense" >>"$ring_dir/coronet.conf"
	kill_node 1 HUP
	wait_log 1 "reload: nothing is changed"
	wait_log 1 "neither \"key: value\" nor \"section {\" nor \"}\""
	cp "$work/five.conf" "$ring_dir/coronet.conf"
	hup_all
	wait_ring_is 5 1 2 3 4 5
}

# A number that cannot be stored might come twice: the daemon ends, and the others go on without it.
number_not_stored() {
	mkdir "$ring_dir/node4/ringid_4.new"
	kill_node 5 KILL
	until_true 10 gone "$(node_pid 4)" || fail "node 4 goes on without storing the ring's number"
	wait "$(node_pid 4)"
	status=$?
	[ "$status" -eq 21 ] || fail "node 4: exit status $status"
	logs 4 "the ring's number cannot be stored: Is a directory" || fail "node 4 does not say why"
	wait_ring_is 3 1 2 3
	rmdir "$ring_dir/node4/ringid_4.new"
	start_node 4
	start_node 5
	wait_ring_is 5 1 2 3 4 5
}

# A program that is connected keeps no daemon from ending; the other nodes see it end.
leave_with_clients() {
	mkfifo "$work/hold"
	sleep 1000 >"$work/hold" &
	started holder
	for i in 1 2; do
		CORONET_RUN_DIR=$ring_dir/node$i "$ring_build/docs/examples/chat" room <"$work/hold" >"$work/chat$i" 2>&1 &
		started "chat$i"
	done
	until_true 10 grep -qx "\* members: 1 2" "$work/chat1" || fail "the members do not meet"
	kill_node 2 TERM
	wait "$(node_pid 2)" || fail "SIGTERM with a client: exit status $?"
	until_true 10 grep -q "the daemon is gone" "$work/chat2" || fail "the client is not told"
	until_true 10 grep -qx "\* 2 has ended" "$work/chat1" ||
		fail "the other member does not see it end: $(cat "$work/chat1")"
	start_node 2
	until_true 10 grep -qx "\* 2 joins" "$work/chat1" || fail "the client does not come back"
	wait_ring_is 5 1 2 3 4 5
}

cpu_ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# With nothing to say the ring costs nothing: less than 1% of a processor for each daemon.
rest() {
	for i in 1 2 3 4 5; do
		cpu_ticks "$(node_pid "$i")" >"$work/ticks$i"
	done
	sleep 5
	allowed=$(($(getconf CLK_TCK) * 5 / 100))
	for i in 1 2 3 4 5; do
		used=$(($(cpu_ticks "$(node_pid "$i")") - $(cat "$work/ticks$i")))
		[ "$used" -le "$allowed" ] || fail "node $i uses $used ticks in 5 s of rest; $allowed are 1%"
	done
	fact_is 1 resting true || fail "the token does not rest"
}

ring_up 5
clean_up_at_exit
death_and_return
orderly_leave
stopped_process
stopped_representative
nodes_come_and_go
times_change
number_not_stored
leave_with_clients
rest
for i in 1 2 3 4 5; do
	kill_node "$i" TERM
done
for i in 1 2 3 4 5; do
	wait "$(node_pid "$i")" || fail "node $i: exit status $?"
done
echo "the ring loses and finds its members"
