#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# coronet-bench on three nodes: all guarantees and both ways to send, with every message and the order checked; then
# the forms of what it prints, and how it fails. How fast it is, is no matter here.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

bench=$ring_build/coronet-bench

# others ROLE OPTIONS...: members on nodes 2 and 3, in the background.
others() {
	for i in 2 3; do
		CORONET_RUN_DIR=$ring_dir/node$i "$bench" "$@" --members 3 >"$work/other$i" 2>&1 &
		started "other$i"
	done
}

# All three end well, and nobody but the first one prints.
measure() {
	run 0 node 1 "$bench" "$@" --members 3 --quiet
	for i in 2 3; do
		wait "$(cat "$work/other$i.pid")" || fail "the member on node $i: $(cat "$work/other$i")"
		[ ! -s "$work/other$i" ] || fail "the member on node $i says: $(cat "$work/other$i")"
	done
}

# line PATTERN: one of the lines is like this.
line() {
	grep -Eqx -e "$1" "$work/out" || fail "no line is like $1"
}

everything_is_checked() {
	for guarantee in agreed fifo safe unordered; do
		others throughput --send
		measure throughput -g "$guarantee" -s 1,10,64,5000,300k -t 0.2 --warmup 0.1 --verify
		says "3 members, 3 of them send; $guarantee;"
		[ "$(grep -c ' yes$' "$work/out")" -eq 5 ] || fail "not all sizes are verified with $guarantee"
		[ "$(grep -c ' from node 2, process ' "$work/out")" -eq 5 ] || fail "node 2 has no rate of its own"
	done
	others throughput --receive
	measure throughput --zcb -s 64,64k,64m -t 0.2 --warmup 0 --verify --runs 2
	[ "$(grep -c ' yes$' "$work/out")" -eq 3 ] || fail "not all sizes are verified with zcb"
	says "1 of them send from zcb memory"
	others throughput --in-place
	measure throughput --in-place -s 64,5000,64k,3m -t 0.2 --warmup 0 --verify
	[ "$(grep -c ' yes$' "$work/out")" -eq 4 ] || fail "not all sizes are verified in place"
	says "3 of them send in place"
}

number='[0-9]+\.[0-9]+'

tables() {
	others throughput --receive
	measure throughput -s 64,2k -t 0.2 --warmup 0.1 --runs 3
	line ' *bytes +messages/s +slowest +spread +MB/s +slowest +CPUs +daemons'"'"' +try again +verified'
	line " *2048 +[0-9.]+ +[0-9.]+ +$number% +$number +$number +$number +$number +[0-9]+ +-"
	# Nothing would be easier to measure than nothing.
	grep -Eq "^ *64 +[1-9][0-9]" "$work/out" || fail "less than 10 messages a second"
	says "/libcpg.so.4"
	others latency --receive
	measure latency -s 64 -t 0.2 --warmup 0.1
	line " *64 own +[0-9]+( +$number){5} +$number% +-"
	line " *64 answer +[0-9]+( +$number){5} +$number% +-"
	others latency --send
	measure latency -s 64 -t 0.5 --warmup 0.1 --rate 600 --verify
	# All of the schedule is there: 600 a second for half a second.
	line " *64 own +(299|30[0-3])( +$number){5} +$number% +yes"
}

# A reader of JSON would be content: brackets match, and no comma is too many.
json_is_sound() {
	tr -d '\n' <"$work/out" | awk '
	{
		gsub(/"([^"\\]|\\.)*"/, "s")
		gsub(/-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?|true|false|null/, "s")
		while (gsub(/\{\}|\[\]|\{s:s(,s:s)*\}|\[s(,s)*\]/, "s")) {
			continue
		}
		exit $0 != "s"
	}' || fail "this is not JSON"
}

json_and_csv() {
	others latency --receive
	measure latency --json -s 64,1k -t 0.2 --warmup 0 --runs 2
	json_is_sound
	for name in mode library members senders guarantee zcb rate seconds warmup runs sizes bytes refused \
		messages_per_second megabytes_per_second cpus daemon_cpus try_again samples own answer p50 p99.9 max; do
		says "\"$name\":"
	done
	others throughput --receive
	measure throughput --json -s 64 -t 0.2 --warmup 0 --verify
	json_is_sound
	says '"verified":true'
	says '"mode":"throughput"'
	others throughput --receive
	measure throughput --csv -s 64,1k -t 0.2 --warmup 0 --runs 2
	[ "$(wc -l <"$work/out")" -eq 5 ] || fail "two sizes and runs have not four lines and a heading"
	line 'throughput,1024,2,3,1,agreed,ok(,[0-9.]+){20}'
	awk -F , 'NF != columns && columns { exit 1 } { columns = NF }' "$work/out" || fail "columns differ"
}

pictures() {
	if ! command -v gnuplot >/dev/null; then
		run 1 "$bench" throughput --plot "$work/p"
		says "--plot needs gnuplot"
		echo "no gnuplot: no pictures tried"
		return
	fi
	others throughput --receive
	measure throughput -s 64,1k -t 0.2 --warmup 0 --plot "$work/p"
	for picture in messages megabytes; do
		grep -q '<svg' "$work/p-$picture.svg" || fail "no SVG"
		[ -s "$work/p-$picture.png" ] || fail "no PNG"
	done
}

failures() {
	run 1 "$bench" throughput --nonsense
	says "--nonsense"
	CORONET_RUN_DIR=$work/nowhere run 1 "$bench" throughput --patience 1
	says "CS_ERR_LIBRARY"
	run 1 node 1 "$bench" throughput --members 2 --patience 0.5
	says "2 members are expected, and they do not come"
	run 1 node 1 "$bench" throughput --receive
	says "nobody sends"
	others throughput --send --seconds 100
	CORONET_RUN_DIR=$ring_dir/node1 "$bench" throughput --members 3 -s 64 -t 100 >"$work/first" 2>&1 &
	started first
	sleep 0.5
	kill -KILL "$(cat "$work/other3.pid")"
	for who in first other2; do
		! wait "$(cat "$work/$who.pid")" || fail "a member is lost, and $who is content"
		grep -q "the member on node 3, process .*, is lost" "$work/$who" || fail "nobody misses it"
	done
}

memory() {
	run 0 "$bench" memory -s 4k -t 0.05 --warmup 0
	line " *4096 +[1-9][0-9]* +$number%"
	run 0 "$bench" memory -s 4k,8k -t 0.05 --warmup 0 --json
	json_is_sound
}

ring_up 3
clean_up_at_exit
everything_is_checked
tables
json_and_csv
pictures
failures
memory
echo "all guarantees verified; tables, JSON and CSV have their form"
