#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A member that writes into its large messages after sending them does not stop the ring: all are delivered, in their
# length, and what was read is noticed to be something else than what was announced.
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"

count=20

# spoil OPTION... COUNT: one member sends and spoils, another reads.
spoil() {
	node 2 "$ring_build/tests/system/scribble" --read $count >"$ring_dir/reader" 2>&1 &
	reader=$!
	node 1 "$ring_build/tests/system/scribble" "$@" || ring_fail "the sender ended with $?"
	wait $reader || ring_fail "the reader ended with $?: $(cat "$ring_dir/reader")"
}

unharmed() {
	node 1 "$ring_build/tests/system/agree" --members 1 --count 10 --first 2000000 || ring_fail "no ring any more"
	for i in 1 2; do
		ring_has "$i" 2 || ring_fail "the ring has changed"
	done
}

ring_up 2 'rdma {
	digest: yes
}'
spoil $count
spoil --zcb $count
grep -q "is not what was announced" "$ring_dir/node2.log" || ring_fail "nobody noticed"
unharmed
echo "$(grep -c "is not what was announced" "$ring_dir/node2.log") times it was read again," \
	"$(grep -c "has changed a message" "$ring_dir/node1.log") digests were withdrawn"
ring_down

# Where messages are used in the sender's memory nobody notices, and nothing else happens.
ring_up 2
spoil $count
spoil --zcb $count
unharmed
