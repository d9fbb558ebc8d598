#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Members on five nodes over shared memory send at once; all must be delivered one sequence, byte for byte.
# Then one message of 64 MiB, and one along a chain.
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"

nodes=${AGREE_NODES:-5}
count=${AGREE_COUNT:-20000}

# All members ran to the end and print the same digest of the same number of messages.
same_sequence() {
	for i in $(seq "$nodes"); do
		node "$i" "$ring_build/tests/system/agree" --members "$nodes" "$@" \
			>"$ring_dir/agree$i" 2>&1 &
		echo "$!" >"$ring_dir/agree$i.pid"
	done
	for i in $(seq "$nodes"); do
		wait "$(cat "$ring_dir/agree$i.pid")" ||
			ring_fail "member on node $i: $(cat "$ring_dir/agree$i")"
	done
	cat "$ring_dir"/agree[0-9]
	lines=$(cat "$ring_dir"/agree[0-9] | sed 's/^[0-9]* [0-9]* //' | sort -u | wc -l)
	[ "$lines" -eq 1 ] || ring_fail "the members disagree"
}

ring_up "$nodes"
same_sequence --count "$count" --min 1 --max 4000 --seconds 200
same_sequence --count 1 --min 67108864 --max 67108864 --group large --seconds 100
printf 'rdma {\n\tdissemination: chain\n}\n' >>"$ring_dir/coronet.conf"
for i in $(seq "$nodes"); do
	kill_node "$i" HUP
done
same_sequence --count 1 --min 67108864 --max 67108864 --group chain --seconds 100
chained=$(node 1 "$ring_build/coronet-status" --json | tr -d ' \n' | sed 's/.*"chain_bytes":\([0-9]*\).*/\1/')
[ "$chained" -gt 0 ] || ring_fail "node 1 has read nothing from another receiver"
