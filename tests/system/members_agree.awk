# SPDX-License-Identifier: BSD-3-Clause
# awk -v one=A -v other=B -f members_agree.awk STORY-OF-A STORY-OF-B
# Two members' stories (members.sh's "wrote") keep the promise of one order: from the moment they are in the group
# together until they lose each other, again and again, both are told the same, messages and changes, in the same
# order, and of one sender without a gap. Only what comes behind the last change before they lose each other may be missing on one side; what both got
# stands in one order there too. Prints what breaks the promise; exit status 1.
function fail(text) {
	print one " and " other ": " text
	failed = 1
	exit 1
}

# Whether a list of a change, "joined[A/1 B/4]", names a member.
function names(title, member, list) {
	list = $0
	sub(".*" title "\\[", " ", list)
	sub(/\].*/, " ", list)
	gsub(/\/[0-9]+/, "", list)
	return index(list, " " member " ") > 0
}

# Who has left the group sends on alone, perhaps; what comes from it after its return begins anew.
function forget_left(list, count, i, member) {
	list = $0
	sub(/.*left\[/, "", list)
	sub(/\].*/, "", list)
	count = split(list, member, " ")
	for (i = 1; i <= count; i++) {
		sub(/\/.*/, "", member[i])
		delete last[file, life[file], member[i]]
	}
}

function tell(text) {
	if (together[file]) {
		event[file, life[file], ++events[file, life[file]]] = text
	}
}

FNR == 1 {
	file++
	me = file == 1 ? one : other
	you = file == 1 ? other : one
}

/^messages/ {
	if (/not in order/) {
		fail("not in order: " $0)
	}
	if (together[file] && $2 != 1 && last[file, life[file], $6] && $2 != last[file, life[file], $6] + 1) {
		fail("a gap at " me ", behind " last[file, life[file], $6] ": " $0)
	}
	last[file, life[file], $6] = $4
	for (i = $2; i <= $4; i++) {
		tell($6 " " i)
	}
}

/^ring of/ {
	tell($0)
}

/^change/ {
	forget_left()
	if (together[file] && (names("left", you) || names("left", me))) {
		together[file] = 0
	} else if (together[file]) {
		tell($0)
		last_change[file, life[file]] = events[file, life[file]]
	}
	if (!together[file] && names("members", you) && names("members", me) && \
	    (names("joined", you) || names("joined", me))) {
		together[file] = 1
		life[file]++
	}
}

# The events behind the last change of a life that ended in separation.
function same_order(k, i, key, place, seen, behind) {
	for (i = last_change[1, k] + 1; i <= events[1, k]; i++) {
		key = event[1, k, i]
		place[key, ++seen[1, key]] = i
	}
	behind = 0
	for (i = last_change[2, k] + 1; i <= events[2, k]; i++) {
		key = event[2, k, i]
		seen[2, key]++
		if (key ~ /^ring/ || !((key, seen[2, key]) in place)) {
			continue
		}
		if (place[key, seen[2, key]] < behind) {
			fail("time together " k ": two orders at " key)
		}
		behind = place[key, seen[2, key]]
		common++
	}
}

END {
	if (failed) {
		exit 1
	}
	if (life[1] == 0 || life[1] != life[2]) {
		fail("together " life[1] + 0 " and " life[2] + 0 " times")
	}
	if (together[1] != together[2]) {
		fail("one of them is alone")
	}
	for (k = 1; k <= life[1]; k++) {
		whole = k == life[1] && together[1]
		if (whole && events[1, k] != events[2, k]) {
			fail("time together " k ": " events[1, k] " and " events[2, k] " events")
		}
		if (!whole && last_change[1, k] != last_change[2, k]) {
			fail("time together " k ": the last changes are not at the same place")
		}
		shared = whole ? events[1, k] : last_change[1, k]
		for (i = 1; i <= shared; i++) {
			if (event[1, k, i] != event[2, k, i]) {
				fail("time together " k ", event " i ": " event[1, k, i] " and " event[2, k, i])
			}
		}
		common += shared
		if (!whole) {
			same_order(k)
		}
	}
	print one " and " other " were together " life[1] " times and were told the same: " common " events"
}
