#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A storm of faults over a ring whose members send all the time (witness.c), and a judge of what all of them were told
# (judge.c). Ends with a report: faults by kind, messages, rings, times.
#
#   storm.sh [--nodes N] [--seconds S] [--seed N] [--kinds "KIND..."] [--keep DIRECTORY]
#
# Kinds that need only processes: kill term stop again client-kill client-stop. In the lab (RING_NETWORK) also:
# cut flap hole-to hole-from loss delay reorder duplicate split split-again queue-pair device.
# The same seed draws the same faults at the same times; what they meet depends on the machine.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"

process_kinds="kill term stop again client-kill client-stop"
network_kinds="cut flap hole-to hole-from loss delay reorder duplicate split split-again queue-pair device"
nodes=4
seconds=30
seed=$((16#$(od -An -N3 -tx1 /dev/urandom | tr -d ' ')))
kinds=
keep=

usage() {
	sed -n 's/^# \{0,3\}//; 3,10p' "$0" >&2
	exit 2
}

while (($# > 0)); do
	case $1 in
	--nodes) nodes=$2 ;;
	--seconds) seconds=$2 ;;
	--seed) seed=$2 ;;
	--kinds) kinds=$2 ;;
	--keep) keep=$2 ;;
	*) usage ;;
	esac
	shift 2 || usage
done
if [[ -n ${RING_NETWORK-} ]]; then
	lab=yes
	token_ms=2500
	rate=6
	largest=200000
	churns=2
	polite=15
	patience=180
	: "${kinds:=$process_kinds $network_kinds}"
else
	lab=
	token_ms=500
	rate=100
	largest=1000000
	churns=$nodes
	polite=0
	patience=120
	: "${kinds:=$process_kinds}"
fi
tools=$ring_build/tests/system
witness=$tools/.libs/witness
[[ -x $witness ]] || witness=$tools/witness

# A number of its own instead of RANDOM, which other functions and shells draw from too.
dice=$seed
throw() {
	dice=$(((dice * 1103515245 + 12345) & 0x7fffffff))
	thrown=$(((dice >> 8) % $1))
}

# between LEAST MOST: a number of milliseconds, in `thrown`.
between() {
	throw $(($2 - $1 + 1))
	thrown=$((thrown + $1))
}

now_ms() {
	local us=${EPOCHREALTIME/./}
	now=$((us / 1000))
}

storm_fail() {
	if [[ -n $keep ]]; then
		mkdir -p "$keep"
		cp "$ring_dir"/*.log "$keep/"
		tar -C "$ring_dir" -cf "$keep/stories.tar" stories
	fi
	ring_fail "seed $seed: $*"
}

# --- What is done again later ---------------------------------------------------------------------

due=()
undo=()

# later MILLISECONDS COMMAND...
later() {
	now_ms
	due+=($((now + $1)))
	shift
	undo+=("$*")
}

# The words of a command are names and numbers without blanks.
undo_due() {
	local i at command
	now_ms
	for i in "${!due[@]}"; do
		at=${due[i]}
		command=${undo[i]}
		if ((at <= now)); then
			unset "due[$i]" "undo[$i]"
			$command
		fi
	done
}

# --- Faults of processes --------------------------------------------------------------------------

declare -A count # of faults that were injected, by kind
process=()       # of each node: up, stopped, down
link=()          # of each node: ok, or a fault's name
side=()          # of each node, in a partition: 0 or 1

# Process ids.
daemon=()
member=()
churn=()

begun=() # of each node: how often its daemon had, before the last start

daemon_runs() {
	kill -0 "${daemon[$1]}" 2>/dev/null
}

# times_begun NODE
times_begun() {
	grep -c ' starts: ' "$ring_dir/node$1.log"
}

back_up() {
	begun[$1]=$(times_begun "$1")
	start_node "$1"
	daemon[$1]=$!
	process[$1]=up
}

fault_kill() {
	kill -KILL "${daemon[$1]}"
	wait "${daemon[$1]}" 2>/dev/null
	process[$1]=down
	between 0 2500
	later "$thrown" back_up "$1"
}

# Killed again as soon as it is back.
fault_again() {
	fault_kill "$1"
	later 3000 kill_if_up "$1"
	later 3400 kill_if_up "$1"
}

kill_if_up() {
	[[ ${process[$1]} != up ]] || fault_kill "$1"
}

fault_term() {
	kill -TERM "${daemon[$1]}"
	process[$1]=down
	now_ms
	later 100 ended "$1" $((now + 60000))
}

# ended_well NODE STATUS: 127 is that bash has no record of it any more, which happens when many processes come and go.
# Then the log knows.
ended_well() {
	(($2 == 0)) || { (($2 == 127)) && [[ $(tail -n 1 "$ring_dir/node$1.log") == *" stopped" ]]; }
}

# SIGTERM before that may end the loading of the program, or be swallowed by the shell that has not become it yet.
has_begun() {
	(($(times_begun "$1") > ${begun[$1]:-0}))
}

# What a daemon that should have ended does in the kernel: only root may see that.
where_it_hangs() {
	local task
	for task in "/proc/${daemon[$1]}"/task/*; do
		echo "node $1, thread ${task##*/}: $(grep ^State "$task/status")"
		cat "$task/stack"
	done 2>/dev/null
	dmesg 2>/dev/null | tail -n 30
}

