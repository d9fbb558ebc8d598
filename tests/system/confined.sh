#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What a daemon can still do after its start: no capability, no new privileges, only the system calls that it needs. The kernel is asked, and a
# daemon that tries what it should not.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

none=0000000000000000
as_nobody() {
	setpriv --reuid nobody --regid nogroup --clear-groups "$@"
}

conf() {
	cat <<-END
		totem {
			version: 2
			cluster_name: confined-$$
			transport: shm
		}
		nodelist {
			node {
				nodeid: 7
			}
		}
		logging {
			to_syslog: no
		}
		system {
			syscall_filter: ${1:-yes}
		}
	END
}

# up NAME CONFIGURATION COMMAND...: a daemon with that configuration, its process in $pid.
up() {
	up_name=$1
	up_conf=$2
	shift 2
	"$@" -f -c "$up_conf" --run-dir "$work/$up_name" 2>"$work/$up_name.log" &
	pid=$!
	started "$up_name"
	until_true 10 grep -qs "ready: clients may connect" "$work/$up_name.log" ||
		fail "$up_name does not start: $(cat "$work/$up_name.log")"
}

down() {
	kill "$pid"
	wait "$pid" || fail "$up_name: exit status $? at its end"
}

# kernel_says FIELD VALUE: about every thread of the daemon.
kernel_says() {
	for kernel_status in /proc/"$pid"/task/*/status; do
		kernel_value=$(sed -n "s/^$1:[[:blank:]]*//p" "$kernel_status")
		[ "$kernel_value" = "$2" ] || fail "$up_name: $1 is $kernel_value, not $2"
	done
}

no_capabilities() {
	for set in CapInh CapPrm CapEff CapAmb; do
		kernel_says "$set" "$none"
	done
	kernel_says NoNewPrivs 1
}

# The line of coronet-status.
status_says() {
	run 0 env CORONET_RUN_DIR="$work/$up_name" "$ring_build/coronet-status"
	says "confined   $1"
}

conf >"$work/yes.conf"
conf no >"$work/no.conf"
chmod 755 "$work"
me=$(id -u)

up plain "$work/yes.conf" "$ring_build/coronetd"
no_capabilities
[ "$me" -ne 0 ] || kernel_says CapBnd "$none"
if grep -q "system calls: all, there is no filter in this build" "$work/plain.log"; then
	filter=
	calls="all, there is no filter in this build"
	kernel_says Seccomp 0
else
	filter=yes
	calls=filtered
	kernel_says Seccomp 2
fi
status_says "user $me; capabilities: none; system calls: $calls"
down

up open "$work/no.conf" "$ring_build/coronetd"
no_capabilities
kernel_says Seccomp 0
status_says "user $me; capabilities: none; system calls: all"
down

if [ -n "$filter" ]; then
	echo secret >"$work/secret"
	chmod 600 "$work/secret"
	[ "$me" -ne 0 ] || chown nobody "$work/secret"
	CURIOUS=$work/secret
	export CURIOUS
	up curious "$work/yes.conf" "$ring_build/tests/system/coronetd-curious"
	kill -USR1 "$pid"
	# Whoever asks for the status makes the daemon run.
	until_true 10 grep -qs "curious: read" "$work/curious.log" || fail "it is not curious"
	status_says "user $me; capabilities: none; system calls: filtered; 4 refused"
	for what in "run a program" "trace a process" "listen to the network" "become nobody"; do
		grep -qx "curious: $what: ENOSYS" "$work/curious.log" || fail "it could $what: $(cat "$work/curious.log")"
	done
	for what in "send raw packets" "fork" "make a thread"; do
		grep -qx "curious: $what: EPERM" "$work/curious.log" || fail "it could $what: $(cat "$work/curious.log")"
	done
	[ "$me" -ne 0 ] || grep -qx "curious: read what nobody keeps for itself: EACCES" "$work/curious.log" ||
		fail "it reads what nobody keeps for itself"
	for call in execve ptrace socket setuid; do
		[ "$(grep -c "system call $call ([0-9]*) was refused" "$work/curious.log")" -eq 1 ] ||
			fail "the log does not say that $call was refused"
	done
	down
fi

# With a limit that root may lift, nothing that is in use is swapped out.
locks_memory() {
	prlimit --memlock=8388608 "$ring_build/coronetd" -f -c "$work/yes.conf" --run-dir "$work/locked" >"$work/locked.log" 2>&1 &
	started locked
	locked_pid=$!
	# shellcheck disable=SC2016 # awk's own field
	until_true 10 awk '/^VmLck/ { exit !($2 > 1000) }' "/proc/$locked_pid/status" || fail "root's daemon locks no memory"
	kill "$locked_pid"
	wait "$locked_pid"
}

if prlimit --memlock=8388608 sh -c 'ulimit -l unlimited' 2>/dev/null; then
	locks_memory
else
	echo "not checked: nobody may lift the limit of locked memory here"
fi

if [ "$me" -eq 0 ]; then
	# A file that it may not read when it is told to reload is missing at the start already.
	install -o nobody -m 600 "$work/yes.conf" "$work/private.conf"
	run 8 "$ring_build/coronetd" -f -c "$work/private.conf" --run-dir "$work/private"
	says "private.conf: cannot be read: Permission denied"
	run 8 "$ring_build/coronetd" -t -c "$work/private.conf"
	says "private.conf: cannot be read: Permission denied"

	# What an ordinary user was given for the start. Programs under a home directory may be out of its reach.
	cp "$ring_build/coronetd" "$work/coronetd"
	if ! as_nobody "$work/coronetd" --version >/dev/null 2>&1; then
		echo "not checked: the user nobody cannot run programs in $work"
	else
		mkdir "$work/given"
		chown nobody "$work/given"
		up given "$work/yes.conf" setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=+ipc_lock,+sys_nice,+net_raw,+kill \
			--ambient-caps=+ipc_lock,+sys_nice,+net_raw,+kill "$work/coronetd"
		no_capabilities
		[ -z "$filter" ] || kernel_says Seccomp 2
		status_says "user $(id -u nobody); capabilities: none; system calls: $calls"
		down
	fi
fi
echo "no capabilities, no new privileges, system calls: $calls"
