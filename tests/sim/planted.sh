#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Is the checker any good? Bugs are planted in a copy of the sources, one at a time; the simulator must find each within PLANTED_SEEDS
# seeds. A line of planted.list is FILE@what stands there@what to put in its place@what it breaks. As many bugs are looked
# for at once as there are processors. PLANTED_EVERY=3 plants only each third, others every day. And the reverse: with all of numbers.list in place it must find nothing.
seeds=${PLANTED_SEEDS:-300}

# compile FILE OBJECT
compile() {
	"${CC:-cc}" -O1 -w -std=gnu11 -D_GNU_SOURCE -I. -Isrc -Iinclude -Itransport -c "$1" -o "$2"
}

object() {
	echo "$1" | tr / - | sed 's/c$/o/'
}

compile_all() {
	for source in tests/sim/*.c src/engine/*.c src/crypto/*.c src/totem/*.c src/pg/*.c src/store/*.c src/wire/*.c src/base/*.c; do
		[ "$source" = src/crypto/gcm_ipsec_mb.c ] || echo "$source" # OpenSSL is enough
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

# stale: lines of the list whose text does not stand in its file any more, of all days.
stale() {
	grep -v '^#' "$list" | grep . | while IFS=@ read -r file from _; do
		grep -qF -- "$from" "$top/$file" || echo "planted.list is stale: $file has no '$from'"
	done
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
		! "${CC:-cc}" -o "$PLANTED_WORK/$1/sim" "$PLANTED_WORK/$1"/*.o -lcrypto; then
		echo "does not build: $what"
		return 1
	fi
	timeout 300 "$PLANTED_WORK/$1/sim" --seeds "$seeds" --first-failure >"$PLANTED_WORK/$1/out" 2>&1
	case $? in
	0) echo "NOT FOUND in $seeds seeds: $what"; return 1 ;;
	124) echo "NOT FOUND in 300 s: $what"; return 1 ;;
	esac
	echo "found: $what: $(grep -m1 -E 'seed|invariant' "$PLANTED_WORK/$1/out")"
}

# judge_numbers: numbers.list changes nothing. A changed header concerns all.
judge_numbers() {
	cd "$PLANTED_WORK/numbers/tree" || return 1
	grep -v '^#' tests/sim/numbers.list | while IFS=@ read -r file from to; do
		plant "$file" "$from" "$to" "$file.new" && mv "$file.new" "$file" || echo "numbers.list is stale: $file has no '$from'"
	done >../stale
	if [ -s ../stale ]; then
		cat ../stale
		return 1
	fi
	cp -R "$PLANTED_WORK/objects" ../objects
	PLANTED_WORK=$PLANTED_WORK/numbers
	for source in src/totem/*.c tests/sim/sim_check*.c; do
		compile "$source" "../objects/$(object "$source")" || return 1
	done
	"${CC:-cc}" -o ../sim ../objects/*.o -lcrypto || return 1
	if ! timeout 600 ../sim --seeds "$seeds" --first-failure >../out 2>&1; then
		echo "numbers near 2^32 make a difference: $(grep -m1 -E 'seed|invariant' ../out)"
		return 1
	fi
	echo "found: no difference with numbers that begin just below 2^32: $(tail -n 1 ../out)"
}

case ${1-} in
--numbers) judge_numbers >"$PLANTED_WORK/result.numbers"; exit 0 ;;
--compile) compile "$2" "$PLANTED_WORK/objects/$(object "$2")"; exit ;;
--judge) judge "$2" >"$PLANTED_WORK/result.$2"; exit 0 ;;
esac

top=$(cd "${top_srcdir:-.}" && pwd)
here=$(realpath "$0")
list=$(realpath "${PLANTED_LIST:-$top/tests/sim/planted.list}") || exit 99
PLANTED_WORK=$(mktemp -d)
export PLANTED_WORK
trap 'rm -rf "$PLANTED_WORK"' EXIT
! stale | grep . || exit 1
grep -v '^#' "$list" | grep . |
	awk -v every="${PLANTED_EVERY:-1}" -v day="$(($(date +%s) / 86400))" '(NR + day) % every == 0' >"$PLANTED_WORK/list"
mkdir "$PLANTED_WORK/tree" "$PLANTED_WORK/objects"
cp -R "$top/src" "$top/include" "$top/transport" "$top/tests" "$PLANTED_WORK/tree/"
cd "$PLANTED_WORK/tree" || exit 99
mkdir "$PLANTED_WORK/numbers"
cp -R "$PLANTED_WORK/tree" "$PLANTED_WORK/numbers/"
compile_all || exit 99
bugs=$(wc -l <"$PLANTED_WORK/list")
{
	echo --numbers
	seq -f '--judge %g' "$bugs"
} | xargs -P "$(nproc)" -L 1 sh "$here"
for bug in $(seq "$bugs") numbers; do
	cat "$PLANTED_WORK/result.$bug"
done
found=$(cat "$PLANTED_WORK"/result.* | grep -c '^found: ')
echo "$found passed, $((bugs + 1 - found)) failed"
[ "$found" -eq $((bugs + 1)) ]