# ended NODE DEADLINE: an orderly end takes the time that members need to have everything.
ended() {
	local status
	if ! daemon_runs "$1"; then
		wait "${daemon[$1]}"
		status=$?
		ended_well "$1" "$status" || storm_fail "node $1 ended with status $status after SIGTERM"
		back_up "$1"
	elif now_ms && ((now > $2)); then
		where_it_hangs "$1"
		storm_fail "node $1 does not end after SIGTERM"
	else
		later 100 ended "$1" "$2"
	fi
}

fault_stop() {
	kill -STOP "${daemon[$1]}"
	process[$1]=stopped
	between 20 $((token_ms * 3))
	later "$thrown" go_on "$1"
}

go_on() {
	kill -CONT "${daemon[$1]}"
	process[$1]=up
}

# A member of the node's, or nothing.
some_client() {
	local children parents=${member[$1]}${churn[$1]:+,${churn[$1]}}
	mapfile -t children < <(pgrep -P "$parents")
	client=
	if ((${#children[@]} > 0)); then
		throw ${#children[@]}
		client=${children[thrown]}
	fi
}

fault_client-kill() {
	some_client "$1"
	[[ -z $client ]] || kill -KILL "$client" 2>/dev/null
}

fault_client-stop() {
	some_client "$1"
	if [[ -n $client ]] && kill -STOP "$client" 2>/dev/null; then
		between 50 3000
		later "$thrown" client_goes_on "$client"
	fi
}

client_goes_on() {
	kill -CONT "$1" 2>/dev/null
}

# --- Faults of the network ------------------------------------------------------------------------
# What the lab's cut, heal and netem do (docs/lab.md), without a shell for each.

pull() {
	ip link set "p$1" down
}

put_back() {
	ip link set "p$1" up
}

# bad ENDS NODE ARGUMENT...: p towards the node, e from it, "p e" both; in the words of tc-netem(8)
bad() {
	local ends=$1 node=$2 end
	shift 2
	for end in $ends; do
		tc qdisc replace dev "$end$node" root netem "$@" || return
	done
}

link_ok() {
	local end
	put_back "$1"
	for end in e p; do
		tc qdisc del dev "$end$1" root 2>/dev/null
	done
	link[$1]=ok
}

for_a_while() {
	link[$2]=$1
	between 200 $((token_ms * 3))
	later "$thrown" link_ok "$2"
}

fault_cut() {
	pull "$1"
	for_a_while cut "$1"
}

fault_flap() {
	local i
	link[$1]=flap
	for i in 1 2 3 4; do
		between 50 400
		later $((i * 400)) pull "$1"
		later $((i * 400 + thrown)) put_back "$1"
	done
	later 2500 link_ok "$1"
}

fault_hole-to() {
	bad p "$1" loss 100%
	for_a_while hole-to "$1"
}

fault_hole-from() {
	bad e "$1" loss 100%
	for_a_while hole-from "$1"
}

fault_loss() {
	between 1 5
	bad "p e" "$1" loss "$thrown%"
	for_a_while loss "$1"
}

fault_delay() {
	between 1 20
	bad "p e" "$1" delay "${thrown}ms"
	for_a_while delay "$1"
}

fault_reorder() {
	between 5 30
	bad "p e" "$1" delay 5ms reorder "$thrown%"
	for_a_while reorder "$1"
}

fault_duplicate() {
	between 1 10
	bad "p e" "$1" duplicate "$thrown%"
	for_a_while duplicate "$1"
}

# to_side NODE 0|1: which virtual network its port is in. Silence between the two, links that stay up.
to_side() {
	[[ ${side[$1]} != "$2" ]] || return
	printf 'vlan add dev p%d vid %d pvid untagged\nvlan del dev p%d vid %d\n' "$1" $((1 + $2)) "$1" $((2 - $2))
	side[$1]=$2
}

split() {
	local i
	for ((i = 1; i <= nodes; i++)); do
		throw 2
		to_side "$i" "$thrown"
	done >"$ring_dir/split"
	bridge -batch "$ring_dir/split"
}

join_sides() {
	local i
	for ((i = 1; i <= nodes; i++)); do
		to_side "$i" 0
	done >"$ring_dir/split"
	bridge -batch "$ring_dir/split"
}

fault_split() {
	split
	between 200 $((token_ms * 4))
	later "$thrown" join_sides
}

# Parted anew, otherwise, before the sides have come together.
fault_split-again() {
	split
	between $((token_ms * 2)) $((token_ms * 4))
	later "$thrown" join_sides
	later $((thrown + 300)) split
	later $((thrown + 300 + token_ms)) join_sides
	later $((thrown + 600 + token_ms)) split
	later $((thrown + 600 + token_ms * 3)) join_sides
}

# One queue pair, of control or bulk, hears nothing any more until its other end has tried often enough: its error.
fault_queue-pair() {
	local numbers
	mapfile -t numbers < <(rdma -j resource show qp link "rx$1/1" | jq '.[] | select(.lqpn > 1) | .lqpn')
	((${#numbers[@]} > 0)) || return 1
	throw ${#numbers[@]}
	tc filter add dev "e$1" ingress protocol ip u32 match ip protocol 17 0xff match ip dport 4791 0xffff \
		match u32 "$(printf '0x%08x' "${numbers[thrown]}")" 0x00ffffff at nexthdr+12 action drop || return 1
	link[$1]=queue-pair
	later 4000 hear_again "$1"
}

hear_again() {
	tc filter del dev "e$1" ingress
	link[$1]=ok
}

# The adapter goes away under the daemon, which ends; the system waits for that.
fault_device() {
	rdma link delete "rx$1" &
	removal=$!
	link[$1]=device
	process[$1]=down
	now_ms
	later 100 removed "$1" "$removal" $((now + 30000))
}

removed() {
	if daemon_runs "$1" || kill -0 "$2" 2>/dev/null; then
		now_ms
		if ((now > $3)); then
			where_it_hangs "$1"
			storm_fail "node $1 keeps an adapter that is gone"
		fi
		later 100 removed "$@"
		return
	fi
	wait "${daemon[$1]}"
	status=$?
	# Lost, or not found by a daemon that had only begun.
	((status == 15)) || ended_well "$1" "$status" || storm_fail "node $1, without an adapter, ended with status $status"
	rdma link add "rx$1" type rxe netdev "e$1" || storm_fail "no new adapter for node $1"
	link[$1]=ok
	between 0 2500
	later "$thrown" back_up "$1"
}

# --- The storm ------------------------------------------------------------------------------------

# Whether a fault of the kind can befall the node as it is now.
possible() {
	case $1 in
	client-*) ;;
	term) [[ ${process[$2]} == up ]] && has_begun "$2" ;;
	kill | stop | again) [[ ${process[$2]} == up ]] ;;
	split*) [[ ${undo[*]-} != *_sides* ]] ;;
	device | queue-pair) [[ ${process[$2]} == up && ${link[$2]} == ok ]] ;;
	*) [[ ${link[$2]} == ok ]] ;;
	esac
}

some_fault() {
	local kind node tries list
	read -ra list <<<"$kinds"
	for ((tries = 0; tries < 50; tries++)); do
		throw ${#list[@]}
		kind=${list[thrown]}
		throw "$nodes"
		node=$((thrown + 1))
		! possible "$kind" "$node" || break
	done
	if ((tries < 50)) && "fault_$kind" "$node"; then
		count[$kind]=$((${count[$kind]:-0} + 1))
		now_ms
		echo "$((now - began)) ms: $kind $node"
	fi
}

# Nobody else ends daemons.
all_live() {
	local i
	for ((i = 1; i <= nodes; i++)); do
		[[ ${process[i]} == down ]] || daemon_runs "$i" || storm_fail "the daemon of node $i has ended"
	done
}

# A pause without a process of its own, which takes long where everything is emulated.
tick() {
	read -r -t 0.05 -u "$ticks"
}

storm() {
	local until next=0 gap
	now_ms
	began=$now
	until=$((began + seconds * 1000))
	while ((now < until)); do
		undo_due
		all_live
		if ((now >= next)); then
			some_fault
			# Often close to each other, sometimes with time to come to rest.
			throw 4
			gap=$((thrown == 0 ? token_ms * 2 : token_ms / 2))
			between 50 "$gap"
			now_ms
			next=$((now + thrown))
		fi
		tick
	done
	while ((${#due[@]} > 0)); do
		undo_due
		tick
	done
}

start_witnesses() {
	local i
	export LD_LIBRARY_PATH=$ring_build/src/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	mkdir "$ring_dir/stories"
	for ((i = 1; i <= nodes; i++)); do
		CORONET_RUN_DIR=$ring_dir/node$i nice -n "$polite" "$witness" --log "$ring_dir/stories" --rate "$rate" --max "$largest" --seed $((seed + i)) \
			2>>"$ring_dir/witness.errors" &
		member[i]=$!
		((i <= churns)) || continue
		CORONET_RUN_DIR=$ring_dir/node$i nice -n "$polite" "$witness" --log "$ring_dir/stories" --rate "$rate" --max 5000 --seed $((seed + i + 100)) \
			--life 6000 2>>"$ring_dir/witness.errors" &
		churn[i]=$!
	done
}

# within SECONDS WHAT COMMAND...
within() {
	local until=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		((SECONDS < until)) || storm_fail "$what"
		sleep 0.1
	done
}

parent_is_done() {
	! kill -0 "$1" 2>/dev/null || [[ -e $ring_dir/stories/$2.$1 ]]
}

all_parents() {
	local pid
	for pid in "${member[@]}" "${churn[@]}"; do
		parent_is_done "$pid" "$1" || return 1
	done
}

whole() {
	local i
	for ((i = 1; i <= nodes; i++)); do
		ring_has "$i" "$nodes" || return 1
	done
}

calm_down() {
	within "$patience" "the ring is not whole again" whole
	touch "$ring_dir/stories/stop"
	within "$patience" "what was sent has not come back to all who sent it" all_parents drained
	touch "$ring_dir/stories/leave"
	within "$patience" "members do not leave" all_parents never
	[[ ! -s $ring_dir/witness.errors ]] || storm_fail "$(cat "$ring_dir/witness.errors")"
}

# From the daemons' logs: when each gave up which ring.
lefts() {
	awk -v node="$1" -v year="$(date +%Y)" '
		BEGIN {
			split("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", names, " ")
			for (i in names) { month[names[i]] = i }
		}
		/ gather, ring / {
			split($3, clock, /[:.]/)
			ring = $0
			sub(/.* gather, ring /, "", ring)
			sub(/:.*/, "", ring)
			split(ring, id, ".")
			seq = 0
			for (i = 1; i <= length(id[2]); i++) {
				seq = seq * 16 + index("0123456789abcdef", substr(id[2], i, 1)) - 1
			}
			seconds = mktime(year " " month[$1] " " $2 " " clock[1] " " clock[2] " " clock[3])
			printf "left %d %d %.0f %.0f\n", node, id[1], seq, (seconds * 1000 + clock[4]) * 1000
		}' "$ring_dir/node$1.log"
}

report() {
	local kind total=0 line=
	for kind in $kinds; do
		line+=", $kind ${count[$kind]:-0}"
		total=$((total + ${count[$kind]:-0}))
	done
	echo "storm: seed $seed, $nodes nodes, $seconds s, $total faults${line/,/:}"
	cat "$ring_dir/verdict"
	cat "$ring_dir"/node*.log | sed -n 's/.*; because: .*; after \([0-9]*\) ms$/\1/p' | sort -n |
		awk '{ v[NR] = $1 } END { if (NR) {
			print "new rings at a node: " NR "; from the loss of the last one ms: median " v[int((NR + 1) / 2)] ", most " v[NR] } }'
	((total > 0))
}

judged() {
	local i
	for ((i = 1; i <= nodes; i++)); do
		lefts "$i" >"$ring_dir/stories/node$i.left"
	done
	# Who was ended before it was connected wrote nothing.
	find "$ring_dir/stories" -name '*.story' -size 0 -delete
	"$tools/judge" "$ring_dir"/stories/*.story "$ring_dir"/stories/*.left >"$ring_dir/verdict" ||
		storm_fail "not all that was promised: $(cat "$ring_dir/verdict")"
}

echo "storm: seed $seed"
exec {ticks}<> <(:)
storm_end() {
	disown -a
	kill -KILL "${member[@]}" "${churn[@]}" 2>/dev/null
	ring_down
}
for ((i = 1; i <= nodes; i++)); do
	process[i]=up
	link[i]=ok
	side[i]=0
done
if [[ -n $lab ]]; then
	ip link set br0 type bridge vlan_filtering 1 || exit
	# Once, before there is traffic: the kernel rewrites its own code for the first, which QEMU's emulation does not survive.
	for ((i = 1; i <= nodes; i++)); do
		tc qdisc add dev "e$i" clsact || exit
	done
	# Before the members, who would take all there is of the emulated processors.
	renice -n -10 -p $$ >/dev/null
fi
# Without priority over whoever makes the faults: in the lab they have two emulated processors together.
ring_up "$nodes" "totem {
	token: $token_ms
	token_coefficient: 0
}
system {
	sched_rr: no
}"
trap storm_end EXIT
for ((i = 1; i <= nodes; i++)); do
	read -r "daemon[i]" <"$ring_dir/node$i.pid"
done
start_witnesses
storm
calm_down
judged
report
