#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The judge of storms is judged: it accepts what extended virtual synchrony allows, and refuses each set of stories in
# which one thing is wrong, for the reason that it is wrong.
# shellcheck disable=SC2317 # called by their names and a number
set -u
judge=${top_builddir:-$PWD}/tests/system/judge
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# Members 1/10, 2/20, 3/30. Node 3 is cut off in ring 1.8, while 3/30 sends on, and comes back; what 3/30 sent
# last before that is known to itself only. Then 3/30 is killed.
told_1() {
	cat <<-'END'
		me 1 10
		view 1 1/10 - 1/10/1
		ring 1 8 2 1 2 3
		got 1 10 1 2 100 3
		view 4 1/10,2/20 - 2/20/1
		view 5 1/10,2/20,3/30 - 3/30/1
		got 3 30 1 2 100 6
		any 2 20 1 100 6
		got 2 20 1 3 100 7
		got 1 10 2 2 100 8
		got 2 20 2 2 100 9
		view 20 1/10,2/20 3/30/3 -
		ring 1 12 20 1 2
		got 1 10 3 2 100 21
		any 2 20 2 100 21
		got 2 20 3 3 100 22
		view 30 1/10,2/20,3/30 - 3/30/4
		ring 1 16 31 1 2 3
		got 3 30 4 2 100 32
		any 1 10 1 100 33
		got 2 20 4 2 100 34
		view 40 1/10,2/20 3/30/5 -
		view 41 1/10 2/20/2 -
		view 42 - 1/10/2 -
		sent 3 1
		end left
	END
}

told_2() {
	cat <<-'END'
		me 2 20
		view 4 1/10,2/20 - 2/20/1
		ring 1 8 4 1 2 3
		view 5 1/10,2/20,3/30 - 3/30/1
		got 3 30 1 2 100 6
		any 2 20 1 100 6
		got 2 20 1 3 100 7
		got 1 10 2 2 100 8
		got 2 20 2 2 100 9
		view 20 1/10,2/20 3/30/3 -
		ring 1 12 20 1 2
		any 2 20 2 100 20
		got 1 10 3 2 100 21
		got 2 20 3 3 100 22
		view 30 1/10,2/20,3/30 - 3/30/4
		ring 1 16 31 1 2 3
		got 3 30 4 2 100 32
		any 1 10 1 100 33
		got 2 20 4 2 100 34
		view 40 1/10,2/20 3/30/5 -
		view 41 1/10 2/20/2 -
		sent 4 2
		end left
	END
}

told_3() {
	cat <<-'END'
		me 3 30
		view 5 1/10,2/20,3/30 - 3/30/1
		ring 1 8 5 1 2 3
		got 3 30 1 2 100 6
		got 2 20 1 3 100 7
		got 3 30 2 2 100 9
		view 20 3/30 1/10/3,2/20/3 -
		ring 3 12 20 3
		got 3 30 3 3 100 21
		view 30 1/10,2/20,3/30 - 1/10/4,2/20/4
		ring 1 16 31 1 2 3
		got 3 30 4 2 100 32
		any 1 10 1 100 33
		got 2 20 4 2 100 34
	END
	printf 'got 2 20 5 2 1'
}

tell() {
	for i in 1 2 3; do
		"told_$i" >"$dir/$i.story"
	done
	printf 'left 1 1 8 10\nleft 2 1 8 10\n' >"$dir/12.left"
}

# judged NAME STATUS WORDS
judged() {
	"$judge" "$dir"/?.story "$dir"/12.left >"$dir/verdict"
	status=$?
	if [ "$status" -ne "$2" ] || ! grep -q -e "$3" "$dir/verdict"; then
		echo "FAIL: $1: status $status, not $2 and \"$3\": $(cat "$dir/verdict")"
		failed=1
	fi
}

# refused NAME MEMBER SED-SCRIPT WORDS: with one member's story changed like that
refused() {
	tell
	"told_$2" | sed "$3" >"$dir/$2.story"
	if "told_$2" | cmp -s - "$dir/$2.story"; then
		echo "FAIL: $1: nothing was changed"
		failed=1
	fi
	judged "$1" 1 "$4"
}

tell
judged "what is allowed" 0 ": 0 faults"
refused "a message lost" 2 '/^got 1 10 2 /d' "something else"
refused "a message of the own lost" 1 '/^got 1 10 3 /d' "own messages: 2 of 3"
refused "an own UNORDERED message lost" 2 '/^any 2 20 2 /d' "own messages"
refused "an UNORDERED message lost" 1 '/^any 2 20 2 /d' "in this ring 0 UNORDERED"
refused "an UNORDERED message in another ring" 1 '/^any 2 20 2 /{h;d};/^ring 1 16/G' "in this ring"
refused "the last message lost" 1 '/^got 2 20 4 /d' "something else"
refused "a message twice" 1 '/^got 2 20 3 /p' "again, or late"
refused "an UNORDERED message twice" 1 '/^any 2 20 1 /p' "UNORDERED message twice"
refused "a gap" 3 's/^got 3 30 2 /got 3 30 3 /' "a gap"
refused "an old message behind a return" 1 's/^got 3 30 4 /got 3 30 1 /' "again, or late"
refused "another size" 2 's/^got 1 10 3 2 100/got 1 10 3 2 99/' "something else"
refused "another guarantee" 2 's/^got 1 10 3 2/got 1 10 3 1/' "something else"
refused "an altered message" 2 's/^got 1 10 3 .*/bad what came is not what was sent/' "bad what came"
refused "two orders" 1 '/^got 1 10 2 /{h;d};/^got 2 20 2 /G' "something else"
refused "two orders where they part" 3 '/^got 3 30 1 /{h;d};/^got 2 20 1 /G' "another order"
refused "SAFE and not at a member that lives" 3 '/^got 2 20 1 /d' "was SAFE"
refused "a message on the other side of a change" 2 '/^got 2 20 3 /{h;d};/^ring 1 16/G' "something else"
refused "a change on the other side of a message" 2 '/^view 5/{h;d};/^any 2 20 1/G' "from who is no member"
refused "a change that is not told" 2 '/^view 20/d' "something else\|elsewhere"
refused "a ring that is not told" 2 '/^ring 1 12/d' "something else"
refused "a ghost" 2 's/^view 20 1.10,2.20 3.30.3 -/view 20 1\/10,2\/20,3\/30 - -/' "elsewhere"
refused "a member that stays in the list" 2 's/^view 20 1.10,2.20 /view 20 1\/10,2\/20,3\/30 /' "members are not\|never joined"
refused "a wrong reason" 2 's/3.30.5 -$/3\/30\/2 -/' "something else"
refused "a ring with other nodes" 2 's/^ring 1 16 31 1 2 3/ring 1 16 31 1 2/' "other nodes elsewhere"
refused "a ring's name twice" 3 's/^ring 3 12 20 3/ring 1 12 20 3/' "other nodes elsewhere"
refused "a ring's number that falls" 1 's/^ring 1 12/ring 1 4/' "not risen"
refused "a message from who has left" 1 '/^view 40/{p;s/.*/got 3 30 5 2 100 40/}' "no member"
refused "more than the others before its end" 3 's/^got 2 20 4 2 .*/&\ngot 2 20 5 2 100 35/' "something else\|not told this"
refused "something else before its end" 3 's/^got 2 20 4 2 .*/got 1 10 3 2 100 34/' "something else"
refused "a time together that one side knows nothing of" 2 '/^view 30/,/^view 40/{/^got 2 20 4/!d}' "something else"

[ "$failed" -eq 0 ] && echo "storms are judged right"
exit "$failed"
