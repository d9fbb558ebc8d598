# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Coronet's daemons in the lab: where the build is, one configuration, one daemon per node.

RING_CONF=$LAB_STATE/coronet.conf
# How long a daemon may take to leave the ring after SIGTERM.
RING_STOP_SECONDS=15

# Where a build tree, or an installation, has programs and libraries. Libtool leaves the real programs in
# .libs and scripts in their places, which start slowly.
RING_PROGRAM_DIRS=".libs . src/daemon/.libs src/daemon src/tools/.libs src/tools sbin bin"
RING_LIBRARY_DIRS="src/.libs src/lib/.libs .libs lib lib/x86_64-linux-gnu"

# Prints the build directory: CORONET_BUILD, else the repository's top level or build/ in it.
build_dir() {
	local top dir tops=("$LAB_TOP" "$LAB_TOP/build")
	if [[ -n ${CORONET_BUILD-} ]]; then
		tops=("$CORONET_BUILD")
	fi
	for top in "${tops[@]}"; do
		for dir in $RING_PROGRAM_DIRS; do
			if [[ -x $top/$dir/coronetd ]]; then
				readlink -f "$top"
				return
			fi
		done
	done
	die "no coronetd found in ${tops[*]};" \
		"build it, or set CORONET_BUILD to the directory where it was built"
}

join_dirs() {
	local top=$1 dir joined=""
	for dir in $2; do
		if [[ -d $top/$dir ]]; then
			joined+=${joined:+:}$top/$dir
		fi
	done
	printf '%s\n' "$joined"
}

# Puts the build's programs and libraries in front of the system's.
build_environment() {
	local top
	top=$(build_dir) || exit 1
	export PATH LD_LIBRARY_PATH
	PATH=$(join_dirs "$top" "$RING_PROGRAM_DIRS"):$PATH
	LD_LIBRARY_PATH=$(join_dirs "$top" "$RING_LIBRARY_DIRS")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

node_run_dir() {
	printf '/run/coronet/node%d\n' "$1"
}

ring_conf_print() {
	local i
	cat <<-END
		totem {
		    version: 2
		    cluster_name: lab
		    transport: rdma
		    token: 3000
		}
		logging {
		    to_stderr: yes
		    to_syslog: no
		}
		nodelist {
	END
	for ((i = 1; i <= LAB_NODES; i++)); do
		printf '    node {\n        ring0_addr: 10.50.0.%d\n        nodeid: %d\n        name: node%d\n    }\n' \
			"$i" "$i" "$i"
	done
	echo "}"
	extra_conf "$1"
}

daemon_start() {
	local run_dir
	run_dir=$(node_run_dir "$1")
	mkdir -p "$run_dir"
	supervise "node$1" coronetd -f -c "$RING_CONF" --node "node$1" --run-dir "$run_dir"
}

node_status() {
	CORONET_RUN_DIR=$(node_run_dir "$1") coronet-status --json 2>&1
}

# The one place that knows the status tool's output: prints "RING-ID MEMBER MEMBER..." of an operational node.
node_ring() {
	node_status "$1" | jq -er 'select(.state == "operational") |
		[.ring_id, (.members[] | .nodeid)] | join(" ")' 2>/dev/null
}

# Whether all nodes given are operational in one ring that has them and nobody else.
ring_whole() {
	local i ring first=""
	local -a words
	for i in "$@"; do
		ring=$(node_ring "$i") || return 1
		: "${first:=$ring}"
		[[ $ring == "$first" ]] || return 1
	done
	read -ra words <<<"$first"
	((${#words[@]} == $# + 1))
}

# Succeeds too when a daemon has ended: then there is nothing to wait for.
ring_settled() {
	any_ended "${@/#/node}" || ring_whole "$@"
}

ring_wait() {
	local seconds=$1 i
	shift
	if wait_until "$seconds" ring_settled "$@" && ring_whole "$@"; then
		return
	fi
	for i in "$@"; do
		if supervised_ended "node$i"; then
			say "the daemon of node $i has ended, status $(cat "$LAB_STATE/node$i.status")"
		else
			say "node $i says: $(node_status "$i" | head -n 30)"
		fi
		log_tail "node$i"
	done
	die "nodes $* are not in one ring after $SECONDS s"
}
