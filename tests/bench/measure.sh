# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Sourced by versus and curve: coronet-bench as members of a ring of three, and medians of what they measured.
#   load                        finds the programs of the build and the helpers that start rings
#   corosync_conf SERVICE       prints what its configuration needs
#   protection SERVICE          the same for one that ends in +CIPHER, of both kinds; needs a key file $work/key
#   daemon SERVICE NODE         prints its process id
#   client SERVICE NODE COMMAND...
#   measure, medians            see there
# Whoever sources this sets top (the tree), top_builddir, work (a directory), and round before measure; members when it
# is not three.

: "${top:?}" "${top_builddir:?}"
work=${work:-}
round=${round:-}
members=${members:-3}

load() {
	# shellcheck source=tests/system/ring.sh
	. "$top/tests/system/ring.sh"
	# shellcheck source=tests/system/corosync.sh
	. "$top/tests/system/corosync.sh"
	bench=$top_builddir/.libs/coronet-bench
	[ -x "$bench" ] || bench=$top_builddir/coronet-bench
	our_lib=$top_builddir/src/.libs
	debian_lib=$(dirname "$(dpkg -L libcpg4 2>/dev/null | grep '/libcpg\.so\.4$')")
}

# A cipher, or none for authentication only, with the hash that both have.
protection() {
	case $1 in
	*+*)
		printf 'totem {\n\tcrypto_cipher: %s\n\tcrypto_hash: sha256\n\tkeyfile: %s\n}\n' "${1##*+}" "$work/key"
		;;
	esac
}

# Lines for the configuration of corosync:TRANSPORT:MTU. With knet corosync finds out by itself what fits.
corosync_conf() {
	echo "${1%+*}" | awk -F : '{
		printf "totem {\n\ttransport: %s\n", $2
		if ($2 == "udpu") { printf "\tnetmtu: %s\n", $3 }
		print "}"
	}'
	protection "$1"
}

daemon() {
	case $1 in
	coronet*) cat "$ring_dir/node$2.pid" ;;
	*) corosync_pid "$2" ;;
	esac
}

# client SERVICE NODE COMMAND...
client() {
	client_service=$1
	shift
	case $client_service in
	coronet*) LD_LIBRARY_PATH=$our_lib node "$@" ;;
	*) LD_LIBRARY_PATH=$debian_lib corosync_node "$@" ;;
	esac
}

# measure SERVICE NAME SENDERS MODE OPTIONS...: lines "SERVICE,NAME,..." in $work/figures.
measure() {
	service=$1
	name=$2
	others=$3
	shift 3
	case $service in
	*:in-place*) set -- "$@" --in-place ;;
	esac
	pids=
	for i in $(seq 2 "$members"); do
		client "$service" "$i" "$bench" "$@" --members "$members" "$others" --quiet --patience 20 \
			--daemon-pid "$(daemon "$service" "$i")" >>"$work/errors" 2>&1 &
		pids="$pids $!"
	done
	client "$service" 1 "$bench" "$@" --members "$members" --send --quiet --patience 20 --csv \
		--daemon-pid "$(daemon "$service" 1)" >"$work/out" 2>>"$work/errors" ||
		echo "round $round: $service: $name: failed: $(tail -n 1 "$work/errors")" >&2
	# shellcheck disable=SC2086 # a list; each of them ends after its patience at the latest
	wait $pids
	sed "1d; s/^/$service,$name,/" "$work/out" >>"$work/figures"
}

# medians SCENARIO FIELD|cost: lines "SERVICE BYTES MEDIAN SPREAD", of the window in which the service sends most; instead
# of figures "refused" when it is.
medians() {
	awk -F , -v scenario="$1" -v field="$2" '
	function sort(n,    i, j, t) {
		for (i = 2; i <= n; i++) {
			for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
				t = v[j]
				v[j] = v[j - 1]
				v[j - 1] = t
			}
		}
	}
	function median(which, n,    i) {
		for (i = 1; i <= n; i++) {
			v[i] = value[which, i]
		}
		sort(n)
		return (v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2
	}
	$2 != scenario { next }
	{
		line = $1 " " $4
		key = line SUBSEP $29
		if (!(line in seen)) {
			seen[line] = 1
			order[++lines] = line
		}
		if (!(key in count)) {
			count[key] = 0
			windows[line] = windows[line] " " $29
		}
	}
	$9 == "refused" { refused[line] = 1 }
	# Processor time of all daemons and members for one message, in us.
	$9 == "ok" {
		value[key, ++count[key]] = field != "cost" ? $field : $10 > 0 ? ($14 + $15) * 1e6 / $10 : 0
		value["rate" key, count[key]] = $10
	}
	END {
		for (l = 1; l <= lines; l++) {
			line = order[l]
			n = split(windows[line], window, " ")
			best = ""
			for (w = 1; w <= n; w++) {
				key = line SUBSEP window[w]
				if (count[key] && (best == "" || median("rate" key, count[key]) > most)) {
					most = median("rate" key, count[key])
					best = key
				}
			}
			if (best == "") {
				print line, (line in refused) ? "refused" : "-", 0
				continue
			}
			m = median(best, count[best])
			print line, m, (m > 0 ? (v[count[best]] - v[1]) * 50 / m : 0)
		}
	}' "$work/figures"
}
