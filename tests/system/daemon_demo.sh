#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# ./demo shows what it promises, also when its output is no terminal, and leaves nothing behind: at its end, when
# interrupted at any moment, and when something fails.
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

demo=$(cd "$(dirname "$0")/../.." && pwd)/demo
DEMO_BUILD=$ring_build
# Everything that it makes is made here, and nothing else is.
TMPDIR=$work/tmp
export DEMO_BUILD TMPDIR
mkdir "$TMPDIR"

process_is_left() {
	grep -qsaF -e "$TMPDIR/" /proc/[0-9]*/cmdline /proc/[0-9]*/environ
}

# Neither files nor processes: their arguments or environment name a directory in TMPDIR. A sleep of milliseconds may outlive
# the loop that it was in.
nothing_is_left() {
	[ -z "$(ls -A "$TMPDIR")" ] || fail "$1: left behind: $(ls -A "$TMPDIR")"
	left=20
	while process_is_left; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "$1: a process is left: $(grep -lsaF -e "$TMPDIR/" /proc/[0-9]*/cmdline /proc/[0-9]*/environ)"
		sleep 0.1
	done
}

command -v bash >/dev/null || { echo "skipped: no bash"; exit 77; }
run 0 "$demo" --no-build --transport shm
says "members 1 2 3"
says "node 1 prints"
says "* 3 is lost: its node is down"
says "That was a ring at work."
[ "$(grep -c 'Compared: 15 messages, three programs, one order' "$work/out")" -eq 2 ] ||
	fail "the orders are not compared twice"
[ "$(grep -cE '^ +[0-9]+ [123]: ' "$work/out")" -eq 30 ] || fail "not two times 15 rows"
nothing_is_left "at its end"

for moment in 0.05 0.1 0.2 0.3 0.5 0.7; do
	timeout -s INT "$moment" "$demo" --no-build --transport shm >"$work/out" 2>&1 </dev/null
	nothing_is_left "interrupted after $moment s"
done

run 2 "$demo" --transport knet
run 0 "$demo" --help
says "--lab"
if [ "$(id -u)" -ne 0 ]; then
	run 1 "$demo" --no-build --transport softroce
	says "a soft-RoCE device can only be made by root"
fi

# A node that comes to nothing: the demo says so, shows the log, and cleans up.
mkdir -p "$work/build/docs/examples"
ln -s "$ring_build/docs/examples/chat" "$work/build/docs/examples/chat"
printf '#!/bin/sh\necho "no ring today" >&2\nexit 15\n' >"$work/build/coronetd"
chmod +x "$work/build/coronetd"
DEMO_BUILD=$work/build run 1 "$demo" --no-build --transport shm
says "the daemon of node"
says "no ring today"
nothing_is_left "after a failure"
echo "the demo shows what it should and leaves nothing behind"
