# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Chooses between KVM and emulation. A /dev/kvm that opens may still not run an ordinary kernel (inside
# some virtual machines the guest never leaves the BIOS), so KVM is used only where a kernel was seen
# to boot with it. The answer is kept per host kernel and QEMU version.

ACCEL_PROBE_SECONDS=8

accel_probe() {
	local log
	[[ -r /dev/kvm && -w /dev/kvm ]] || return 1
	say "trying KVM (once; at most $ACCEL_PROBE_SECONDS s)"
	log=$(timeout -s KILL "$ACCEL_PROBE_SECONDS" qemu-system-x86_64 -accel kvm -cpu host -smp 1 -m 512 \
		-nodefaults -no-user-config -display none -no-reboot -serial stdio \
		-kernel "$cache/$kernel/image" -initrd "$initramfs" \
		-append "console=ttyS0 quiet panic=-1 lab.probe" </dev/null 2>&1)
	[[ $log == *"lab: probe ok"* ]]
}

accel_key() {
	{
		uname -srv
		qemu-system-x86_64 --version
	} | sha256sum | cut -c 1-16
}

# Prints "kvm" or "tcg". Called with the cache locked. LAB_ACCEL=tcg or kvm overrides.
accel_choose() {
	local answer
	if [[ -n ${LAB_ACCEL-} ]]; then
		printf '%s\n' "$LAB_ACCEL"
		return
	fi
	answer=$cache/accel-$(accel_key)
	if [[ ! -s $answer ]]; then
		if accel_probe; then
			echo kvm >"$answer"
		else
			echo tcg >"$answer"
		fi
	fi
	cat "$answer"
}
