#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Debian's fence_virtd, unmodified, with its back end for CPG on two of our nodes: a virtual machine of node 2 is found and
# switched off by a request to node 1. The machines are those of libvirt's test driver.
# Two of fence_virtd's own races, on any CPG: it starts the thread that dispatches before it has stored the handle for it,
# so that thread may end at once; and it waits for an answer without looking whether it is there already. So one without
# its second thread is started again, a request has a limit of time, and if one fails, all is tried again.
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"

PATH=$PATH:/usr/sbin:/sbin
if ! command -v fence_virtd >/dev/null || ! command -v fence_virt >/dev/null; then
	echo "skipped: fence-virtd and fence-virt are not installed"
	exit 77
fi
our_lib=$ring_build/src/.libs
our_preload=$(ldd "$our_lib/libcpg.so.4" | awk '$1 ~ /^lib.san/ { print $3 }')

fence_config() {
	cat <<-END
		fence_virtd {
			listener = "tcp";
			backend = "cpg";
			module_path = "$modules";
		}
		listeners {
			tcp {
				key_file = "$ring_dir/key";
				address = "127.0.0.1";
				family = "ipv4";
				port = "$2";
				hash = "sha256";
				auth = "sha256";
			}
		}
		backends {
			cpg {
				uri = "test://$ring_dir/machines$1.xml";
			}
		}
	END
}

machines() {
	cat <<-END
		<node>
		  <domain type='test'>
		    <name>vm$1</name>
		    <uuid>00000000-0000-4000-8000-00000000000$1</uuid>
		    <memory>8192</memory>
		    <os><type>hvm</type></os>
		  </domain>
		</node>
	END
}

# fence_start_one NODE
fence_start_one() {
	CORONET_RUN_DIR=$ring_dir/node$1 LD_LIBRARY_PATH=$our_lib LD_PRELOAD=$our_preload \
		fence_virtd -F -d 99 -f "$ring_dir/fence$1.conf" -p "$ring_dir/fence$1.lock" \
		>>"$ring_dir/fence$1.log" 2>&1 &
	echo "$!" >"$ring_dir/fence$1.pid"
}

# fence_start NODE...
fence_start() {
	for i in "$@"; do
		fence_start_one "$i"
		starts=50
		until fence_members "$i" && fence_dispatches "$i"; do
			starts=$((starts - 1))
			[ $starts -gt 0 ] || fence_fail "fence_virtd of node $i does not start"
			kill -KILL "$(cat "$ring_dir/fence$i.pid")"
			fence_members $((i - 1)) || fence_fail "the member of a dead fence_virtd stays"
			fence_start_one "$i"
		done
	done
}

# It has its second thread. It listens to TCP after it has started that one.
fence_dispatches() {
	grep -q "Success; fd" "$ring_dir/fence$1.log" || sleep 0.2
	set -- "/proc/$(cat "$ring_dir/fence$1.pid")/task"/*
	[ $# -gt 1 ]
}

# The group has so many members.
fence_members() {
	members_left=300
	until [ "$(node 1 "$ring_build/coronet-cpgtool" -d , | grep -c '^fence-agents')" -eq "$1" ]; do
		members_left=$((members_left - 1))
		[ $members_left -gt 0 ] || return 1
		sleep 0.1
	done
}

# It does not hear SIGTERM when it hangs.
fence_stop() {
	for i in 1 2; do
		[ ! -f "$ring_dir/fence$i.pid" ] || kill -KILL "$(cat "$ring_dir/fence$i.pid")" 2>/dev/null
	done
}

fence_fail() {
	tail -n 40 "$ring_dir"/fence*.log
	ring_fail "$*"
}

all_down() {
	fence_stop
	ring_down
}

# fence STATUS NODE ARGUMENT...: a request to that node's fence_virtd ends with STATUS.
fence() {
	fence_wanted=$1
	fence_port=$((port1 + $2 - 1))
	shift 2
	fence_status=0
	timeout 5 fence_virt -T 127.0.0.1 -p $fence_port -k "$ring_dir/key" "$@" >"$ring_dir/answer" 2>&1 ||
		fence_status=$?
	echo "port $fence_port $*: status $fence_status"
	cat "$ring_dir/answer"
	[ $fence_status -eq "$fence_wanted" ]
}

# It listens some time after it has joined.
fence_listens() {
	left=100
	until fence 0 "$1" -o list >"$ring_dir/listens"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.1
	done
	cat "$ring_dir/listens"
	grep -q "^vm$1 .* on$" "$ring_dir/answer"
}

# Status 0 means on or done, 2 means off. Each machine is known to one node only: requests for the other one cross the ring.
fence_all() {
	fence_listens 1 && fence_listens 2 &&
		fence 0 1 -o status -n vm2 &&
		fence 0 2 -o status -n vm1 &&
		fence 0 1 -o off -n vm2 &&
		fence 2 2 -o status -n vm2 &&
		fence 2 1 -o status -n vm2 &&
		fence 0 1 -o status -n vm1
}

port1=$((20000 + $$ % 20000))
modules=$(dirname "$(dpkg -L fence-virtd | grep '/cpg\.so$')")
ring_up 2
trap all_down EXIT
head -c 512 /dev/urandom >"$ring_dir/key"
for i in 1 2; do
	machines $i >"$ring_dir/machines$i.xml"
	fence_config $i $((port1 + i - 1)) >"$ring_dir/fence$i.conf"
done
fence_start 1 2

# It uses ours, and the program is Debian's.
grep -q "$our_lib/libcpg.so" "/proc/$(cat "$ring_dir/fence1.pid")/maps" || fence_fail "fence_virtd does not use our libcpg"
readlink "/proc/$(cat "$ring_dir/fence1.pid")/exe"

tries=20
until fence_all; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || fence_fail "it does not work"
	echo "once more"
	fence_stop
	fence_start 1 2
done

# The other daemon and its fence_virtd are gone: who is left can still be asked.
kill -KILL "$(cat "$ring_dir/fence2.pid")"
kill_node 2 KILL
fence_members 1 || fence_fail "the dead node's member stays"
tries=20
until fence 0 1 -o status -n vm1; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || fence_fail "node 1 does not answer any more"
	echo "once more"
	kill -KILL "$(cat "$ring_dir/fence1.pid")"
	fence_members 0 || fence_fail "the member of a dead fence_virtd stays"
	fence_start 1
done
echo "fence_virtd works on two nodes"
