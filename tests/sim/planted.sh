#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Is the checker any good? Bugs are planted in a copy of the sources, one at a time; the simulator must find each within PLANTED_SEEDS
# seeds. A line of planted.list is FILE@what stands there@what to put in its place@what it breaks. As many bugs are looked
# for at once as there are processors.
seeds=${PLANTED_SEEDS:-120}

# compile FILE OBJECT
compile() {
	"${CC:-cc}" -O1 -w -std=gnu11 -D_GNU_SOURCE -I. -Isrc -Iinclude -Itransport -c "$1" -o "$2"
}

object() {
	echo "$1" | tr / - | sed 's/c$/o/'
}

compile_all() {
	for source in tests/sim/*.c src/engine/*.c src/totem/*.c src/pg/*.c src/store/*.c src/wire/*.c src/base/*.c; do
		echo "$source"
	done | xargs -P "$(nproc)" -n 1 sh "$here" --compile
}

# plant FILE FROM TO OUT: replaces the first occurrence of a fixed text; fails when it is not there.
plant() {
	FROM=$2 TO=$3 awk '
		BEGIN { from = ENVIRON["FROM"]; to = ENVIRON["TO"] }
		!done && (at = index($0, from)) {
			$0 = substr($0, 1, at - 1) to substr($0, at + length(from)); done = 1
		}
		{ print }
		END { exit !done }' "$1" >"$4"
}

# judge NUMBER: the bug in that line. The planted file stands beside the right one, where it finds its headers.
judge() {
	IFS=@ read -r file from to what <<-END
		$(sed -n "$1p" "$PLANTED_WORK/list")
	END
	bad=${file%.c}-planted$1.c
	mkdir "$PLANTED_WORK/$1"
	plant "$file" "$from" "$to" "$bad" || {
		echo "planted.list is stale: $file has no '$from'"
		return 1
	}
	cp "$PLANTED_WORK/objects"/* "$PLANTED_WORK/$1/"
	if ! compile "$bad" "$PLANTED_WORK/$1/$(object "$file")" ||
		! "${CC:-cc}" -o "$PLANTED_WORK/$1/sim" "$PLANTED_WORK/$1"/*.o; then
		echo "does not build: $what"
		return 1
	fi
	if timeout 300 "$PLANTED_WORK/$1/sim" --seeds "$seeds" --first-failure >"$PLANTED_WORK/$1/out" 2>&1; then
		echo "NOT FOUND in $seeds seeds: $what"
		return 1
	fi
	echo "found: $what: $(grep -m1 -E 'seed|invariant' "$PLANTED_WORK/$1/out")"
}

case ${1-} in
--compile) compile "$2" "$PLANTED_WORK/objects/$(object "$2")"; exit ;;
--judge) judge "$2" >"$PLANTED_WORK/result.$2"; exit 0 ;;
esac

top=$(cd "${top_srcdir:-.}" && pwd)
here=$(realpath "$0")
list=$(realpath "${PLANTED_LIST:-$top/tests/sim/planted.list}") || exit 99
PLANTED_WORK=$(mktemp -d)
export PLANTED_WORK
trap 'rm -rf "$PLANTED_WORK"' EXIT
grep -v '^#' "$list" | grep . >"$PLANTED_WORK/list"
mkdir "$PLANTED_WORK/tree" "$PLANTED_WORK/objects"
cp -R "$top/src" "$top/include" "$top/transport" "$top/tests" "$PLANTED_WORK/tree/"
cd "$PLANTED_WORK/tree" || exit 99
compile_all || exit 99
bugs=$(wc -l <"$PLANTED_WORK/list")
seq "$bugs" | xargs -P "$(nproc)" -I '{}' sh "$here" --judge '{}'
for bug in $(seq "$bugs"); do
	cat "$PLANTED_WORK/result.$bug"
done
found=$(cat "$PLANTED_WORK"/result.* | grep -c '^found: ')
echo "$found passed, $((bugs - found)) failed"
[ "$found" -eq "$bugs" ]
