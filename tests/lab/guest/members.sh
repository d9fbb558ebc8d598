# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Sourced by cases in which members A, B and C on nodes 1, 2 and 3 send while something breaks: tests/system/members.sh
# for the lab, and what such members must have been told in the end.
#   three_members      starts them, joined
#   send_all COUNT     each begins to send so many; sent_all waits until all is accepted
#   was_told NAME... TEXT   in its last change
#   all_together       waits until each sees all others
#   compare_at NAME    another member joins; what was told before it must agree (tests/system/members_agree.awk)
#   own_messages       who sent it was delivered all of it, in order
#   fail TEXT

members_system=$LAB_TOP/tests/system
# shellcheck source=tests/system/members.sh
. "$members_system/members.sh"
members_turns=() # how many each was told to send
members_patience=1800

fail() {
	local i name
	echo "FAILED after $SECONDS s: $*"
	for name in A B C; do
		echo "--- $name"
		wrote "$name" | tail -n 30
	done
	for name in $members_names; do
		wrote "$name" >"$LAB_OUT/story.$name"
	done
	for ((i = 1; i <= LAB_NODES; i++)); do
		echo "--- node $i"
		tail -n 30 "$LAB_STATE/node$i.log"
	done
	# Whoever shows only the end shows this.
	echo "FAILED after $SECONDS s: $*"
	exit 1
}

members_late() {
	fail "$*"
}

three_members() {
	local program=$CORONET_BUILD/tests/system/.libs/cpg_calls
	[[ -x $program ]] || program=$CORONET_BUILD/tests/system/cpg_calls
	if [[ ! -x $program ]]; then
		echo "cpg_calls was not built"
		exit 77
	fi
	ring-up || exit
	members_begin node "$program"
	# Nobody wants to read that the shell's children were killed.
	trap 'disown -a; members_end' EXIT
	member A 1 totem-
	member B 2 totem-
	member C 3 totem-
	tell A join
	changes A=1
	tell B join
	changes B=1
	tell C join
	changes A=3 B=2 C=1
}

send_all() {
	local name
	for name in A B C; do
		tell "$name" send "$1"
	done
	members_turns+=("$1")
}

sent_all() {
	local name
	for name in A B C; do
		see "$name" "${#members_turns[@]}" '^send [0-9]* OK$'
	done
}

last_change() {
	wrote "$1" | grep '^change' | tail -n 1
}

was_told() {
	local name
	for name in "${@:1:$#-1}"; do
		[[ $(last_change "$name") == "change ${*: -1}" ]] ||
			fail "the last change that $name was told of is not: ${*: -1}"
	done
}

all_together() {
	local name deadline=$((SECONDS + 180))
	for name in A B C; do
		until [[ $(last_change "$name") == *"members[A"*"B C]"* ]]; do
			((SECONDS < deadline)) || fail "$name does not see all others again"
			sleep 0.2
		done
	done
}

members_agree() {
	local verdict
	verdict=$(awk -v one="$1" -v other="$2" -f "$members_system/members_agree.awk" \
		"$members_dir/story.$1" "$members_dir/story.$2") || fail "$1 and $2 were told different stories: $verdict"
	echo "$verdict"
}

compare_at() {
	local name
	member "$1" 1
	tell "$1" join
	for name in A B C; do
		see "$name" 1 "joined\[$(member_address "$1")/1\]"
		wrote "$name" >"$members_dir/story.$name"
	done
	members_agree A B
	members_agree A C
	members_agree B C
}

own_messages() {
	local name
	for name in A B C; do
		wrote "$name" | awk -v me="$name" -v counts="${members_turns[*]}" '
			BEGIN { split(counts, wanted, " "); turn = 1; next_one = 1 }
			/^messages/ && $6 == me {
				if ($2 != next_one) { print "from " me " comes " $2 ", not " next_one; exit 1 }
				next_one = $4 + 1
				if ($4 == wanted[turn]) { turn++; next_one = 1 }
			}
			END { if (wanted[turn] != "") { print me ": only " turn - 1 " turns came"; exit 1 } }' ||
			fail "$name was not delivered what it sent"
	done
}
