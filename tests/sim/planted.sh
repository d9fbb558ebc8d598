#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Is the checker any good? Bugs are planted in a copy of the sources, one at a time; the simulator must find each within PLANTED_SEEDS
# seeds. A line of planted.list is FILE@what stands there@what to put in its place@what it breaks.
src=${top_srcdir:-.}
seeds=${PLANTED_SEEDS:-90}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tree() {
	mkdir "$work/tree" && cp -R "$src/src" "$src/include" "$src/transport" "$src/tests" "$work/tree/"
}

# compile FILE: into an object of the file's name.
compile() {
	"${CC:-cc}" -O1 -w -std=gnu11 -D_GNU_SOURCE -I. -Isrc -Iinclude -Itransport -c "$1" -o "$(object "$1")"
}

object() {
	echo "$work/objects/$(echo "$1" | tr / -).o"
}

# Everything once; then, for each bug, the file that it is in.
compile_all() {
	mkdir "$work/objects"
	for source in tests/sim/*.c src/engine/*.c src/totem/*.c src/pg/*.c src/store/*.c src/wire/*.c src/base/*.c; do
		compile "$source" || return 1
	done
}

build() {
	compile "$1" && "${CC:-cc}" -o "$work/sim" "$work/objects"/*.o
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

src=$(cd "$src" && pwd)
list=$(realpath "${PLANTED_LIST:-$src/tests/sim/planted.list}") || exit 99
tree || exit 99
cd "$work/tree" || exit 99
compile_all || exit 99
failed=0
passed=0
while IFS=@ read -r file from to what; do
	case $file in '' | '#'*) continue ;; esac
	cp "$file" "$work/whole"
	plant "$file" "$from" "$to" || {
		echo "planted.list is stale: $file has no '$from'"
		failed=$((failed + 1))
		continue
	}
	if ! build "$file"; then
		echo "does not build: $what"
		failed=$((failed + 1))
	elif timeout 300 "$work/sim" --seeds "$seeds" --first-failure >"$work/out" 2>&1; then
		echo "NOT FOUND in $seeds seeds: $what"
		failed=$((failed + 1))
	else
		echo "found: $what: $(grep -m1 -E 'seed|invariant' "$work/out")"
		passed=$((passed + 1))
	fi
	cp "$work/whole" "$file"
	compile "$file"
done <"$list"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
