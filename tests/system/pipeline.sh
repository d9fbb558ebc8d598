#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The example of Coronet's own functions does what it promises: large messages between two nodes, sent and read
# without a copy in the programs, the last ones held. Only what travels inside the queue of events is copied.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

pipeline=$ring_build/docs/examples/pipeline

# pipeline_start I NAME MESSAGES BYTES
pipeline_start() {
	CORONET_RUN_DIR=$ring_dir/node$1 "$pipeline" "$3" "$4" >"$work/$2" 2>&1 &
	started "$2"
}

# ended NAME: in time and with success.
ended() {
	until_true 60 gone "$(cat "$work/$1.pid")" || fail "$1 does not end: $(cat "$work/$1")"
	wait "$(cat "$work/$1.pid")" || fail "$1 fails: $(cat "$work/$1")"
}

members_are() {
	[ "$(node 1 "$ring_build/coronet-cpgtool" -d ' ' 2>/dev/null | grep -c '^pipeline ')" -eq "$1" ]
}

# all_send MESSAGES: two senders, a listener next to one of them, and a program written for corosync, which
# stays until both are done.
all_send() {
	CORONET_RUN_DIR=$ring_dir/node2 "$ring_build/docs/examples/chat" pipeline <"$work/hold" >/dev/null 2>&1 &
	started stock
	pipeline_start 1 listener 0 0
	until_true 10 members_are 2 || fail "the listener does not join"
	pipeline_start 1 near "$1" 2097152
	pipeline_start 2 far "$1" 2097152
	ended near
	ended far
	kill "$(cat "$work/stock.pid")"
	ended listener
	for name in near far; do
		grep -qx "sent $1 messages, $(($1 * 2097152)) bytes, of which copied 0" "$work/$name" ||
			fail "$name: $(cat "$work/$name")"
	done
	grep -q "^received $(($1 * 2)) messages, $(($1 * 4194304)) bytes, " "$work/listener" ||
		fail "listener: $(cat "$work/listener")"
}

ring_up 2
clean_up_at_exit
mkfifo "$work/hold"
sleep 1000 >"$work/hold" &
started holder

# Less than what may wait in a node at all, so that nothing is put aside, however slow the readers are.
all_send 20
for name in near far listener; do
	grep -q "^received .*, of which copied 0; held 3$" "$work/$name" || fail "$name: $(cat "$work/$name")"
done
# More than that: what readers are too slow for is put aside, and nothing is lost or spoiled.
all_send 100

# Through slots, and through the queue of events.
CORONET_RUN_DIR=$ring_dir/node1 run 0 "$pipeline" 1000 4000
says "sent 1000 messages, 4000000 bytes, of which copied 0"
says "received 1000 messages, 4000000 bytes, of which copied 0; held 3"
CORONET_RUN_DIR=$ring_dir/node1 run 0 "$pipeline" 1000 200
says "sent 1000 messages, 200000 bytes, of which copied 0"
says "received 1000 messages, 200000 bytes, of which copied 200000; held 3"
echo "an example sends and receives without copies"
