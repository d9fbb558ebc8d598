# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# One virtual machine: what it is given, its start, the talk with it, its end.
#
# The exchange directory is /lab in the guest:
#   start, settings    what the guest runs first, and what it must know
#   stdout, stderr     COMMAND's two streams; written by the guest through 9p, followed here
#   console.log        the guest's kernel console
#   ctl.in, ctl.out    the guest's second serial line: "started", "status N" from it, "dump" to it

# Booting longer than this is too long even on a busy machine.
GUEST_BOOT_SECONDS=120
# About one emulated boot in a hundred gets stuck on a lost timer interrupt, so a stuck one is begun anew.
GUEST_BOOT_ATTEMPTS=3
CONSOLE_TAIL_LINES=40

# Variables of ours and of the sanitizers go into the guest by themselves, others with -e.
settings_environment() {
	local name
	for name in $(compgen -e | grep -E '^(CORONET_|LAB_|LANG$|LC_|[A-Z]+SAN_OPTIONS$)') "${opt_environment[@]}"; do
		case $name in
		*=*) printf 'export %s=%q\n' "${name%%=*}" "${name#*=}" ;;
		*) [[ -z ${!name+set} ]] || printf 'export %s=%q\n' "$name" "${!name}" ;;
		esac
	done
}

settings_print() {
	settings_environment
	printf 'export LAB_NODES=%q LAB_MTU=%q\n' "$opt_nodes" "$opt_mtu"
	printf 'export LAB_DIR=%q LAB_TOP=%q LAB_OUT=%q\n' "$lab_dir" "$lab_top" "$lab_out"
	printf 'LAB_KERNEL=%q LAB_MODULES=%q\n' "$kernel" "$cache/$kernel/root/lib/modules/$kernel"
	printf 'LAB_CWD=%q\n' "$PWD"
	printf 'LAB_COMMAND=('
	printf ' %q' "${command[@]}"
	printf ' )\n'
}

exchange_make() {
	exchange=$(mktemp -d "${TMPDIR:-/tmp}/coronet-lab.XXXXXX") || die "no room for temporary files"
	: >"$exchange/stdout"
	: >"$exchange/stderr"
	: >"$exchange/console.log"
	mkfifo "$exchange/ctl.in" "$exchange/ctl.out" || die "cannot make a fifo in $exchange"
	printf 'exec /bin/bash %q\n' "$lab_dir/guest/boot" >"$exchange/start"
	if [[ -z $lab_out ]]; then
		lab_out=$exchange/out
		mkdir "$lab_out"
	fi
	settings_print >"$exchange/settings"
}

# A directory of the host as QEMU's arguments; commas in a path are doubled.
nine_share() {
	local tag=$1 path=$2 more=$3
	printf '%s\0' -fsdev "local,id=$tag,path=${path//,/,,},security_model=none,multidevs=remap$more" \
		-device "virtio-9p-pci,fsdev=$tag,mount_tag=$tag"
}

# Without a word the guest takes the emulator's clock for unsynchronised and asks an emulated chip for every
# time of day, which is ten times as slow. It is as good as the host's own.
clock_options() {
	if grep -q -w -e tsc -e kvm-clock /sys/devices/system/clocksource/clocksource0/current_clocksource; then
		printf 'tsc=reliable'
	fi
}

guest_arguments() {
	local accel=(-accel "tcg,thread=multi" -cpu "max,la57=off")
	if [[ $accelerator == kvm ]]; then
		accel=(-accel kvm -cpu host)
	fi
	printf '%s\0' "${accel[@]}" -smp "$opt_smp" -m "$opt_memory" \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$cache/$kernel/image" -initrd "$initramfs" \
		-append "console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off nokaslr $(clock_options)" \
		-serial "file:$exchange/console.log" \
		-chardev "pipe,id=ctl,path=$exchange/ctl" -serial chardev:ctl
	nine_share hostroot / ,readonly=on
	nine_share exchange "$exchange" ""
	nine_share out "$lab_out" ""
}

