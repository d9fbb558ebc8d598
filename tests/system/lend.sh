#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Nodes on one host use large messages where their sender has them. Its memory is not written anew before they are
# read, whatever happens to the daemon that got them; and it is free again afterwards.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

# status_number I KEY
status_number() {
	node "$1" "$ring_build/coronet-status" --json | tr -d ' \n' | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"
}

all_returned() {
	[ "$(status_number 1 lent)" = 0 ]
}

# late I NAME ARGS...
late() {
	late_node=$1
	late_name=$2
	shift 2
	CORONET_RUN_DIR=$ring_dir/node$late_node "$ring_build/tests/system/late" "$@" >"$work/$late_name" 2>&1 &
	started "$late_name"
}

# ended NAME: in time and with success.
ended() {
	until_true 60 gone "$(cat "$work/$1.pid")" || fail "$1 does not end: $(cat "$work/$1")"
	wait "$(cat "$work/$1.pid")" || fail "$1 fails: $(cat "$work/$1")"
}

# The reader's daemon dies with messages in the reader's queue; 100 messages more go through the sender's memory
# before the reader looks at what it has.
reader_loses_its_daemon() {
	late 2 reader --read "$work/joined" "$work/go"
	until_true 10 test -e "$work/joined" || fail "the reader does not join: $(cat "$work/reader")"
	late 1 sender --send 100 "$(cat "$ring_dir/node2.pid")"
	ended sender
	: >"$work/go"
	ended reader
	grep -qx "100 right, 0 wrong" "$work/sender" || fail "sender: $(cat "$work/sender")"
	# As many as its queue had when the daemon died, from the first one on; all of them right.
	grep -q ", 0 wrong$" "$work/reader" || fail "reader: $(cat "$work/reader")"
	grep -q "^0 right" "$work/reader" && fail "the reader got nothing"
	until_true 10 all_returned || fail "$(status_number 1 lent) loans were never given back"
}

ring_up 2
clean_up_at_exit
reader_loses_its_daemon

start_node 2
wait_for_ring 2
late 2 far --read "$work/joined-again" "$work/go"
until_true 10 test -e "$work/joined-again" || fail "the second reader does not join: $(cat "$work/far")"
late 1 near --send 200 0
ended near
[ "$(status_number 2 borrows)" -gt 0 ] || fail "node 2 has used nothing where it was"
[ "$(status_number 2 pulls)" = 0 ] || fail "node 2 has read $(status_number 2 pulls) payloads"
until_true 10 all_returned || fail "$(status_number 1 lent) loans were never given back"

# A reader that sleeps keeps no sender waiting: after a while its messages are copied for it.
late 2 sleeper --read "$work/joined-asleep" "$work/awake"
until_true 10 test -e "$work/joined-asleep" || fail "the third reader does not join: $(cat "$work/sleeper")"
late 1 last --send 12 0
ended last
until_true 10 all_returned || fail "a reader that sleeps keeps $(status_number 1 lent) loans"
: >"$work/awake"
kill_node 2 TERM
ended sleeper
grep -qx "12 right, 0 wrong" "$work/sleeper" || fail "sleeper: $(cat "$work/sleeper")"
echo "lent memory is kept until it is read, also for those whose daemon died: $(cat "$work/reader")"
