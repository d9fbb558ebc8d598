#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# An ordinary user runs a ring of its own beside another user's, with the same configuration; neither sees the other.
# Skipped (77) when not root, for then there is no other user to become.
set -u
[ "$(id -u)" -eq 0 ] || { echo "skipped: only root can become another user"; exit 77; }
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

# Programs under a home directory may be out of an ordinary user's reach.
cp "$ring_build/coronetd" "$work/coronetd"
chmod 755 "$work" "$work/coronetd"

nobody="setpriv --reuid nobody --regid nogroup --clear-groups"

as_nobody() {
	$nobody "$@"
}

as_nobody "$work/coronetd" --version >/dev/null 2>&1 ||
	{ echo "skipped: the user nobody cannot run programs in $work"; exit 77; }

# may_ask OPTION...: whether a process of user nobody with these groups may ask root's daemon.
may_ask() {
	CORONET_RUN_DIR=$ring_dir/node1 setpriv --reuid nobody "$@" "$tool" >"$work/out" 2>&1
}

reloads() {
	[ "$(grep -c "reload: done" "$ring_dir/node1.log")" -eq "$1" ]
}

# A file of uidgid.d names a group: whoever has it may ask, as primary group or as another; nobody else.
by_group() {
	mkdir "$ring_dir/uidgid.d"
	printf 'uidgid {\n\tgid: games\n}\n' >"$ring_dir/uidgid.d/games"
	sed -i '/uid: nobody/d' "$ring_dir/coronet.conf"
	kill_node 1 HUP
	until_true 10 reloads 2 || fail "no second reload"
	may_ask --regid nogroup --clear-groups && fail "nobody is not listed any more, and may ask"
	grep -q "CS_ERR_ACCESS\|refuses" "$work/out" || fail "it is not told why"
	may_ask --regid nogroup --groups mail,games || fail "a supplementary group does not count"
	may_ask --regid games --clear-groups || fail "the primary group does not count"
	may_ask --regid nogroup --groups mail && fail "another group counts"
	may_ask --regid nogroup --groups root || fail "group root does not count"
}

# Rules that cannot be read are not taken for none.
unreadable_rules() {
	chown nobody "$ring_dir/uidgid.d"
	chmod 700 "$ring_dir/uidgid.d"
	kill_node 1 HUP
	wait_log 1 "uidgid.d: cannot be read: Permission denied"
	may_ask --regid games --clear-groups || fail "a reload that failed took the rules away"
}

ring_up 2
clean_up_at_exit
chmod 755 "$ring_dir"
chmod 644 "$ring_dir/coronet.conf"
mkdir "$work/nobody"
chown nobody "$work/nobody"

for i in 1 2; do
	# Not through the function, whose shell would be the one that gets the signals.
	$nobody "$work/coronetd" -f -c "$ring_dir/coronet.conf" --node "node$i" \
		--run-dir "$work/nobody/$i" >"$work/nobody$i.log" 2>&1 &
	started "nobody$i"
done
for i in 1 2; do
	until_true 10 grep -q "members 1 2; " "$work/nobody$i.log" ||
		fail "no ring of user nobody: $(cat "$work/nobody$i.log")"
done

# Its own ring, not root's: two members in each.
ring_has 1 2 || fail "root's ring is disturbed"
[ "$(stat -c %U "$work/nobody/1")" = nobody ] || fail "the run directory is not nobody's"

# Who is not listed may not ask root's daemon; its own answers.
tool="$ring_build/coronet-status"
CORONET_RUN_DIR=$ring_dir/node1 as_nobody "$tool" >"$work/out" 2>&1 &&
	fail "nobody may ask root's daemon"
if grep -q "CS_ERR_ACCESS\|refuses" "$work/out"; then
	CORONET_RUN_DIR=$work/nobody/1 as_nobody "$tool" >"$work/out" 2>&1 ||
		fail "nobody may not ask its own daemon"
	printf 'uidgid {\n\tuid: nobody\n}\n' >>"$ring_dir/coronet.conf"
	kill_node 1 HUP
	wait_log 1 "reload: done"
	may_ask --regid nogroup --clear-groups || fail "nobody is listed in uidgid, and may not ask"
	by_group
	unreadable_rules
else
	# The build directory is out of the user's reach: the tool did not even start.
	echo "not checked: the user nobody cannot run $tool"
fi

# Without --run-dir there is nothing that it may use.
as_nobody "$work/coronetd" -f -c "$ring_dir/coronet.conf" --node node1 >"$work/out" 2>&1
status=$?
[ "$status" -eq 16 ] || fail "without a run directory: exit status $status"
says "--run-dir"

for i in 1 2; do
	kill "$(cat "$work/nobody$i.pid")"
	wait "$(cat "$work/nobody$i.pid")" || fail "nobody's node $i: exit status $?"
done
echo "an ordinary user's ring lives beside root's"
