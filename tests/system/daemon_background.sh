#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Into the background: the command returns when the sockets are there, and with the exit code of a start that
# fails. systemd is told when the first ring is there. Nothing is left in /dev/shm, even after a kill.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

coronetd=$ring_build/coronetd
conf=$work/one.conf
cat >"$conf" <<END
totem {
	version: 2
	cluster_name: background-$$
	transport: shm
}
nodelist {
	node {
		nodeid: 7
	}
}
logging {
	to_syslog: no
	to_logfile: yes
	logfile: $work/log
}
END

shm_before=$(ls /dev/shm)

# A relative path must mean the same after the daemon has left its directory.
cd "$work" || exit 99
run 0 "$coronetd" -c one.conf --run-dir run
[ -S "$work/run/cpg.sock" ] || fail "returned before the socket was there"
pid=$(cat "$work/run/coronetd.pid")
! gone "$pid" || fail "coronetd.pid names $pid, which does not run"
[ "$(readlink "/proc/$pid/cwd")" = / ] || fail "keeps its working directory"
[ "$(readlink "/proc/$pid/fd/2")" = /dev/null ] || fail "keeps its terminal"

run 18 "$coronetd" -c one.conf --run-dir run
says "a daemon runs here already, process $pid"

until_true 10 grep -q "ready: clients may connect" "$work/log" || fail "no ring: $(cat "$work/log")"
kill -HUP "$pid"
until_true 10 grep -q "reload: done" "$work/log" || fail "no reload: $(cat "$work/log")"

# A log file that was moved away is made anew by a reload.
mv "$work/log" "$work/log.1"
kill -HUP "$pid"
until_true 10 grep -qs "reload: done" "$work/log" || fail "the log file is not opened again"

kill -USR2 "$pid"
until_true 10 test -s "$work/run/blackbox" || fail "no flight recording"
grep -q "state: operational" "$work/log" || fail "no state in the log"
if command -v qb-blackbox >/dev/null; then
	qb-blackbox "$work/run/blackbox" >"$work/recording" 2>&1
	grep -q "ready: clients may connect" "$work/recording" || fail "the recording has no lines"
fi

kill -TERM "$pid"
until_true 5 gone "$pid" || fail "does not stop"
nothing_left "$work/run"

# A crash writes the recording.
rm -f "$work/run/blackbox"
run 0 "$coronetd" -c one.conf --run-dir run
pid=$(cat "$work/run/coronetd.pid")
kill -ABRT "$pid"
until_true 10 gone "$pid" || fail "survives SIGABRT"
[ -s "$work/run/blackbox" ] || fail "no flight recording after a crash"

run 0 "$coronetd" -c one.conf --run-dir run
pid=$(cat "$work/run/coronetd.pid")
kill -KILL "$pid"
until_true 10 gone "$pid" || fail "survives SIGKILL"
# Nobody reads its standard error: lines are lost, the daemon is not.
mkfifo "$work/pipe"
exec 3<>"$work/pipe"
{
	sed 's/to_logfile: yes/to_logfile: no/' "$conf"
	for i in $(seq 50); do
		echo "unknown$i: this makes a line of the log, and fifty of them more than a pipe holds, in time"
	done
} >"$work/loud.conf"
"$coronetd" -f -c "$work/loud.conf" --run-dir deaf 2>"$work/pipe" &
pid=$!
started deaf
until_true 10 test -S "$work/deaf/cpg.sock" || fail "no socket"
CORONET_RUN_DIR=$work/deaf
export CORONET_RUN_DIR
for i in $(seq 40); do
	kill -HUP "$pid"
	run 0 "$ring_build/coronet-status" --json
done
kill -TERM "$pid"
wait "$pid" || fail "with a standard error that nobody reads: exit status $?"
# What is in the pipe is whole lines.
timeout 1 cat <&3 >"$work/loud" 2>&1
lost=$((40 * 50 - $(grep -c "unknown key" "$work/loud")))
[ "$lost" -gt 0 ] || fail "the test does not test: nothing was lost"
! grep -v "^[A-Z][a-z]* [0-9 ]*:[0-9]*:[0-9.]* [a-z]* *\[" "$work/loud" | grep -q . ||
	fail "broken lines: $(grep -v "^[A-Z][a-z]* [0-9 ]*:[0-9]*:[0-9.]* [a-z]* *\[" "$work/loud" | head -n 3)"
exec 3<&-

# What is read before the fork would not be there behind it: the key's memory is not inherited.
run 0 "$ring_build/coronet-keygen" -k "$work/key"
{
	sed -e 's/transport: shm/&\n\tsecauth: on\n\tkeyfile: key/' -e "s,keyfile: ,&$work/," \
		-e 's/nodeid: 7/nodeid: 8/' "$conf"
	printf 'nodelist {\n\tnode {\n\t\tnodeid: 9\n\t}\n}\n'
} >"$work/key.conf"
for id in 8 9; do
	run 0 "$coronetd" -c "$work/key.conf" --node "$id" --run-dir "$work/key$id"
done
member_of_two() {
	CORONET_RUN_DIR=$work/key8 "$ring_build/coronet-status" --json | tr -d ' \n' | grep -q '"members_count":2[,}]'
}
until_true 20 member_of_two || fail "no ring with a key: $(tail -n 5 "$work/log")"
run 0 "$coronetd" -t -c "$work/key.conf" --node 8
key=$(sed -n 's/.* key \([0-9a-f]\{16\}\) from .*/\1/p' "$work/out")
CORONET_RUN_DIR=$work/key9 "$ring_build/coronet-status" --json >"$work/out" || fail "no status"
says "\"$key\""

shm_after=$(ls /dev/shm)
[ "$shm_before" = "$shm_after" ] || case $shm_after in
*coronet*) fail "left in /dev/shm: $shm_after" ;;
esac
echo "background, reload, recorder, deaf readers, leftovers: in order"
