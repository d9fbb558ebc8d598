#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The command line, configurations with faults, directories that cannot be used: each has its exit code, and
# a message that names the cause and what to do.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

coronetd=$ring_build/coronetd
conf=$work/coronet.conf

# write_conf TOTEM [MORE]: lines of the totem section, and more sections.
write_conf() {
	printf 'totem {\nversion: 2\ncluster_name: options-%s\n%s\n}\n' "$$" "$1" >"$conf"
	printf 'nodelist {\nnode {\nname: a\nnodeid: 1\nring0_addr: 127.0.0.1\n}\n' >>"$conf"
	printf 'node {\nname: b\nnodeid: 2\nring0_addr: 127.0.0.1\n}\n}\n%s\n' "${2-}" >>"$conf"
}

options() {
	run 0 "$coronetd" --help
	says "--run-dir DIR"
	run 0 "$coronetd" --version
	says "coronetd "
	run 1 "$coronetd" --nonsense
	says "coronetd --help"
	run 1 "$coronetd" -f stray
	says "what does this argument mean: stray"
	run 1 "$coronetd" --run-dir "" -t
	says "--run-dir needs the name of a directory"
}

configurations() {
	run 8 "$coronetd" -t -c "$work/none"
	says "$work/none: cannot be read: No such file or directory"

	write_conf "transport: shm"
	run 8 "$coronetd" -t -c "$conf"
	says "which node is this? Several are on this host: say --node and a name or id. The nodes are 1 (a), 2 (b)"
	run 0 "$coronetd" -t -c "$conf" --node b
	says "this is node 2 (b)"
	run 8 "$coronetd" -t -c "$conf" --node c
	says "there is no node with name, address or id \"c\""

	write_conf "transport: shm
tokn: 5"
	run 0 "$coronetd" -t -c "$conf" --node a
	says "$conf:5: unknown key totem.tokn, passed over (do you mean token?)"

	write_conf "transport: udpu"
	run 8 "$coronetd" -t -c "$conf" --node a
	says "$conf:4: transport: udpu is a transport of corosync's; write rdma"

	write_conf "transport: shm
crypto_cipher: aes256"
	run 8 "$coronetd" -f -c "$conf" --node a --run-dir "$work/run"
	says "$conf:5: crypto_cipher: aes256 needs a crypto_hash too"
	[ ! -e "$work/run" ] || fail "a refused configuration leaves a run directory"

	write_conf "transport: shm" "logging {
debug: loud
}"
	run 7 "$coronetd" -t -c "$conf" --node a
	says "debug: \"loud\" is none of off, on, trace"

	write_conf "transport: rdma"
	run 8 "$coronetd" -t -c "$conf" --node a
	says "ring0_addr of node 2, 127.0.0.1, is that of node 1 as well"
}

# The example that is installed is right, in every line.
example() {
	run 0 "$coronetd" -t -c "$(dirname "$0")/../../docs/coronet.conf.example" --node node2
	says "Cluster example, 3 nodes, transport auto; this is node 2 (node2)"
	[ "$(wc -l <"$work/out")" -eq 1 ] || fail "there are messages about the example"
	# With what is commented out put in force it says the same: those are the defaults.
	sed 's/^\(\t*\)#\([a-z_]*:\)/\1\2/; /uid: alice/d; /gid: cluster/d; s/to_logfile: no/to_logfile: yes/' \
		"$(dirname "$0")/../../docs/coronet.conf.example" >"$conf"
	run 0 "$coronetd" -t -c "$conf" --node node2
	[ "$(wc -l <"$work/out")" -eq 1 ] || fail "there are messages about what is commented out"
}

quiet="logging {
to_syslog: no
}
system {
sched_rr: no
}"

