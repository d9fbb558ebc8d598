# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Sourced by tests with members that do what they are told and write down what they are told; on corosync, on a ring
# over shared memory, and in the lab.
#   members_begin CLIENT PROGRAM   CLIENT NODE COMMAND... runs a command as a client of that node; PROGRAM is the one
#                                  built from compare/
#   member NAME NODE [totem-]      starts one, which is not joined yet; with "totem-" it hears of rings too
#   tell NAME WORDS                join, leave, send N, send and exit N (finalize, leave), finalize, exit
#   see NAME COUNT PATTERN         waits until so many lines of what it wrote match
#   changes NAME=COUNT...          waits until these have been told of so many changes in all their lives
#   wrote NAME                     what it wrote, with the members' names instead of node and process
#   members_end                    ends all of them
# What takes longer than members_patience (tenths of seconds) is told by members_late TEXT.

members_patience=600
members_dir=

members_late() {
	echo "FAIL: $*"
	exit 1
}

members_begin() {
	members_client=$1
	members_program=$2
	members_names=
	members_dir=$(mktemp -d)
	: >"$members_dir/names"
}

member() {
	mkfifo "$members_dir/$1.in"
	: >"$members_dir/$1"
	"$members_client" "$2" "$members_program" "${3:-}member" members <>"$members_dir/$1.in" \
		>"$members_dir/$1" 2>&1 &
	see "$1" 1 '^me '
	# What others call it, and how to end it.
	members_address=$(member_address "$1")
	echo "${members_address#*:}" >"$members_dir/$1.pid"
	printf 's/\\b%s\\b/%s/g\n' "$members_address" "$1" >>"$members_dir/names"
	members_names="$members_names $1"
}

# As it is written before "wrote" puts the name in its place.
member_address() {
	sed -n 's/^me //p' "$members_dir/$1"
}

member_pid() {
	cat "$members_dir/$1.pid"
}

tell() {
	members_name=$1
	shift
	# Opened for both, because it may be gone.
	echo "$*" 1<>"$members_dir/$members_name.in"
}

see() {
	members_left=$members_patience
	until [ "$(grep -c -e "$3" "$members_dir/$1")" -ge "$2" ]; do
		members_left=$((members_left - 1))
		if [ $members_left -eq 0 ]; then
			members_late "$1 did not write $2 times: $3. It wrote: $(wrote "$1")"
			return 1
		fi
		sleep 0.1
	done
}

changes() {
	for members_word in "$@"; do
		see "${members_word%=*}" "${members_word#*=}" '^change'
	done
}

wrote() {
	sed -f "$members_dir/names" "$members_dir/$1"
}

members_end() {
	[ -n "$members_dir" ] || return 0
	for members_name in $members_names; do
		kill -KILL "$(member_pid "$members_name")" 2>/dev/null
	done
	rm -rf "$members_dir"
	members_dir=
}
