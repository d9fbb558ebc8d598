# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Sourced by the tests of overload, after ring.sh and daemon_lib.sh: programs that ask too much, and how they are treated.

: "${ring_dir:=}" "${work:?}"
overload=${ring_build:?}/tests/system/overload

# begin I NAME ARGS...: the program in the background, as a client of node I.
begin() {
	begin_node=$1
	begin_name=$2
	shift 2
	CORONET_RUN_DIR=$ring_dir/node$begin_node "$overload" "$@" >"$work/$begin_name.out" 2>&1 &
	started "$begin_name"
}

# ended NAME: in time and with success.
ended() {
	until_true "${OVERLOAD_PATIENCE:-90}" gone "$(cat "$work/$1.pid")" || fail "$1 does not end"
	wait "$(cat "$work/$1.pid")" || fail "$1 fails: $(cat "$work/$1.out")"
	echo "$1: $(cat "$work/$1.out")"
}

# sleeper I NAME GROUP: joins, and reads nothing until $work/NAME.go is there.
sleeper() {
	begin "$1" "$2" sleep "$3" "$work/$2.ready" "$work/$2.go"
	until_true 30 test -e "$work/$2.ready" || fail "$2 does not join"
}

woken() {
	: >"$work/$1.go"
	ended "$1"
}

# result NAME WORD: the number behind it.
result() {
	sed -n "s/.*$2 \([0-9]*\).*/\1/p" "$work/$1.out"
}

# treated_well NAME MS: it was never refused for longer, and its processes got about the same.
treated_well() {
	[ "$(result "$1" refused_ms)" -le "$2" ] || fail "$1 was refused for $(result "$1" refused_ms) ms"
	[ "$(result "$1" least)" -gt 0 ] || fail "one of $1 has sent nothing"
	[ "$(result "$1" most)" -le $((2 * $(result "$1" least))) ] || fail "$1: $(cat "$work/$1.out")"
}

rings() {
	grep -c "TOTEM.* ring .*: members" "$ring_dir/node1.log"
}

peak_kib() {
	awk '$1 == "VmHWM:" { print $2 }' "/proc/$(node_pid "$1")/status"
}

# A sanitizer has memory of its own, and much.
plain_build() {
	! grep -qasE '__(a|t|ub)san_' "$ring_build/.libs/coronetd" "$ring_build/coronetd"
}

# peak_within I MIB WHY
peak_within() {
	echo "node $1: at most $(peak_kib "$1") KiB resident, of $2 MiB ($3)"
	plain_build || return 0
	[ "$(peak_kib "$1")" -le $(($2 * 1024)) ] || fail "node $1 took $(peak_kib "$1") KiB"
}
