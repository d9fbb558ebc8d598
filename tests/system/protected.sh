#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A ring with a key: messages pass, whoever lacks the key does not, and the key is changed while messages pass.
# In the lab the wire is listened to as well.
set -u
RING_KEYFILE=$(mktemp -d)/key
export RING_KEYFILE
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
keygen=$ring_build/coronet-keygen

new_key() {
	rm -f "$RING_KEYFILE"
	"$keygen" -k "$RING_KEYFILE" >/dev/null || fail "no key"
}

# A number or text in the status of a node, of the protection.
protection() {
	node "$1" "$ring_build/coronet-status" --json |
		tr -d ' \n' | sed -n 's/.*"protection":{\([^}]*\)}.*/\1/p' | tr ',' '\n' |
		sed -n "s/^\"$2\":\"*\([^\"]*\)\"*\$/\1/p"
}

has() {
	[ "$(protection "$1" "$2")" = "$3" ]
}

configurations() {
	grep -c "TOTEM.* ring .*: members" "$ring_dir/node$1.log"
}

undisturbed() {
	[ "$(configurations 1)" -eq "$before" ] || fail "$1 disturbs the ring"
	run 0 node 1 "$ring_build/tests/system/overload" send 1 1000 200x protected
	run 0 node 3 "$ring_build/tests/system/overload" send 1 100000 20x protected
}

stranger_says() {
	until_true 20 grep -qF -e "$2" "$work/$1.log" || fail "$1 does not say: $2: $(tail -n 5 "$work/$1.log")"
}

# refused NAME KEYS SAYS: as node 2, with these keys in section totem. Nodes 1 and 3 and the stranger itself say why.
refused() {
	mkdir -p "$work/$1"
	{ grep -v 'secauth\|keyfile' "$ring_dir/coronet.conf"; printf 'totem {\n%s\n}\n' "$2"; } >"$work/$1.conf"
	"$ring_build/coronetd" -f -c "$work/$1.conf" --node node2 --run-dir "$work/$1" >"$work/$1.log" 2>&1 &
	started "$1"
	wait_log 1 "$3"
	wait_log 3 "$3"
	stranger_says "$1" "${4:-$3}"
	undisturbed "$1"
	[ "$(grep -cF "$3" "$ring_dir/node1.log")" -le 3 ] || fail "node 1 says it again and again"
	kill -TERM "$(cat "$work/$1.pid")"
	until_true 10 gone "$(cat "$work/$1.pid")" || fail "$1 does not end"
	wait "$(cat "$work/$1.pid")"
}

strangers() {
	kill_node 2 TERM
	until_true 20 ring_has 1 2 || fail "nodes 1 and 3 are no ring"
	before=$(configurations 1)
	"$keygen" -k "$work/other.key" >/dev/null
	refused other "secauth: on
keyfile: $work/other.key" "has another key" "has another key"
	refused weaker "crypto_cipher: aes128
crypto_hash: sha256
keyfile: $RING_KEYFILE" "crypto_cipher aes128"
	refused clear "" "speaks in the clear" "is protected, and this node is not"
	start_node 2
	wait_for_ring 3
}

# Each node is told at another time; in between nobody uses the new key, and the node that was not told is named.
change_of_key() {
	before=$(configurations 1)
	old=$(protection 1 key)
	for node in 1 2 3; do
		node "$node" "$ring_build/coronet-bench" throughput -q -m 3 --send -s 100,100k -t 2 --warmup 0 --verify \
			>"$work/bench$node" 2>&1 &
		echo "$!" >"$work/bench$node.pid"
	done
	sleep 1
	new_key
	kill_node 1 HUP
	kill_node 3 HUP
	until_true 10 has 1 waiting_for "[2]" || fail "node 1 does not wait for node 2: $(protection 1 waiting_for)"
	has 1 key "$old" || fail "the new key is used before all have it"
	kill_node 2 HUP
	for node in 1 2 3; do
		until_true 10 has "$node" next_key "" || fail "node $node does not end the change"
		has "$node" key "$old" && fail "node $node has the old key still"
		wait "$(cat "$work/bench$node.pid")" || fail "messages were lost: $(cat "$work/bench$node")"
	done
	[ "$(configurations 1)" -eq "$before" ] || fail "the change of the key changed the ring"
	for node in 1 2 3; do
		has "$node" forged 0 || fail "node $node took something for forged"
	done
}

# What is wrong with the file is said, and a reload with such a file changes nothing.
bad_files() {
	chmod 0644 "$RING_KEYFILE"
	kill_node 1 HUP
	wait_log 1 "has mode 0644"
	wait_log 1 "reload: nothing is changed"
	run 8 "$ring_build/coronetd" -t -c "$ring_dir/coronet.conf" --node node1
	says "has mode 0644"
	chmod 0400 "$RING_KEYFILE"
	run 0 "$ring_build/coronetd" -t -c "$ring_dir/coronet.conf" --node node1
	says "The ring is protected: crypto_cipher aes256, crypto_hash sha256, key $(protection 1 key)"
	run 1 "$keygen" -k "$RING_KEYFILE"
	says "it would be overwritten"
}

new_key
ring_up 3
clean_up_at_exit
run 0 node 1 "$ring_build/coronet-status"
says "protection crypto_cipher aes256, crypto_hash sha256"
strangers
change_of_key
bad_files
undisturbed "all this"
rm -rf "${RING_KEYFILE%/*}"
echo "who lacks the key is told so and disturbs nobody; the key was changed and nothing lost"
