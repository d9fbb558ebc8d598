#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A member is killed while others read large messages from its memory: all that remain are delivered the same messages, whole,
# or none of them; its memory is given back; the ring has not changed. (tests/lab/cases/dying: an adapter reads.)
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"

moments=${DYING_MOMENTS:-5 40 120 300}

memory_of() {
	node "$1" "$ring_build/coronet-status" --json | tr -d ' \n' | sed -n "s/.*\"memory\":{[^}]*\"$2\":\([0-9]*\).*/\1/p"
}

ring_id() {
	node "$1" "$ring_build/coronet-status" --json | tr -d ' \n' | sed -n 's/.*"ring_id":"\([^"]*\)","ring_rep".*/\1/p'
}

nothing_is_kept() {
	for i in 1 2 3; do
		left=100
		until [ "$(memory_of "$i" send_memory)" -eq 0 ] && [ "$(memory_of "$i" extents_used)" -eq 0 ]; do
			left=$((left - 1))
			[ "$left" -gt 0 ] || ring_fail "node $i keeps $(memory_of "$i" send_memory) bytes of send memory and" \
				"$(memory_of "$i" extents_used) of messages"
			sleep 0.2
		done
	done
}

ring_up 3
ring=$(ring_id 1)
for moment in $moments; do
	for i in 2 3; do
		node "$i" "$ring_build/tests/system/dying" --watch >"$ring_dir/watch$i" 2>&1 &
		echo "$!" >"$ring_dir/watch$i.client"
	done
	node 1 "$ring_build/tests/system/dying" --send "$moment" 2>"$ring_dir/sender" &
	wait "$!"
	status=$?
	[ "$status" -eq 137 ] || ring_fail "the sender ended with $status: $(cat "$ring_dir/sender")"
	for i in 2 3; do
		wait "$(cat "$ring_dir/watch$i.client")" || ring_fail "member on node $i ended with $?: $(cat "$ring_dir/watch$i")"
	done
	cmp -s "$ring_dir/watch2" "$ring_dir/watch3" ||
		ring_fail "members were delivered different things: $(cat "$ring_dir/watch2"), $(cat "$ring_dir/watch3")"
	echo "killed after $moment ms: all that remain have $(cut -d ' ' -f 1 "$ring_dir/watch2") messages of it"
	nothing_is_kept
done
[ "$(ring_id 1)" = "$ring" ] || ring_fail "the ring has changed from $ring to $(ring_id 1)"
