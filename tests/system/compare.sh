#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# One program, compiled against Debian's libcpg-dev and linked to Debian's libcpg, runs on Debian's corosync and, with
# LD_LIBRARY_PATH, on Coronet. What it prints must be the same but for the lines in compare.expected-differences.
# "compare.sh keep DIRECTORY" leaves both outputs there.
here=$(cd "$(dirname "$0")" && pwd) || exit 99
top_builddir=${top_builddir:-$PWD}
# shellcheck source=tests/system/ring.sh
. "$here/ring.sh"
# shellcheck source=tests/system/corosync.sh
. "$here/corosync.sh"
# shellcheck source=tests/system/members.sh
. "$here/members.sh"
# shellcheck source=tests/system/trace.sh
. "$here/trace.sh"

clients='uidgid {
	uid: 12345
	gid: 23456
}'

missing() {
	if ! dpkg -s libcpg-dev libcorosync-common-dev >/dev/null 2>&1; then
		echo "Debian's libcpg-dev and libcorosync-common-dev are not installed"
	else
		corosync_missing
	fi
}

# Debian's header and library are taken from its package: another installation may be in front of them.
compile() {
	debian_lib=$(dirname "$(dpkg -L libcpg-dev | grep '/libcpg\.so$')")
	mkdir "$work/include"
	ln -s "$(dirname "$(dpkg -L libcpg-dev | grep '/cpg\.h$')")" "$work/include/corosync"
	# shellcheck disable=SC2086 # a compiler may come with arguments
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -pthread -I"$work/include" \
		-o "$work/compare" "$here"/compare/*.c -L"$debian_lib" -lcpg -lcorosync_common || exit 1
}

# --- The two sides: where a daemon's clients run, and how it is started again -------------------------

reference_client() {
	LD_LIBRARY_PATH=$debian_lib corosync_node "$@"
}

reference_restart() {
	corosync_start "$1"
	corosync_wait "$2"
}

our_client() {
	LD_LIBRARY_PATH=$our_lib LD_PRELOAD=$our_preload node "$@"
}

our_restart() {
	start_node "$1"
	wait_for_ring "$2"
}

# --- What runs on both ------------------------------------------------------------------------------------

# run_phases SIDE DAEMON-PID-FILE PATIENCE: all phases on a daemon that runs alone.
run_phases() {
	side=$1
	for phase in calls access daemon-stops; do
		COMPARE_DAEMON=$(cat "$2") "${side}_client" 1 "$work/compare" --patience "$3" $phase
	done
	rm -f "$work/restart" "$work/restarted"
	COMPARE_DAEMON=$(cat "$2") COMPARE_RESTART="touch $work/restart
		until [ -e $work/restarted ]; do sleep 0.1; done" \
		"${side}_client" 1 "$work/compare" daemon-ends &
	ends=$!
	until [ -e "$work/restart" ]; do
		kill -0 $ends || break
		sleep 0.1
	done
	"${side}_restart" 1 1
	touch "$work/restarted"
	wait $ends
	"${side}_client" 1 "$work/compare" --patience "$3" dirty
}

run_reference() {
	LD_LIBRARY_PATH=$debian_lib "$work/compare" no-daemon
	corosync_up 1 "$clients" || return 1
	run_phases reference "$corosync_dir/node1.pid" 3
	corosync_down
	corosync_up 2 || return 1
	trace_run reference_client "$work/compare" corosync_kill reference_restart
	corosync_down
}

run_ours() {
	LD_LIBRARY_PATH=$our_lib LD_PRELOAD=$our_preload CORONET_RUN_DIR=$work/nowhere "$work/compare" no-daemon
	ring_up 1 "$clients"
	# Its users must get there.
	chmod 755 "$ring_dir"
	run_phases our "$ring_dir/node1.pid" 60
	ring_down
	ring_up 2
	trace_run our_client "$work/compare" kill_node our_restart
	ring_down
}

# --- The differences --------------------------------------------------------------------------------------

# differences REFERENCE OURS: lines "KEY | REFERENCE'S | OURS" where the texts are not the same. A key that comes
# several times is counted.
differences() {
	awk '
	{
		at = index($0, ": ")
		key = substr($0, 1, at - 1)
		count[FILENAME, key]++
		if (count[FILENAME, key] > 1) {
			key = key " #" count[FILENAME, key]
		}
		if (!(key in seen)) {
			seen[key] = 1
			order[++keys] = key
		}
		text[FILENAME, key] = substr($0, at + 2)
	}
	END {
		for (i = 1; i <= keys; i++) {
			key = order[i]
			first = (ARGV[1], key) in text ? text[ARGV[1], key] : "-"
			second = (ARGV[2], key) in text ? text[ARGV[2], key] : "-"
			if (first != second) {
				print key " | " first " | " second
			}
		}
	}' "$1" "$2"
}

# The rest of the story is worth seeing.
members_late() {
	echo "trace late: $*"
}

# What is found and not expected, or expected and not found. An expected line whose first text is "*" is one in
# which the reference is not always the same: there, only ours counts.
judge() {
	awk -F ' [|] ' '
	FILENAME == ARGV[1] {
		if ($0 !~ /^#/ && NF > 0) {
			if (NF != 4) {
				print "no expected difference: " $0
			}
			expected[$1] = $2 " | " $3
			free[$1] = $2 == "*"
			ours[$1] = $3
			order[++keys] = $1
		}
		next
	}
	FILENAME == ARGV[2] {
		at = index($0, " | ")
		found[$1] = substr($0, at + 3)
		if (!($1 in expected)) {
			print "not expected: " $0
		} else if (free[$1] ? $3 != ours[$1] : found[$1] != expected[$1]) {
			print "expected: " $1 " | " expected[$1] "\n   found: " $0
		}
	}
	END {
		for (i = 1; i <= keys; i++) {
			if (!(order[i] in found) && !free[order[i]]) {
				print "expected, but there is none: " order[i] " | " expected[order[i]]
			}
		}
	}' "$here/compare.expected-differences" "$1"
}

# Every expected difference names the decision that it follows from.
check_decisions() {
	sed -n '/^[^#]/s/.* | //p' "$here/compare.expected-differences" | sort -u | while read -r decision; do
		grep -qE "^(\*\*$decision\.|\| $decision \|)" "$here/../../docs/decisions.md" ||
			echo "docs/decisions.md has no decision $decision"
	done
}

compare_all() {
	run_reference >"$work/reference" 2>"$work/reference.errors" || {
		cat "$work/reference.errors"
		exit 1
	}
	run_ours >"$work/ours" 2>"$work/ours.errors"
	differences "$work/reference" "$work/ours" >"$work/differences"
	judge "$work/differences" >"$work/judgement"
	check_decisions >>"$work/judgement"
	if [ -s "$work/judgement" ]; then
		cat "$work/judgement" "$work/ours.errors"
		exit 1
	fi
	echo "$(wc -l <"$work/ours") results, $(wc -l <"$work/differences") of them different, as expected"
}

if [ "${1:-}" = inside ]; then
	work=$2
	compile
	our_lib=$top_builddir/src/.libs
	# Ours may be built with a sanitizer, which wants to be first.
	our_preload=$(ldd "$our_lib/libcpg.so.4" | awk '$1 ~ /^lib.san/ { print $3 }')
	export work
	compare_all
	exit
fi
reason=$(missing)
if [ -n "$reason" ]; then
	echo "skipped: $reason"
	exit 77
fi
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
corosync_enclose "$0" inside "$work"
status=$?
if [ "${1:-}" = keep ]; then
	cp "$work"/reference* "$work"/ours* "$work"/differences "$2"
fi
exit $status
