# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The lab's network: one soft-RoCE device per node, all in the guest's initial network namespace (rxe in
# Linux 6.1 passes packets in no other), joined by a bridge.
#
#     node 1             node 2             node 3
#      rx1                rx2                rx3           soft-RoCE devices
#       |                  |                  |
#      e1                 e2                 e3            10.50.0.1/32, 10.50.0.2/32, ...
#       |                  |                  |            (veth pairs)
#      p1                 p2                 p3            here act cut, heal and netem
#       +------- br0 ------+------------------+
#
# All addresses are local, so Linux would short-cut every packet through lo, where no rxe device hears
# it. Policy routing prevents that: outgoing packets are routed by the table of their device (rule 50) or of
# their source address (rule 60), and the local table is asked for arriving packets (rule 70) and else only
# after those (rule 100 instead of 0). Frames thus really cross the bridge.

topology_sysctls() {
	local ipv4=/proc/sys/net/ipv4/conf place
	for place in all default; do
		echo 1 >"$ipv4/$place/accept_local"
		echo 0 >"$ipv4/$place/rp_filter"
	done
	echo 1 >"$ipv4/all/arp_ignore"
	echo 2 >"$ipv4/all/arp_announce"
}

# Commands for "ip -batch": one process for all of them, because starting one is slow in emulation.
topology_node() {
	local i=$1 mtu=$2 table=$((1000 + $1))
	cat <<-END
		link add e$i type veth peer name p$i
		link set e$i mtu $mtu up
		link set p$i mtu $mtu master br0 up
		addr add 10.50.0.$i/32 dev e$i
		route add 10.50.0.0/24 dev e$i src 10.50.0.$i table $table
		rule add pref 50 oif e$i lookup $table
		rule add pref 60 from 10.50.0.$i iif lo lookup $table
		rule add pref 70 iif e$i lookup local
	END
}

topology_commands() {
	local nodes=$1 mtu=$2 i
	echo "link set lo up"
	echo "link add br0 type bridge"
	echo "link set br0 mtu $mtu up"
	for ((i = 1; i <= nodes; i++)); do
		topology_node "$i" "$mtu"
	done
	echo "route add 10.50.0.0/24 dev e1"
	echo "rule add pref 100 lookup local"
	echo "rule del pref 0"
}

topology_devices() {
	local i
	for ((i = 1; i <= $1; i++)); do
		echo "link add rx$i type rxe netdev e$i"
	done
}

topology_up() {
	topology_sysctls &&
		topology_commands "$1" "$2" | ip -batch - &&
		topology_devices "$1" | rdma --batch -
}
