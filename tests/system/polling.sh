#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# system.poll on two nodes over shared memory: each mode carries traffic and loses no wake-up, a daemon at rest costs nothing unless it is told to
# poll busily, and a reload changes the mode.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

bench=$ring_build/coronet-bench

# mode_is I WORD: node I says that it polls so.
mode_is() {
	node "$1" "$ring_build/coronet-status" >"$work/out" && grep -Eqx "polling    $2(;.*)?" "$work/out" &&
		[ "$(fact "$1" mode)" = "$2" ]
}

# change_to WORD: both nodes, while they run.
change_to() {
	sed -i "s/poll: .*/poll: $1/" "$ring_dir/coronet.conf"
	for i in 1 2; do
		kill_node "$i" HUP
		wait_log "$i" "reload: poll is $1 now"
		mode_is "$i" "$1" || fail "node $i does not poll: $1"
	done
}

# measure ARGUMENTS...: node 1's member sends, node 2's answers or only receives.
measure() {
	CORONET_RUN_DIR=$ring_dir/node2 "$bench" "$@" --receive --members 2 >"$work/other" 2>&1 &
	started other
	run 0 node 1 "$bench" "$@" --members 2 --quiet
	wait "$(cat "$work/other.pid")" || fail "the member on node 2: $(cat "$work/other")"
}

# A wake-up that is lost shows as a wait for some timer: 50 ms and more, each time.
traffic() {
	measure throughput -s 10,5000,300k -t 0.3 --warmup 0.1 --verify
	[ "$(grep -c ' yes$' "$work/out")" -eq 3 ] || fail "$1: not all sizes are verified"
	measure latency -s 64 -t 0.5 --warmup 0.1 --interval 0 --verify
	awk -v most="$2" '$2 == "own" { found = 1; bad = $4 > most } END { exit bad || !found }' "$work/out" ||
		fail "$1: half of the messages take more than $2 us to come back"
}

cpu_ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

sleeps() {
	awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$1/status"
}

# Sets `used`, in percent of a processor, and `slept`, in times a second, of node 1's daemon.
watch() {
	watched=$(node_pid 1)
	used=$(cpu_ticks "$watched")
	slept=$(sleeps "$watched")
	sleep "$1"
	used=$((($(cpu_ticks "$watched") - used) * 100 / ($(getconf CLK_TCK) * $1)))
	slept=$((($(sleeps "$watched") - slept) / $1))
}

rests() {
	until_true 10 fact_is 1 resting true || fail "$1: the token does not rest"
	watch 4
	[ "$used" -lt 1 ] || fail "$1: a daemon at rest uses $used% of a processor"
}

# As much of a processor as there is: others may want it.
never_rests() {
	watch 1
	[ "$used" -ge 20 ] || fail "busy: the daemon uses $used% of a processor only"
	[ "$slept" -le 20 ] || fail "busy: the daemon sleeps $slept times a second"
}

ring_up 2
clean_up_at_exit
mode_is 1 adaptive || fail "adaptive is not the default"
printf 'system {\n\tpoll: adaptive\n}\n' >>"$ring_dir/coronet.conf"
traffic adaptive 20000
rests adaptive
change_to busy
traffic busy 200000
never_rests
change_to event
traffic event 20000
rests event
change_to adaptive
rests adaptive
sed -i "s/poll: .*/poll: seldom/" "$ring_dir/coronet.conf"
kill_node 1 HUP
wait_log 1 "reload: nothing is changed"
mode_is 1 adaptive || fail "a fault in the configuration changes the mode"
echo "event, adaptive and busy polling carry traffic; only busy polling keeps a processor"