directories() {
	write_conf "transport: shm" "$quiet"
	: >"$work/file"
	run 16 "$coronetd" -f -c "$conf" --node a --run-dir "$work/file"
	says "$work/file: not usable as run directory"
	run 16 "$coronetd" -f -c "$conf" --node a --run-dir "$work/file/below"
	says "the run directory cannot be made"
	long=$work/$(printf '%0100d' 0)
	run 16 "$coronetd" -f -c "$conf" --node a --run-dir "$long"
	says "the name of the run directory is too long"

	mkdir -p "$work/bad/ringid_1"
	run 21 "$coronetd" -f -c "$conf" --node a --run-dir "$work/bad"
	says "$work/bad/ringid_1: the ring's number cannot be read: Is a directory"
	rmdir "$work/bad/ringid_1"
	echo nonsense >"$work/bad/ringid_1"
	run 21 "$coronetd" -f -c "$conf" --node a --run-dir "$work/bad"
	says "$work/bad/ringid_1: not a ring number"
}

second_daemon() {
	"$coronetd" -f -c "$conf" --node a --run-dir "$work/run" >"$work/first" 2>&1 &
	first=$!
	started first
	until_true 10 test -S "$work/run/cpg.sock" || fail "the first daemon makes no socket"
	run 18 "$coronetd" -f -c "$conf" --node b --run-dir "$work/run"
	says "$work/run: a daemon runs here already, process $first"
	# The same node in another directory: over shared memory it would be the same member.
	run 15 "$coronetd" -f -c "$conf" --node a --run-dir "$work/other"
	says "is node 1 of cluster \"options-$$\" already"
	[ "$(cat "$work/run/coronetd.pid")" = "$first" ] || fail "coronetd.pid does not name $first"
	# With sched_rr: no it is a batch process (ps(1): B).
	class=$(ps -o cls= -p "$first" | tr -d ' ')
	[ "$class" = B ] || fail "scheduling class $class instead of B"
	kill "$first"
	wait "$first" || fail "SIGTERM: exit status $?"
	nothing_left "$work/run"
}

# One that was killed leaves files behind that must not be in the way.
stale_files() {
	"$coronetd" -f -c "$conf" --node a --run-dir "$work/run" >"$work/first" 2>&1 &
	first=$!
	started first
	until_true 10 test -S "$work/run/cpg.sock" || fail "no socket"
	kill -KILL "$first"
	wait "$first"
	[ -e "$work/run/coronetd.pid" ] || fail "the test does not test: no stale file"
	"$coronetd" -f -c "$conf" --node a --run-dir "$work/run" >"$work/first" 2>&1 &
	first=$!
	started first
	until_true 10 grep -q "ready: clients may connect" "$work/first" ||
		fail "not ready: $(cat "$work/first")"
	kill "$first"
	wait "$first" || fail "SIGTERM: exit status $?"
}

no_adapter() {
	printf 'totem {\nversion: 2\ntransport: rdma\n}\nnodelist {\nnode {\nnodeid: 1\n' >"$conf"
	printf 'ring0_addr: 127.0.0.1\n}\nnode {\nnodeid: 2\nring0_addr: 198.51.100.2\n}\n}\n%s\n' \
		"$quiet" >>"$conf"
	run 15 "$coronetd" -f -c "$conf" --run-dir "$work/run"
	if [ "${BUILD_VERBS:-yes}" = yes ]; then
		says "127.0.0.1"
		says "transport: shm"
	else
		says "transport rdma is not in this build"
	fi
	sed -i 's/transport: rdma/transport: auto/' "$conf"
	run 15 "$coronetd" -f -c "$conf" --run-dir "$work/run"
	says "no transport: no RDMA adapter owns the ring address 127.0.0.1 of this node, and the nodes are not all on this host"
	sed -i 's/198.51.100.2/127.0.0.1/' "$conf"
	"$coronetd" -f -c "$conf" --node 1 --run-dir "$work/run" >"$work/out" 2>&1 &
	first=$!
	started first
	until_true 10 grep -q "ready: clients may connect" "$work/out" || fail "auto does not take shm"
	says "transport shm (shared memory"
	kill "$first"
	wait "$first"
}

options
configurations
example
directories
second_daemon
stale_files
no_adapter
echo "all exit codes and messages are as documented"
