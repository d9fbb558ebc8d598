#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Three daemons carry traffic of which every message is checked, while programs break every rule by which the daemons
# can be reached on their host: clients that may connect and one that may not, processes of the daemons' user that
# greet them wrongly, and two nodes of the configuration that link to them and speak nonsense. Nothing is lost, the
# ring does not change, and afterwards memory, descriptors and the log are what they were.
#   HOSTILE_SECONDS (6)  how long, HOSTILE_SEED (1), HOSTILE_KEEP: the logs are copied there
set -u
# shellcheck source=tests/system/ring.sh
. "$(dirname "$0")/ring.sh"
# shellcheck source=tests/system/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

seconds=${HOSTILE_SECONDS:-6}
seed=${HOSTILE_SEED:-1}
tests=$ring_build/tests/system
# Of six nodes these have daemons: hostile ones dial some, and are dialled by the others.
daemons="3 4 5"
slab_kib=$((512 * 32))
# What may come on top of the lines that tell of the ring: so many a minute for each of a few reasons.
log_lines_max=$((400 + 400 * seconds / 60))

# Without any group of root's.
as_nobody="setpriv --reuid nobody --regid nogroup --clear-groups"
as_daemon="setpriv --reuid daemon --regid nogroup --clear-groups"

is_root() {
	[ "$(id -u)" -eq 0 ]
}

ring_of_three() {
	ring_dir=$(mktemp -d)
	ring_config 6 "clients {
	queue_max: 32m
}
uidgid {
	uid: nobody
}" >"$ring_dir/coronet.conf"
	clean_up_at_exit
	for i in $daemons; do
		start_node "$i"
	done
	for i in $daemons; do
		until_true 20 ring_has "$i" 3 || fail "no ring of three"
	done
	chmod 755 "$ring_dir"
}

# resident I WHAT: KiB, RssAnon of its own or RssShmem of what is shared.
resident() {
	awk -v what="$2:" '$1 == what { print $2 }' "/proc/$(node_pid "$1")/status"
}

descriptors() {
	# shellcheck disable=SC2012
	ls "/proc/$(node_pid "$1")/fd" | wc -l
}

memfds() {
	find "/proc/$(node_pid "$1")/fd" -lname '/memfd:*' | wc -l
}

lines() {
	wc -l <"$ring_dir/node$1.log"
}

take_down() {
	for i in $daemons; do
		eval "anon$i=$(resident "$i" RssAnon) shared$i=$(resident "$i" RssShmem) fds$i=$(descriptors "$i") memfds$i=$(memfds "$i") lines$i=$(lines "$i")"
		eval "seq$i=$(fact "$i" ring_seq) configurations$i=$(fact "$i" configurations)"
	done
}

was() {
	eval "echo \$$1$2"
}

# begin NAME COMMAND...: processors are not what is fought for.
begin() {
	begin_name=$1
	shift
	nice -n 10 "$@" >"$work/$begin_name.out" 2>&1 &
	started "$begin_name"
	hostile_names="${hostile_names-} $begin_name"
}

all_ended() {
	for name in $hostile_names; do
		wait "$(cat "$work/$name.pid")" || fail "$name: status $?: $(cat "$work/$name.out")"
		echo "$name: $(cat "$work/$name.out")"
	done
}

# member GROUP I RATE MAX
member() {
	CORONET_RUN_DIR=$ring_dir/node$2 "$tests/witness" --log "$work/$1" --group "$1" --rate "$3" --max "$4" \
		--seed "$seed$2" 2>>"$work/witness.errors" &
	started "$1$2"
	members="${members-} $1$2"
}

# Hostile ones are members of the second group.
begin_traffic() {
	mkdir "$work/verified" "$work/busy"
	for i in $daemons; do
		member verified "$i" 150 20000
	done
	for i in 3 5; do
		member busy "$i" 100 40000
	done
}

drained() {
	# shellcheck disable=SC2012
	[ "$(ls "$work"/*/drained.* 2>/dev/null | wc -l)" -eq 5 ]
}

