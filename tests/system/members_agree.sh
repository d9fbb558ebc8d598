#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The judge of members' stories is judged: it accepts what extended virtual synchrony allows, and refuses each
# story in which one thing is wrong.
set -u
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# C is cut off, sends on alone, and comes back; what it sent last before the cut reached A only.
told_a() {
	cat <<-END
		change members[A B C] left[] joined[A/1 B/2 C/3]
		messages 1 to 10 from A
		messages 1 to 20 from C
		messages 21 to 25 from C
		ring of 2
		change members[A B] left[C/3] joined[]
		messages 11 to 20 from A
		messages 1 to 9 from B
		ring of 3
		change members[A B C] left[] joined[C/4]
		messages 41 to 50 from C
		messages 21 to 30 from A
	END
}

told_b() {
	told_a | grep -v "21 to 25"
}

# NAME EXPECTED-STATUS: compares the stories in files a and b
judged() {
	awk -v one=A -v other=B -f "$here/members_agree.awk" "$dir/a" "$dir/b" >"$dir/verdict"
	status=$?
	if [ "$status" -ne "$2" ]; then
		echo "FAIL: $1: status $status, not $2: $(cat "$dir/verdict")"
		failed=1
	fi
}

# NAME SED-SCRIPT: B's story changed by it is refused
refused() {
	told_a >"$dir/a"
	told_a | sed "$2" >"$dir/b"
	judged "$1" 1
}

told_a >"$dir/a"
told_a >"$dir/b"
judged "the same story" 0
refused "a message lost" "s/1 to 20 from C/1 to 19 from C/"
refused "messages lost behind a change" "s/11 to 20 from A/12 to 20 from A/"
refused "messages of one turn lost" "/1 to 9 from B/d"
refused "the last messages lost" "/21 to 30 from A/d"
refused "a message twice" "s/^\(messages 21 to 30.*\)/\1\nmessages 30 to 30 from A/"
refused "a gap behind a return" "s/41 to 50 from C/41 to 44 from C\nmessages 46 to 50 from C/"
refused "two orders" "/1 to 10 from A/{h;d};/1 to 20 from C/G"
refused "a message on the other side of a change" "/1 to 9 from B/{h;d};/joined.C/G"
refused "a change not told" "/left.C/d"
refused "a ring not told" "/ring of 3/d"
refused "a message out of order" "s/\(11 to 20 from A\)/\1 not in order/"

# What came behind the last change before they were separated may be missing on one side, no more than that.
told_a | sed '/^ring of 2/,$d' >"$dir/a"
echo "change members[A] left[B/2 C/3] joined[]" >>"$dir/a"
told_b | sed '/^ring of 2/,$d' >"$dir/b"
echo "change members[B] left[A/1 C/3] joined[]" >>"$dir/b"
judged "the end missing at one who is cut off" 0
sed -i '/1 to 10 from A/{h;d};/1 to 20 from C/G' "$dir/b"
judged "two orders before a separation" 1

[ "$failed" -eq 0 ] && echo "stories are judged right"
exit "$failed"
