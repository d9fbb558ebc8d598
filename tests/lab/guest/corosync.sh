# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Debian's corosync in the lab, for comparison. It needs no RDMA, and its paths and sockets are fixed, so every
# daemon has a network namespace (abstract sockets belong to one) and a mount namespace of its own:
#
#     corosync 1         corosync 2         corosync 3
#     tmpfs on /run, /dev/shm, /var/lib/corosync, each
#      net1               net2               net3          10.60.0.1/24, 10.60.0.2/24, ...
#       |                  |                  |            (veth pairs, net1 inside namespace corosync1)
#      q1                 q2                 q3
#       +------- br1 ------+------------------+

# Not below /run, which the daemons do not see.
COROSYNC_CONF=/etc/coronet-lab-corosync.conf
COROSYNC_STOP_SECONDS=15

corosync_network_commands() {
	local count=$1 i
	echo "link add br1 type bridge"
	echo "link set br1 mtu $LAB_MTU up"
	for ((i = 1; i <= count; i++)); do
		echo "netns add corosync$i"
		echo "link add q$i type veth peer name net$i netns corosync$i"
		echo "link set q$i mtu $LAB_MTU master br1 up"
	done
}

corosync_inside_commands() {
	echo "link set lo up"
	echo "addr add 10.60.0.$1/24 dev net$1"
	echo "link set net$1 mtu $LAB_MTU up"
}

corosync_network_up() {
	local i
	corosync_network_commands "$1" | ip -batch - || return
	for ((i = 1; i <= $1; i++)); do
		corosync_inside_commands "$i" | ip -n "corosync$i" -batch - || return
	done
}

# Deleting a namespace deletes its end of a pair, and that the other end.
corosync_network_down() {
	local i
	for i in $(ip netns list | grep -o '^corosync[0-9]*'); do
		ip netns del "$i"
	done
	ip link del br1 2>/dev/null
}

corosync_conf_print() {
	local count=$1 extra=$2 i
	cat <<-END
		totem {
		    version: 2
		    cluster_name: comparison
		    transport: knet
		    token: 3000
		}
		logging {
		    to_stderr: yes
		    to_syslog: no
		}
		nodelist {
	END
	for ((i = 1; i <= count; i++)); do
		printf '    node {\n        ring0_addr: 10.60.0.%d\n        nodeid: %d\n        name: node%d\n    }\n' \
			"$i" "$i" "$i"
	done
	echo "}"
	extra_conf "$extra"
}

# What a daemon's namespaces run; every step is an exec, so that its process id is the daemon's.
# shellcheck disable=SC2016
COROSYNC_INSIDE='for place in /run /dev/shm /var/lib/corosync; do
	mkdir -p "$place" && mount -t tmpfs tmpfs "$place" || exit
done
exec corosync -f -c "$1"'

corosync_start() {
	supervise "corosync$1" ip netns exec "corosync$1" unshare -m --propagation private \
		bash -c "$COROSYNC_INSIDE" corosync "$COROSYNC_CONF"
}

corosync_inside() {
	local pid
	pid=$(supervised_pid "corosync$1") || die "there is no corosync node $1; use corosync-up"
	shift
	nsenter -t "$pid" -m -n -- "$@"
}

# Whether every daemon sees as many members as there are daemons.
corosync_whole() {
	local i joined
	for ((i = 1; i <= $1; i++)); do
		joined=$(corosync_inside "$i" corosync-cmapctl runtime.members 2>/dev/null | grep -c '= joined$')
		((joined == $1)) || return 1
	done
}

# Succeeds too when a daemon has ended: then there is nothing to wait for.
corosync_settled() {
	local -a names
	mapfile -t names < <(corosync_names)
	any_ended "${names[@]}" || corosync_whole "$1"
}

corosync_names() {
	compgen -G "$LAB_STATE/corosync*.pid" | sed 's:.*/::; s:\.pid$::'
}
