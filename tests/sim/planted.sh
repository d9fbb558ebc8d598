#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Is the checker any good? Bugs are planted in a copy of the sources, one at a time; the simulator must find each within PLANTED_SEEDS
# seeds. A line of planted.list is FILE@what stands there@what to put in its place@what it breaks.
src=${top_srcdir:-.}
seeds=${PLANTED_SEEDS:-90}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() {
	cd "$work/tree" && "${CC:-cc}" -O1 -w -std=gnu11 -D_GNU_SOURCE -I. -Isrc -Iinclude -Itransport \
		-o "$work/sim" tests/sim/*.c src/engine/*.c src/totem/*.c src/pg/*.c src/store/*.c \
		src/wire/*.c src/base/*.c
}

fresh_tree() {
	rm -rf "$work/tree"
	mkdir "$work/tree"
	cp -R "$src/src" "$src/include" "$src/transport" "$src/tests" "$work/tree/"
}

# Replaces the first occurrence of fixed text $2 in file $1 by $3; fails when it is not there.
plant() {
	FROM=$2 TO=$3 awk '
		BEGIN { from = ENVIRON["FROM"]; to = ENVIRON["TO"] }
		!done && (at = index($0, from)) {
			$0 = substr($0, 1, at - 1) to substr($0, at + length(from)); done = 1
		}
		{ print }
		END { exit !done }' "$1" >"$work/planted" && cp "$work/planted" "$1"
}

failed=0
passed=0
while IFS=@ read -r file from to what; do
	case $file in '' | '#'*) continue ;; esac
	fresh_tree
	plant "$work/tree/$file" "$from" "$to" || {
		echo "planted.list is stale: $file has no '$from'"
		failed=$((failed + 1))
		continue
	}
	(build) || {
		echo "does not build: $what"
		failed=$((failed + 1))
		continue
	}
	if timeout 300 "$work/sim" --seeds "$seeds" --first-failure >"$work/out" 2>&1; then
		echo "NOT FOUND in $seeds seeds: $what"
		failed=$((failed + 1))
	else
		echo "found: $what: $(grep -m1 -E 'seed|invariant' "$work/out")"
		passed=$((passed + 1))
	fi
done <"${PLANTED_LIST:-$src/tests/sim/planted.list}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
