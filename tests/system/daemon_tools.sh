#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# coronet-cpgtool prints what corosync-cpgtool would; coronet-status tells how the ring is; without a daemon both say
# so and exit with 1.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

cpgtool=$ring_build/coronet-cpgtool
status=$ring_build/coronet-status
chat=$ring_build/docs/examples/chat

without_daemon() {
	CORONET_RUN_DIR=$work
	export CORONET_RUN_DIR
	run 1 "$cpgtool"
	says "CS_ERR_LIBRARY (2)"
	run 1 "$status"
	says "cannot connect to the daemon in $work: No such file or directory: no coronetd runs there"
	run 1 "$status" --json
	run 1 "$cpgtool" --nonsense
	run 1 "$cpgtool" stray
	run 1 "$status" stray
	run 0 "$cpgtool" -h
	run 0 "$status" -h
	unset CORONET_RUN_DIR
}

# chat_start I GROUP: a member on node I.
chat_start() {
	CORONET_RUN_DIR=$ring_dir/node$1 "$chat" "$2" <"$work/hold" >"$work/chat$1" 2>&1 &
	started "chat$1$2"
}

members_are() {
	[ "$(node 1 "$cpgtool" -d ' ' 2>/dev/null | tail -n +2 | wc -l)" -eq "$1" ]
}

# What follows stands for a tab and for numbers padded to ten places.
table() {
	node 1 "$cpgtool" "$@" | sed "s/\t/<tab>/g; s/ *[0-9]*<tab>/PID<tab>/"
}

same() {
	[ "$1" = "$2" ] || fail "printed:
$1
expected:
$2"
}

groups() {
	mkfifo "$work/hold"
	# Holds the members' input open.
	sleep 1000 >"$work/hold" &
	started holder
	chat_start 1 one
	chat_start 2 one
	chat_start 1 'back\slash	tab'
	until_true 10 members_are 3 || fail "three members do not show: $(node 1 "$cpgtool")"
}

forms() {
	same "$(node 1 "$cpgtool" -n | sort)" 'back\\slash\x09tab
one'
	same "$(node 1 "$cpgtool" -ne | sort)" 'back\slash	tab
one'
	same "$(node 1 "$cpgtool" -n -d ,x | tr ',' '\n' | sort)" '
back\\slash\x09tab
one'
	same "$(node 1 "$cpgtool" -d , | sed -n 's/^\(GRP\)/\1/p')" "GRP_NAME,PID,NODEID"
	node 1 "$cpgtool" -d , | grep -Eqx 'one,[0-9]+,2' || fail "no member of node 2 with -d"
	node 1 "$cpgtool" | head -n 1 >"$work/out"
	same "$(cat "$work/out")" "Group Name	       PID	   Node ID"
	node 1 "$cpgtool" >"$work/out"
	grep -Eqx '		 {0,9}[0-9]{1,10}	         2 \(node2\)' "$work/out" ||
		fail "the line of node 2 has another form"
	node 1 "$cpgtool" --json >"$work/out"
	says '"name":"one"'
	says '"name":"back\\slash\u0009tab"'
	grep -Eq '\{"nodeid":2,"pid":[0-9]+\}' "$work/out" || fail "no member of node 2"
	if command -v jq >/dev/null; then
		same "$(jq -r '[.[] | .members | length] | sort | join(" ")' "$work/out")" "1 2"
		same "$(node 1 "$cpgtool" --json -n | jq -r 'map(.name) | length')" 2
	fi
}

state() {
	run 0 node 1 "$status"
	says "node       1 (node1) of cluster test-"
	says "operational"
	says "transport  shm: shared memory"
	says "members 1 2"
	says "joined"
	says "because: started"
	node 1 "$status" --json >"$work/out"
	if command -v jq >/dev/null; then
		jq -e '.state == "operational" and (.members | length) == 2 and .clients.connected >= 2 and
			(.nodes | map(select(.in_ring)) | length) == 2 and .transport.name == "shm" and
			(.changes | length) >= 1' "$work/out" >/dev/null || fail "the JSON lacks something"
	fi
	fact_is 1 members_count 2 || fail "members_count"
	fact_is 2 nodeid 2 || fail "nodeid"
}

# handle_is I FILTER: the status of node I has a handle that fits, with $pid as in chat1one.
handle_is() {
	node "$1" "$status" --json |
		jq -e --argjson pid "$(cat "$work/chat1one.pid")" ".clients.handles | any(.pid == \$pid and ($2))" >/dev/null
}

handles() {
	run 0 node 1 "$status"
	says "unread"
	grep -Eq "^ +$(cat "$work/chat1one.pid") +$(id -u) .* one\$" "$work/out" || fail "no line for the chat"
	says 'back\\slash\x09tab'
	command -v jq >/dev/null || return 0
	handle_is 1 '.group == "one" and .joined and .unread_bytes == 0 and .slowed == false' ||
		fail "the JSON does not tell of the chat"
	kill -STOP "$(cat "$work/chat1one.pid")"
	echo "a line for it" | node 2 "$chat" one >/dev/null
	until_true 10 handle_is 1 '.unread_bytes > 0' || fail "nothing is unread by a stopped program"
	kill -CONT "$(cat "$work/chat1one.pid")"
	until_true 10 handle_is 1 '.unread_bytes == 0' || fail "something is unread by a program that reads"
}

# A daemon that does not answer is not waited for.
stopped_daemon() {
	kill_node 2 STOP
	run 1 node 2 "$status"
	says "no answer from the daemon"
	kill_node 2 CONT
}

without_daemon
ring_up 2
clean_up_at_exit
groups
forms
state
handles
stopped_daemon
echo "the tools print what they should"
