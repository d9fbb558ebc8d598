# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Installs what the lab needs (the list is in ../packages) and is not there yet.

packages_of() {
	awk -v group="$1" '$1 == group { print $2 }' "$lab_dir/packages"
}

packages_missing() {
	local package
	for package in $(packages_of "$1"); do
		if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>&1) != installed ]]; then
			printf '%s\n' "$package"
		fi
	done
}

packages_install() {
	local -a missing
	local log
	mapfile -t missing < <(packages_missing "$1")
	if ((${#missing[@]} == 0)); then
		return
	fi
	say "installing ${missing[*]}"
	as_root apt-get update -qq >&2 || say "apt-get update failed, trying with the lists there are"
	log=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		"${missing[@]}" 2>&1) || die "apt-get cannot install ${missing[*]}: $log"
	if [[ $1 == corosync && -d /run/systemd/system ]]; then
		# Only the program is wanted: no cluster daemon shall run on this machine itself.
		as_root systemctl disable --now --quiet corosync
	fi
}
