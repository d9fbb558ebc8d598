# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Sourced by system tests: Debian's corosync, unchanged, beside ours. Its paths and sockets are fixed, so each daemon
# has a network namespace (abstract sockets belong to one) and a mount namespace with /run, /dev/shm and
# /var/lib/corosync of its own. Works in a script that runs under corosync_enclose.
#   corosync_missing          says what is missing on this machine, if anything
#   corosync_enclose COMMAND  runs COMMAND where daemons may be started: as root of new namespaces
#   corosync_up N [EXTRA]     N daemons, EXTRA lines appended to their configuration; waits until they are one ring.
#                             Their network has packets of corosync_mtu bytes (1500)
#   corosync_node I COMMAND   runs COMMAND as a client of daemon I
#   corosync_start I / corosync_kill I [SIGNAL] / corosync_wait N
#   corosync_down             ends all of them

corosync_dir=

corosync_missing() {
	PATH=$PATH:/usr/sbin:/sbin
	if ! command -v corosync >/dev/null; then
		echo "corosync is not installed"
	elif ! command -v ip >/dev/null || ! command -v nsenter >/dev/null; then
		echo "ip and nsenter are needed"
	elif ! corosync_enclose true 2>/dev/null; then
		echo "namespaces are not permitted here"
	fi
}

# Whatever is left when the command ends, is ended with it.
corosync_enclose() {
	if [ "$(id -u)" -ne 0 ]; then
		set -- --map-root-user "$@"
	fi
	unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc "$@"
}

corosync_config() {
	printf 'totem {\n\tversion: 2\n\tcluster_name: compare\n\ttransport: knet\n\ttoken: 1000\n}\n'
	printf 'logging {\n\tto_stderr: yes\n\tto_syslog: no\n}\nsystem {\n\tsched_rr: no\n}\nnodelist {\n'
	for corosync_i in $(seq "$1"); do
		printf '\tnode {\n\t\tname: node%d\n\t\tnodeid: %d\n\t\tring0_addr: 10.60.0.%d\n\t}\n' \
			"$corosync_i" "$corosync_i" "$corosync_i"
	done
	printf '}\n%s\n' "$2"
}

# A process that holds the namespaces of node $1; all nodes are on one bridge in ours.
corosync_place() {
	# shellcheck disable=SC2016 # that shell expands it
	unshare --net --mount --propagation private sh -ec '
		for place in /run /dev/shm /var/lib/corosync; do
			mkdir -p "$place"
			mount -t tmpfs -o size=512m tmpfs "$place"
		done
		touch "$1"
		exec sleep 100000' corosync "$corosync_dir/node$1.there" &
	echo "$!" >"$corosync_dir/node$1.place"
	until [ -e "$corosync_dir/node$1.there" ]; do
		kill -0 "$(cat "$corosync_dir/node$1.place")" || return 1
		sleep 0.1
	done
	ip link add "port$1" type veth peer name "net$1" netns "$(cat "$corosync_dir/node$1.place")" &&
		ip link set "port$1" master bridge up &&
		corosync_node "$1" ip link set lo up &&
		corosync_node "$1" ip addr add "10.60.0.$1/24" dev "net$1" &&
		ip link set "port$1" mtu "${corosync_mtu:-1500}" &&
		corosync_node "$1" ip link set "net$1" mtu "${corosync_mtu:-1500}" &&
		corosync_node "$1" ip link set "net$1" up
}

corosync_node() {
	corosync_place_pid=$(cat "$corosync_dir/node$1.place")
	shift
	nsenter --target "$corosync_place_pid" --net --mount -- "$@"
}

corosync_start() {
	corosync_place_pid=$(cat "$corosync_dir/node$1.place")
	# Entering is an exec, so the process id is the daemon's.
	nsenter --target "$corosync_place_pid" --net --mount -- \
		corosync -f -c "$corosync_dir/corosync.conf" >>"$corosync_dir/node$1.log" 2>&1 &
	echo "$!" >"$corosync_dir/node$1.pid"
}

corosync_pid() {
	cat "$corosync_dir/node$1.pid"
}

corosync_kill() {
	kill -"${2:-KILL}" "$(corosync_pid "$1")"
}

# Waits until daemons 1 to $1 are in one ring.
corosync_wait() {
	corosync_left=600
	for corosync_i in $(seq "$1"); do
		until [ "$(corosync_node "$corosync_i" corosync-cmapctl runtime.members 2>/dev/null |
			grep -c '= joined$')" -eq "$1" ]; do
			corosync_left=$((corosync_left - 1))
			if [ "$corosync_left" -eq 0 ]; then
				echo "corosync does not form a ring of $1:" >&2
				tail -n 30 "$corosync_dir"/node*.log >&2
				return 1
			fi
			sleep 0.1
		done
	done
}

corosync_up() {
	corosync_dir=$(mktemp -d)
	chmod 755 "$corosync_dir"
	corosync_config "$1" "${2:-}" >"$corosync_dir/corosync.conf"
	ip link set lo up
	ip link add bridge type bridge && ip link set bridge up || return 1
	for corosync_i in $(seq "$1"); do
		corosync_place "$corosync_i" || return 1
	done
	for corosync_i in $(seq "$1"); do
		corosync_start "$corosync_i"
	done
	corosync_wait "$1"
}

corosync_down() {
	for corosync_pid in "$corosync_dir"/node*.pid "$corosync_dir"/node*.place; do
		[ -f "$corosync_pid" ] && kill -KILL "$(cat "$corosync_pid")" 2>/dev/null
	done
	# A bridge may still have ports, which go when their namespaces do.
	ip link del bridge 2>/dev/null
	rm -rf "$corosync_dir"
	corosync_dir=
}
