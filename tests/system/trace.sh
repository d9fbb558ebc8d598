# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
# Sourced by compare.sh: what members on two nodes are told while processes and daemons come and go.
#   trace_run CLIENT KILL RESTART   CLIENT NODE COMMAND..., KILL NODE SIGNAL, RESTART NODE NODES are functions;
#                                   both daemons run, the program is $work/compare. Prints "trace NAME KIND NUMBER: what it was told".

trace_member() {
	mkfifo "$trace_dir/$1.in"
	: >"$trace_dir/$1"
	"$trace_client" "$2" "$work/compare" "${3:-}member" trace <>"$trace_dir/$1.in" >"$trace_dir/$1" &
	trace_see "$1" 1 '^me '
	# What others call it, and how to end it.
	trace_address=$(sed -n 's/^me //p' "$trace_dir/$1")
	echo "${trace_address#*:}" >"$trace_dir/$1.pid"
	printf 's/\\b%s\\b/%s/g\n' "$trace_address" "$1" >>"$trace_dir/names"
	trace_names="$trace_names $1"
}

trace_tell() {
	trace_name=$1
	shift
	# Opened for both, because it may be gone.
	echo "$*" 1<>"$trace_dir/$trace_name.in"
}

# trace_see NAME COUNT PATTERN: waits until so many lines of it match.
trace_see() {
	trace_left=600
	until [ "$(grep -c -e "$3" "$trace_dir/$1")" -ge "$2" ]; do
		trace_left=$((trace_left - 1))
		if [ $trace_left -eq 0 ]; then
			echo "trace $1 waits $2: in vain for $3"
			return 1
		fi
		sleep 0.1
	done
}

# trace_all NAME=COUNT...: waits until these have been told of so many changes, in all their lives.
trace_all() {
	for trace_word in "$@"; do
		trace_see "${trace_word%=*}" "${trace_word#*=}" '^change'
	done
}

trace_processes() {
	trace_member A 1 totem-
	trace_tell A join
	trace_all A=1
	trace_member B 1
	trace_tell B join
	trace_all A=2 B=1
	trace_member C 2
	trace_tell C join
	trace_all A=3 B=2 C=1
	trace_tell A send 3
	sleep 1
	kill -KILL "$(cat "$trace_dir/B.pid")"
	trace_all A=4 C=2
	trace_member D 2
	trace_tell D join
	trace_all A=5 C=3 D=1
	trace_tell D send and finalize 200
	trace_all A=6 C=4
	trace_member E 2
	trace_tell E join
	trace_all A=7 C=5 E=1
	trace_tell E send and leave 50
	trace_all A=8 C=6 E=2
	trace_tell E exit
	sleep 1
	trace_member F 1
	trace_tell F join
	trace_all A=9 C=7 F=1
	trace_tell F send and exit 200
	trace_all A=10 C=8
}

trace_daemons() {
	trace_member G 2
	trace_tell G join
	trace_all A=11 C=9 G=1
	"$trace_kill" 2 KILL
	trace_all A=12
	trace_see C 1 '^dispatch'
	trace_see G 1 '^dispatch'
	trace_see A 1 '^ring of 1 with 1$'
	"$trace_restart" 2 2
	trace_member H 2
	trace_tell H join
	trace_all A=13 H=1
	trace_member I 1
	trace_tell I join
	trace_all A=14 H=2 I=1
	"$trace_kill" 2 STOP
	trace_all A=15 I=2
	"$trace_kill" 2 CONT
	trace_all A=16 I=3 H=4
	trace_see A 2 '^ring of 1 with 1 2$'
	"$trace_kill" 2 TERM
	trace_all A=17 I=4
	trace_see H 1 '^dispatch'
	trace_tell I finalize
	trace_all A=18
	trace_tell A leave
	trace_all A=19
}

# Rings that differ in their number only are told once. Lines of one kind are counted by themselves, so that one that
# is missing does not shift all others; messages say after how many changes they came.
trace_print() {
	for trace_name in $trace_names; do
		sed -f "$trace_dir/names" "$trace_dir/$trace_name" | awk -v name="$trace_name" '
			/^ring/ && $0 == ring { next }
			/^ring/ { ring = $0 }
			/^messages/ { $0 = $0 " after change " count["change"] }
			{ print "trace " name " " $1 " " ++count[$1] ": " $0 }'
	done
}

trace_run() {
	trace_client=$1
	trace_kill=$2
	trace_restart=$3
	trace_names=
	trace_dir=$(mktemp -d)
	trace_processes
	trace_daemons
	for trace_name in $trace_names; do
		trace_tell "$trace_name" exit
	done
	sleep 1
	trace_print
	rm -rf "$trace_dir"
}