guest_start() {
	local -a arguments
	mapfile -d '' -t arguments < <(guest_arguments)
	# Opened for both directions, so that neither side waits for the other's open.
	exec {ctl_in}<>"$exchange/ctl.in" {ctl_out}<>"$exchange/ctl.out"
	ctl_line=
	setpriv --pdeathsig KILL qemu-system-x86_64 "${arguments[@]}" \
		</dev/null >"$exchange/qemu.log" 2>&1 {ctl_in}>&- {ctl_out}>&- &
	guest_pid=$!
	tail -c +1 -s 0.3 -f --pid="$guest_pid" "$exchange/stdout" {ctl_in}>&- {ctl_out}>&- &
	followers=($!)
	tail -c +1 -s 0.3 -f --pid="$guest_pid" "$exchange/stderr" {ctl_in}>&- {ctl_out}>&- >&2 &
	followers+=($!)
}

guest_alive() {
	kill -0 "$guest_pid" 2>/dev/null
}

# Waits for the guest's next word. Sets event to it, to "gone" (the guest has ended) or to "late".
guest_wait() {
	local until=$((SECONDS + $1)) part
	while ((SECONDS < until)); do
		if IFS= read -r -t 1 -u "$ctl_out" part; then
			event=$ctl_line$part
			ctl_line=
			return
		fi
		ctl_line+=$part
		if ! guest_alive; then
			event=gone
			return
		fi
	done
	event=late
}

# As guest_wait, but comes back early when the guest's kernel complains that nothing moves.
guest_wait_boot() {
	local until=$((SECONDS + GUEST_BOOT_SECONDS)) last_attempt=$1
	event=late
	while [[ $event == late ]] && ((SECONDS < until)); do
		guest_wait 2
		if ((!last_attempt)) && grep -a -q 'detected .*stalls' "$exchange/console.log"; then
			return
		fi
	done
}

# Sets event to "started", or to what came instead.
guest_boot() {
	local attempt
	for ((attempt = 1; attempt <= GUEST_BOOT_ATTEMPTS; attempt++)); do
		guest_start
		guest_wait_boot $((attempt == GUEST_BOOT_ATTEMPTS))
		[[ $event == late ]] || return
		explain "the guest got stuck while booting (attempt $attempt)"
		if ((attempt < GUEST_BOOT_ATTEMPTS)); then
			guest_stop
			: >"$exchange/console.log"
		fi
	done
}

# Asks a guest that hangs to write its processes on the console; it may be too sick to answer.
guest_dump() {
	printf 'dump\n' >&"$ctl_in"
	guest_wait 5
}

guest_stop() {
	if [[ -n ${guest_pid-} ]]; then
		kill -KILL "$guest_pid" 2>/dev/null
		wait "$guest_pid" 2>/dev/null
		wait "${followers[@]}" 2>/dev/null
		exec {ctl_in}>&- {ctl_out}>&-
		guest_pid=
	fi
}

console_tail() {
	say "last lines of the guest's console:"
	tail -n "$CONSOLE_TAIL_LINES" "$exchange/console.log" | tr -d '\r' | sed 's/^/  | /' >&2
	if [[ -s $exchange/qemu.log ]]; then
		say "QEMU says:"
		tail -n 5 "$exchange/qemu.log" | sed 's/^/  | /' >&2
	fi
	cp "$exchange/console.log" "$lab_out/console.log" 2>/dev/null
}

# Only lines with the kernel's time stamp count: processes may write such words too.
console_kernel_trouble() {
	grep -a -m 3 -E '^\[ *[0-9]+\.[0-9]+\].*(BUG: |Oops|soft lockup|hard LOCKUP|Kernel panic|general protection)' \
		"$exchange/console.log"
}

# Worth knowing, but a busy host alone can cause some of them.
console_warnings() {
	local line
	while read -r line; do
		say "the guest's kernel warns: ${line//$'\r'/}"
	done < <(grep -a -m 3 -E '^\[ *[0-9]+\.[0-9]+\].*(WARNING: |detected .*stalls|blocked for more than|Out of memory)' \
		"$exchange/console.log")
}
