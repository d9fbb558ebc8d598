# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Debian's own kernel, downloaded and unpacked into the cache, never installed:
#
#   CACHE/kernel               version in use, for example 6.1.0-56-amd64
#   CACHE/VERSION/image              the kernel itself, uncompressed
#   CACHE/VERSION/root/lib/modules/VERSION/...

# The newest kernel of this Debian; its ordinary image, because the cloud image lacks rdma_rxe.
kernel_newest() {
	apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/.*Depends: linux-image-\(.*\)/\1/p' | head -n 1
}

# Most of the image is drivers for hardware that the guest does not have.
kernel_prune() {
	local modules=$1/kernel
	rm -rf "$modules"/sound "$modules"/drivers/{gpu,media,iio,scsi,usb,staging,hwmon,mtd,comedi,mfd}
	rm -rf "$modules"/drivers/net/{wireless,ethernet,usb,can}
}

number_at() {
	od -A n -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# The packed kernel inside a bzImage: Linux' Documentation/x86/boot.rst, setup_sects, payload_offset and
# payload_length. The last four bytes of the payload are its unpacked size.
kernel_payload() {
	local offset length
	offset=$((($(number_at "$1" 497 1) + 1) * 512 + $(number_at "$1" 584 4)))
	length=$(($(number_at "$1" 588 4) - 4))
	tail -c +$((offset + 1)) "$1" | head -c "$length"
}

# Unpacking itself takes an emulated kernel several seconds; QEMU boots the unpacked one as well (PVH).
kernel_image() {
	local packed=$1 image=$2
	kernel_payload "$packed" | xz -dc >"$image" 2>/dev/null
	if [[ $(head -c 4 "$image") != $'\x7fELF' ]]; then
		say "this kernel is packed in an unknown way; booting it as it is, which is slower"
		cp "$packed" "$image"
	fi
}

kernel_unpack() {
	local version=$1 work=$2
	(cd "$work" && apt-get download -qq "linux-image-$version" 2>download.log) ||
		die "cannot download linux-image-$version: $(tail -n 3 "$work/download.log")"
	dpkg -x "$work"/linux-image-*.deb "$work/root" || die "cannot unpack linux-image-$version"
	kernel_prune "$work/root/lib/modules/$version"
	depmod -b "$work/root" "$version" || die "depmod failed for $version"
	kernel_image "$work/root/boot/vmlinuz-$version" "$work/image"
	rm -rf "$work"/*.deb "$work"/download.log "$work/root/boot" "$work/root/usr"
}

# Called with the cache locked.
kernel_fetch() {
	local version work
	version=$(kernel_newest)
	if [[ -z $version ]]; then
		as_root apt-get update -qq >&2
		version=$(kernel_newest)
	fi
	[[ -n $version ]] || die "apt knows no linux-image-amd64 here; the lab needs Debian's package lists"
	if [[ ! -d $cache/$version ]]; then
		say "downloading and unpacking Debian's kernel $version (once; about 70 MB)"
		work=$(mktemp -d "$cache/unpack.XXXXXX") || die "cannot write in $cache"
		kernel_unpack "$version" "$work"
		mv "$work" "$cache/$version"
	fi
	printf '%s\n' "$version" >"$cache/kernel.new"
	mv "$cache/kernel.new" "$cache/kernel"
}