end_traffic() {
	touch "$work/verified/stop" "$work/busy/stop"
	until_true 60 drained || fail "what was sent has not come back to all who sent it"
	touch "$work/verified/leave" "$work/busy/leave"
	for name in $members; do
		wait "$(cat "$work/$name.pid")" || fail "$name: status $?: $(cat "$work/witness.errors")"
	done
	for group in verified busy; do
		"$tests/judge" "$work/$group"/*.story >"$work/out" 2>&1 || fail "messages of $group are not as they must be"
		echo "$group: $(tail -n 1 "$work/out")"
	done
}

begin_hostility() {
	cluster=test-$$
	begin strangers "$hostile" strangers "$seconds" "$seed" "$cluster" 2,3,4,5,6,0,77 3 4 5
	begin dialling "$hostile" node "$seconds" "$seed" "$cluster" 1 3 4 5
	begin dialled "$hostile" node "$seconds" "$seed" "$cluster" 6 3 4 5
	begin clients3 "$hostile" clients "$seconds" "$seed" "$ring_dir/node3"
	# shellcheck disable=SC2086 # a command and its options
	if $as_others; then
		begin clients4 $as_nobody "$hostile" clients "$seconds" "$seed" "$ring_dir/node4"
		begin storm $as_nobody "$hostile" storm "$seconds" "$seed" "$ring_dir/node4"
		begin refused $as_daemon "$hostile" refused "$seconds" "$seed" "$ring_dir/node5"
		begin givers $as_daemon "$hostile" givers "$seconds" "$seed" "$ring_dir/node5" "$cluster" 0 5
		begin refused-storm $as_daemon "$hostile" storm "$seconds" "$seed" "$ring_dir/node5"
	fi
}

# Of its own: what malloc keeps of a crowd's. Shared: the slots, all of them once messages have come.
memory_back() {
	[ $(($(resident "$1" RssAnon) - $(was anon "$1"))) -le 16384 ] &&
		[ $(($(resident "$1" RssShmem) - $(was shared "$1"))) -le $((slab_kib + 2048)) ]
}

descriptors_back() {
	[ "$(descriptors "$1")" -eq "$(was fds "$1")" ] && [ "$(memfds "$1")" -eq "$(was memfds "$1")" ]
}

# A sanitizer has memory of its own, and much.
plain_build() {
	! grep -qasE '__(a|t|ub)san_' "$ring_build/.libs/coronetd" "$ring_build/coronetd"
}

as_it_was() {
	for i in $daemons; do
		kill -0 "$(node_pid "$i")" || fail "daemon $i has ended"
		until_true 20 descriptors_back "$i" ||
			fail "node $i: $(descriptors "$i") descriptors, $(was fds "$i") before; $(memfds "$i") memfds, $(was memfds "$i") before"
		if plain_build; then
			until_true 20 memory_back "$i" ||
				fail "node $i: $(resident "$i" RssAnon) and $(resident "$i" RssShmem) KiB, $(was anon "$i") and $(was shared "$i") before"
		fi
		fact_is "$i" ring_seq "$(was seq "$i")" || fail "node $i is in another ring"
		fact_is "$i" configurations "$(was configurations "$i")" || fail "node $i has seen other rings"
		[ $(($(lines "$i") - $(was lines "$i"))) -le "$log_lines_max" ] ||
			fail "node $i has logged $(($(lines "$i") - $(was lines "$i"))) lines; of $log_lines_max allowed"
		echo "node $i: $(resident "$i" RssAnon) KiB of its own, $(was anon "$i") before; $(descriptors "$i") descriptors," \
			"$(($(lines "$i") - $(was lines "$i"))) lines logged"
	done
}

# In order, so that a sanitizer tells of leaks.
end_daemons() {
	for i in $daemons; do
		kill_node "$i" TERM
		wait "$(node_pid "$i")" || fail "daemon $i ends with $?"
		! grep -q "runtime error\|ERROR: .*Sanitizer" "$ring_dir/node$i.log" || fail "node $i: see its log"
	done
}

ring_of_three
hostile=$tests/hostile/hostile
as_others=false
if is_root; then
	chmod 755 "$work"
	cp "$hostile" "$work/hostile"
	$as_nobody "$work/hostile" 2>/dev/null
	[ $? -eq 2 ] && as_others=true && hostile=$work/hostile
fi
$as_others || echo "not checked: other users"
take_down
begin_traffic
begin_hostility
all_ended
[ -z "${HOSTILE_KEEP-}" ] || cp "$ring_dir"/node*.log "$HOSTILE_KEEP"
end_traffic
as_it_was
end_daemons
echo "the ring, its messages and its memory are as they were"
