#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Daemons are killed while members send: those elsewhere are told NODEDOWN at one place in one sequence of messages, and
# the daemon that comes back is a member again. Nothing stays behind.
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/members.sh
. "$(dirname "$0")/members.sh"

members_late() {
	ring_fail "$*"
}

all_down() {
	members_end
	ring_down
}

# same_story NAME NAME: from the first's last own join on, both were told the same.
same_story() {
	for crash_name in "$@"; do
		wrote "$crash_name" | grep '^change\|^messages' | sed -n '/joined\[[^]]*B\/1/,$p' >"$ring_dir/story.$crash_name"
	done
	! grep 'not in order' "$ring_dir/story.$1" || ring_fail "$1 misses messages"
	[ -s "$ring_dir/story.$1" ] || ring_fail "no story of $1"
	cmp -s "$ring_dir/story.$1" "$ring_dir/story.$2" ||
		ring_fail "$1 and $2 were told different stories: $(diff "$ring_dir/story.$1" "$ring_dir/story.$2")"
}

# was_told NAME TEXT
was_told() {
	wrote "$1" | grep -qxF -e "$2" || ring_fail "$1 was not told: $2. It was told: $(wrote "$1")"
}

ring_up 3
trap all_down EXIT
members_begin node "$ring_build/tests/system/cpg_calls"
member A 1 totem-
tell A join
changes A=1
member C 3
tell C join
changes A=2
member B 2
tell B join
changes A=3 B=1 C=2

# Node 3 dies while the others send.
tell A send 20000
tell B send 20000
sleep 0.3
kill_node 3 KILL
changes A=4 B=2
see C 1 '^dispatch LIBRARY$'
see A 1 '^send 20000 OK$'
see B 1 '^send 20000 OK$'
was_told A 'change members[A B] left[C/3] joined[]'
see A 1 '^ring of 1 with 1 2$'

# It is back: a member there joins as any other.
start_node 3
wait_for_ring 3
member D 3
tell D join
changes A=5 B=3 D=1
was_told A 'change members[A B D] left[] joined[D/1]'
was_told D 'change members[A B D] left[] joined[D/1]'
same_story A B

# Node 1, whose word the others have waited for so far, dies too.
tell B send 20000
tell D send 20000
sleep 0.3
kill_node 1 KILL
changes B=4 D=2
see A 1 '^dispatch LIBRARY$'
was_told B 'change members[B D] left[A/3] joined[]'
was_told D 'change members[B D] left[A/3] joined[]'
see B 2 '^send 20000 OK$'
see D 1 '^send 20000 OK$'
start_node 1
wait_for_ring 3
member E 1
tell E join
changes B=5 D=3 E=1
was_told E 'change members[E B D] left[] joined[E/1]'

# All die at once: the next ring's number is higher than any that was told.
ring_seq() {
	node "$1" "$ring_build/coronet-status" --json | tr -d ' \n' | sed 's/.*"ring_seq":\([0-9]*\).*/\1/'
}
before=$(ring_seq 2)
for i in 1 2 3; do
	kill_node "$i" KILL
done
see E 1 '^dispatch LIBRARY$'
see B 1 '^dispatch LIBRARY$'
for i in 1 2 3; do
	start_node "$i"
done
wait_for_ring 3
[ "$(ring_seq 2)" -gt "$before" ] || ring_fail "ring $(ring_seq 2) comes after ring $before"

# Orderly ends leave nothing but the ring's number; killed ones left nothing that disturbs.
for i in 1 2 3; do
	kill_node "$i" TERM
done
for i in 1 2 3; do
	wait "$(cat "$ring_dir/node$i.pid")" || ring_fail "node $i ended with $?"
	[ "$(ls "$ring_dir/node$i")" = "ringid_$i" ] || ring_fail "left behind: $(ls "$ring_dir/node$i")"
	set -- /dev/shm/*"-$(cat "$ring_dir/node$i.pid")-"*
	[ ! -e "$1" ] || ring_fail "left behind: $1"
done
echo "members elsewhere were told, and the daemons came back"
