#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A daemon as it comes out of the box stays within 64 MiB, resident and locked, after ordinary traffic on three nodes. Messages
# of 64 MiB make it take more for a while, and it gives that back. coronet-status says what there is.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"

limit_kib=65536
bench=$ring_build/coronet-bench

# field NODE FILE NAME: KiB, of the daemon's process.
field() {
	awk -v name="$3:" '$1 == name { print $2 }' "/proc/$(cat "$ring_dir/node$1.pid")/$2"
}

memory_of() {
	node "$1" "$ring_build/coronet-status" --json | tr -d ' \n' | sed -n "s/.*\"memory\":{[^}]*\"$2\":\([0-9]*\).*/\1/p"
}

# A sanitizer has memory of its own, and much.
plain_build() {
	! ldd "$ring_build/.libs/coronetd" "$ring_build/coronetd" 2>/dev/null | grep -q 'lib[a-z]*san\.so'
}

# What a member that was held up made the daemon take is given back within seconds.
is_small() {
	for i in 1 2 3; do
		left=75
		until resident=$(field "$i" status VmRSS) && locked=$(field "$i" smaps_rollup Locked) &&
			[ "$resident" -le "$limit_kib" ] && [ "$locked" -le "$limit_kib" ]; do
			plain_build || break
			left=$((left - 1))
			[ "$left" -gt 0 ] || ring_fail "$1: node $i has $resident KiB resident, $locked locked"
			sleep 0.2
		done
		echo "$1: node $i: $resident KiB resident, $locked locked"
	done
}

# traffic SIZE: from node 1 to all.
traffic() {
	for i in 2 3; do
		node "$i" "$bench" throughput --receive --members 3 --quiet -s "$1" -t 1 >"$ring_dir/bench$i" 2>&1 &
		echo "$!" >"$ring_dir/bench$i.client"
	done
	node 1 "$bench" throughput --send --members 3 --quiet -s "$1" -t 1 >"$ring_dir/bench1" 2>&1 ||
		ring_fail "messages of $1: $(cat "$ring_dir/bench1")"
	for i in 2 3; do
		wait "$(cat "$ring_dir/bench$i.client")" || ring_fail "messages of $1: $(cat "$ring_dir/bench$i")"
	done
}

large() {
	for i in 1 2 3; do
		node "$i" "$ring_build/tests/system/agree" --members 3 --count 2 --min 67108864 --max 67108864 \
			--seconds 100 >"$ring_dir/large$i" 2>&1 &
		echo "$!" >"$ring_dir/large$i.client"
	done
	for i in 1 2 3; do
		wait "$(cat "$ring_dir/large$i.client")" || ring_fail "member on node $i: $(cat "$ring_dir/large$i")"
	done
	[ "$(cat "$ring_dir"/large[123] | sed 's/^[0-9]* [0-9]* //' | sort -u | wc -l)" -eq 1 ] ||
		ring_fail "the members disagree"
}

ring_up 3
is_small "at rest"
traffic 64
is_small "after messages of 64 bytes"
traffic 64k
is_small "after messages of 64 KiB"
ring_down

# The same where payloads are copied, and not used in the memory of the node that sent them.
ring_up 3 "rdma {
	digest: yes
}"
traffic 64k
is_small "after messages of 64 KiB, copied"
[ "$(memory_of 2 segments_made)" -ge 1 ] || ring_fail "nothing was made for messages of 64 KiB"

large
[ "$(memory_of 2 extents_ready)" -ge 67108864 ] || ring_fail "$(memory_of 2 extents_ready) bytes after 64 MiB"
left=100
until [ "$(memory_of 2 extents_ready)" -eq 0 ]; do
	left=$((left - 1))
	[ "$left" -gt 0 ] || ring_fail "$(memory_of 2 extents_ready) bytes for large messages are kept"
	sleep 0.2
done
is_small "some time after messages of 64 MiB"

node 2 "$ring_build/coronet-status" >"$ring_dir/status"
for text in "512 slots wait for frames, 16.0 MiB" "192.0 MiB at most" "send memory of clients 0 B" \
	"the process: resident" "registered with the adapter 0 B"; do
	grep -qF "$text" "$ring_dir/status" || ring_fail "coronet-status does not say: $text: $(cat "$ring_dir/status")"
done
echo "a default daemon stays small, and large messages pass"
