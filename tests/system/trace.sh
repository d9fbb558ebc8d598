# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Sourced by compare.sh: what members on two nodes are told while processes and daemons come and go.
#   trace_run CLIENT PROGRAM KILL RESTART   as members_begin; KILL NODE SIGNAL and RESTART NODE NODES are functions; both
#                                           daemons run. Prints "trace NAME KIND NUMBER: what it was told".

trace_processes() {
	member A 1 totem-
	tell A join
	changes A=1
	member B 1
	tell B join
	changes A=2 B=1
	member C 2
	tell C join
	changes A=3 B=2 C=1
	tell A send 3
	sleep 1
	kill -KILL "$(member_pid B)"
	changes A=4 C=2
	member D 2
	tell D join
	changes A=5 C=3 D=1
	tell D send and finalize 200
	changes A=6 C=4
	member E 2
	tell E join
	changes A=7 C=5 E=1
	tell E send and leave 50
	changes A=8 C=6 E=2
	tell E exit
	sleep 1
	member F 1
	tell F join
	changes A=9 C=7 F=1
	tell F send and exit 200
	changes A=10 C=8
}

trace_daemons() {
	member G 2
	tell G join
	changes A=11 C=9 G=1
	"$trace_kill" 2 KILL
	changes A=12
	see C 1 '^dispatch'
	see G 1 '^dispatch'
	see A 1 '^ring of 1 with 1$'
	"$trace_restart" 2 2
	member H 2
	tell H join
	changes A=13 H=1
	member I 1
	tell I join
	changes A=14 H=2 I=1
	"$trace_kill" 2 STOP
	changes A=15 I=2
	"$trace_kill" 2 CONT
	changes A=16 I=3 H=4
	see A 2 '^ring of 1 with 1 2$'
	"$trace_kill" 2 TERM
	changes A=17 I=4
	see H 1 '^dispatch'
	tell I finalize
	changes A=18
	tell A leave
	changes A=19
}

# Rings that differ in their number only are told once. Lines of one kind are counted by themselves, so that one that
# is missing does not shift all others; messages say after how many changes they came.
trace_print() {
	# shellcheck disable=SC2154 # of members.sh
	for trace_name in $members_names; do
		wrote "$trace_name" | awk -v name="$trace_name" '
			/^ring/ && $0 == ring { next }
			/^ring/ { ring = $0 }
			/^messages/ { $0 = $0 " after change " count["change"] }
			{ print "trace " name " " $1 " " ++count[$1] ": " $0 }'
	done
}

trace_run() {
	trace_kill=$3
	trace_restart=$4
	members_begin "$1" "$2"
	trace_processes
	trace_daemons
	for trace_name in $members_names; do
		tell "$trace_name" exit
	done
	sleep 1
	trace_print
	members_end
}
