#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Processes on three nodes join, send, sleep, leave, exit and are killed in one group. What each of them was
# told must be a piece, without a gap, of what an observer was told.
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"

seconds=${MIX_SECONDS:-8}
seed=${MIX_SEED:-$$}
mix=$ring_build/tests/system/cpg_mix

# on I WHAT ARGUMENT...: as node, but in the background, and $! is the program itself
on() {
	on_node=$1
	on_what=$2
	shift 2
	CORONET_RUN_DIR=$ring_dir/node$on_node "$mix" "$on_what" "$logs" "$@" &
}

ring_up 3
logs=$ring_dir/mix
mkdir "$logs"
on 1 observe
observer=$!
until grep -qs "$observer" "$logs/observer"; do
	kill -0 "$observer" || ring_fail "the observer ended"
	sleep 0.1
done

echo "seed $seed: MIX_SEED=$seed MIX_SECONDS=$seconds repeats the run, but for its timing"
workers=
for i in 1 2 3; do
	for worker in 1 2; do
		on "$i" work "$((seed + 10 * i + worker))" "$seconds"
		workers="$workers $!"
	done
done
for i in 1 2 3 1 2 3; do
	on "$i" work "$((seed + 100 + i))" "$seconds"
	victim=$!
	sleep 0.7
	kill -KILL "$victim" 2>/dev/null
done
for worker in $workers; do
	wait "$worker" || ring_fail "a worker failed"
done
sleep 1
kill -TERM "$observer"
wait "$observer" || ring_fail "the observer failed"
node 1 "$mix" check "$logs" || ring_fail "not all lived through one history"
