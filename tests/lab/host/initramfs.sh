# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The initramfs: static busybox, guest/init, the modules, and copies of the few host programs that the
# guest needs before COMMAND. It is not compressed: unpacking would cost the emulator more than it saves.

# In this order. The first four are what reaches the host's root over 9p; without crc32_generic adding an
# rxe device fails, and only the kernel's log says why.
INITRAMFS_MODULES="virtio_pci 9p 9pnet_virtio overlay
	crc32_generic rdma_rxe rdma_ucm ib_uverbs veth bridge sch_netem"

# Read from memory instead of over 9p, each with its libraries.
INITRAMFS_WARM="bash ip rdma tc"

warm_files() {
	local program file
	for program in $INITRAMFS_WARM; do
		file=$(type -P "$program") || die "no program $program on this host"
		realpath "$file"
		ldd "$(realpath "$file")" | grep -o '/[^ ]*'
	done | sort -u
}

# Every file under the name that the loader asks for, in its real directory, and under its real name.
warm_paths() {
	local file
	warm_files | while read -r file; do
		printf '%s/%s\n' "$(realpath "$(dirname "$file")")" "$(basename "$file")"
		realpath "$file"
	done | sort -u
}

# A name that changes when anything that goes into the image changes.
initramfs_name() {
	local sum
	sum=$({
		cat "$lab_dir/guest/init" "$lab_dir/host/initramfs.sh"
		for program in busybox $INITRAMFS_WARM; do
			type -P "$program"
		done | xargs stat -L -c '%n %s %Y %i'
		stat -c '%s %Y %i' /etc/ld.so.cache
	} | sha256sum)
	printf 'initramfs-%s\n' "${sum:0:16}"
}

initramfs_modules() {
	local version=$1 module
	for module in $INITRAMFS_MODULES; do
		modprobe -d "$cache/$version/root" -S "$version" --show-depends "$module" ||
			die "kernel $version has no module $module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# Modules are numbered in the order of loading; compressed ones are unpacked here, busybox need not.
initramfs_add_modules() {
	local version=$1 tree=$2 number=100 file files
	files=$(initramfs_modules "$version") || exit "$LAB_EXIT_BROKEN"
	while read -r file; do
		number=$((number + 1))
		case $file in
		*.xz) xz -dc "$file" ;;
		*.zst) zstd -dcq "$file" ;;
		*) cat "$file" ;;
		esac >"$tree/modules/$number.ko"
	done <<<"$files"
}

# Called with the cache locked.
initramfs_build() {
	local version=$1 image=$2 tree
	tree=$(mktemp -d "$cache/tree.XXXXXX") || die "cannot write in $cache"
	mkdir "$tree"/{bin,modules,dev,proc,sys,host,rw,root,warm}
	cp "$(type -P busybox)" "$tree/bin/busybox"
	install -m 755 "$lab_dir/guest/init" "$tree/init"
	initramfs_add_modules "$version" "$tree"
	warm_paths | cpio -pdm --quiet "$tree/warm" || die "cannot copy programs into the initramfs"
	chmod -R u+w "$tree"
	(cd "$tree" && find . | cpio -o -H newc --quiet) >"$image.new" || die "cannot pack the initramfs"
	rm -rf "$tree"
	find "${image%/*}" -name 'initramfs-*' -mtime +30 -delete
	mv "$image.new" "$image"
}
