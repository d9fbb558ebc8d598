#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# How often a processor touches a payload between a program on one node and a program on another, for each way of sending and of
# reading (docs/clients.md, "Without copies"): what the libraries and the daemons counted is what the table allows, to the byte.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

copies=$ring_build/tests/system/copies
messages=20
rows=0

# What the daemons have copied into frames, put aside, and used in another's memory so far.
counts() {
	echo "$(fact 1 bytes_copied_send) $(($(fact 1 spilled_bytes) + $(fact 2 spilled_bytes))) $(fact 2 borrow_bytes)"
}

# try BYTES SENT READ: LIBRARY DAEMON READER IN-PLACE; once. False: a message was put aside, for a program that had not run for so long.
try() {
	bytes=$1 sent=$2 read=$3
	total=$((messages * bytes))
	before=$(counts)
	CORONET_RUN_DIR=$ring_dir/node2 "$copies" listen "$sent" "$read" "$messages" "$bytes" >"$work/reader" 2>&1 &
	started reader
	CORONET_RUN_DIR=$ring_dir/node1 run 0 "$copies" send "$sent" "$read" "$messages" "$bytes"
	wait "$(cat "$work/reader.pid")" || fail "the reader fails: $(cat "$work/reader")"
	daemons=$(echo "$before $(counts)" | awk '{ print $4 - $1, $5 - $2, $6 - $3 }')
	case $daemons in
	*" 0 "*) ;;
	*) return 1 ;;
	esac
	says "intact $(($4 * total)) $(($6 * total))"
	grep -qx "intact 0 $(($6 * total))" "$work/reader" || fail "$*: the reader: $(cat "$work/reader")"
	[ "$daemons" = "$(($5 * total)) 0 $(($7 * total))" ] ||
		fail "$*: the daemons copied, put aside and borrowed $daemons bytes of $total"
}

# allows BYTES SENT READ: LIBRARY DAEMON READER IN-PLACE; how often the sender's library and daemon, and the reader's
# library, may copy; and whether the reader's node uses it in the sender's memory (1) or finds it in a frame (0).
allows() {
	for attempt in 1 2 3 4 5; do
		if try "$@"; then
			rows=$((rows + 1))
			return
		fi
		echo "put aside, attempt $attempt: $*"
	done
	fail "$*: messages are put aside each time"
}

ring_up 2
clean_up_at_exit

# Large: announced, and used where it is.
allows 1048576 handed place 0 0 0 1
allows 1048576 handed stock 0 0 1 1
allows 1048576 copied place 1 0 0 1
allows 1048576 copied stock 1 0 1 1
# In a frame, gathered from the sender's memory.
allows 6000 handed place 0 0 0 0
allows 6000 handed stock 0 0 1 0
allows 6000 copied place 1 0 0 0
allows 6000 copied stock 1 0 1 0
# Packed into a frame with others, and into the queue of events.
allows 600 handed place 0 1 1 0
allows 600 copied stock 1 1 1 0
echo "$rows ways, and no copy more than they allow"
