#!/usr/bin/env bash
# run-under-bochs.sh BINARY [ARGS...]
#
# Runs a static x86-64 Linux program on an emulated Ice Lake CPU (AVX-512 with VNNI) where the host's
# lacks those instructions. It boots Debian's cloud kernel under Bochs from a small ISO whose
# initramfs holds the program; the program's stdout and stderr come back as this script's, and so does
# its exit status (128 + N if signal N killed it). About 15 s for the boot, then roughly 200 times
# slower than native. No network; stdin is empty. For Debian 12 on amd64.
#
# Environment (all optional):
#   BOCHS_CACHE    kernel, init and patched emulator stay here (default: kdq-bochs in the user's cache)
#   BOCHS_TIMEOUT  seconds for the whole run (default 600); then the exit status is 124
#   BOCHS_AVXVNNI  1: also execute the VEX-encoded AVX-VNNI instructions (see step 3); default 0
# Exit status 125: it could not be run, and why is on stderr.
set -euo pipefail

give_up() {
    echo "run-under-bochs: $*" >&2
    exit 125
}

[ $# -ge 1 ] && [ -f "$1" ] || give_up "usage: $0 BINARY [ARGS...]"
binary=$(readlink -f "$1")
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BOCHS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kdq-bochs}
mkdir -p "$cache"
work=$(mktemp -d -t run-under-bochs.XXXXXX)
trap 'rm -rf "$work"' EXIT

# 1. Packages. (bochs-term only satisfies the dependency of bochs on some display; rfb is used.)
missing=()
for package in bochs bochs-term bochsbios vgabios xorriso isolinux syslinux-common cpio gcc libc6-dev
do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] || give_up "missing packages: apt-get install ${missing[*]}"

# 2. Kernel: only vmlinuz is taken out of the package, nothing is installed.
if [ ! -s "$cache/vmlinuz" ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 |
        awk '/Depends: linux-image-/ { print $2; exit }')
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2 &&
        dpkg-deb --fsys-tarfile "$package"_*.deb | tar -xf - --wildcards './boot/vmlinuz-*') ||
        give_up "no kernel: apt-get download '$package' failed"
    mv "$work"/boot/vmlinuz-* "$cache/vmlinuz.$$"
    mv "$cache/vmlinuz.$$" "$cache/vmlinuz"
fi

# 3. Emulator. Bochs 2.7 implements the VEX forms of vpdpbusd and its siblings, but no CPU model it
#    knows enables them. In a private copy of Debian's binary, the "required CPU feature" bytes of the
#    four opcodes are changed from 83 (AVX_VNNI) to 80 (AVX512_VNNI). CPUID still does not announce
#    AVX-VNNI: code that asks first will not take that path.
emulator=/usr/bin/bochs-bin
if [ "${BOCHS_AVXVNNI:-0}" = 1 ]; then
    known=5b8b1bbe782917bbe08c3511c0e74adb969b1ac86698ce823f396327689f3ebc
    [ "$(sha256sum <$emulator | cut -d' ' -f1)" = $known ] ||
        give_up "another build of bochs than expected: AVX-VNNI stays off"
    if [ ! -x "$cache/bochs-avxvnni" ]; then
        cp $emulator "$cache/bochs.$$"
        printf '\120\120\120\120' |
            dd of="$cache/bochs.$$" bs=1 seek=$((0x2b75c0 + 1969)) conv=notrunc status=none
        chmod 755 "$cache/bochs.$$"
        mv "$cache/bochs.$$" "$cache/bochs-avxvnni"
    fi
    emulator=$cache/bochs-avxvnni
fi

# 4. Initramfs and ISO.
root=$work/root iso=$work/iso
mkdir -p "$root"/{proc,sys,dev} "$iso/isolinux"
gcc -std=c11 -O2 -static -o "$root/init" "$here/bochs_init.c" || give_up "cannot compile init"
cp "$binary" "$root/prog"
chmod 755 "$root/prog"
printf '%s\0' "$(basename "$binary")" "$@" >"$root/args"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$iso/initrd"
cp "$cache/vmlinuz" "$iso/vmlinuz"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$iso/isolinux/"
# clearcpuid: 515 pku, 516 ospke, 321 xsavec, 323 xsaves: Bochs 2.7 reports wrong CPUID data for these
# and the kernel would turn AVX off; 580 fsrm: Bochs starts with "fast strings" disabled, the kernel
# then drops ERMS but not FSRM and its memmove runs wild. The rest makes the boot shorter.
cat >"$iso/isolinux/isolinux.cfg" <<CONFIG
DEFAULT l
PROMPT 0
LABEL l
 KERNEL /vmlinuz
 INITRD /initrd
 APPEND console=ttyS0,115200 quiet clearcpuid=515,516,321,323,580 nokaslr mitigations=off nosmp acpi=off cryptomgr.notests audit=0 apparmor=0 lsm= nowatchdog ipv6.disable=1 8250.nr_uarts=1 panic=-1
CONFIG
xorriso -as mkisofs -quiet -o "$work/boot.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat \
    -no-emul-boot -boot-load-size 4 -boot-info-table "$iso" 2>"$work/xorriso.log" ||
    give_up "xorriso failed: $(tail -1 "$work/xorriso.log")"

# 5. Boot. ips sets emulated time only: a low value makes the serial lines cheap.
cat >"$work/bochsrc" <<CONFIG
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei7_icelake_u, count=1, ips=10000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=256, host=256
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/com1
com2: enabled=1, mode=file, dev=$work/com2
com3: enabled=1, mode=file, dev=$work/com3
clock: sync=none, time0=946684800
log: $work/bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
CONFIG
# Debian's build has the debugger: "c" starts it. The rfb display listens on a VNC port, so give it a
# network namespace of its own where that is allowed.
namespace=()
! unshare -n true 2>/dev/null || namespace=(unshare -n)
rc=0
timeout "${BOCHS_TIMEOUT:-600}" "${namespace[@]}" "$emulator" -q -f "$work/bochsrc" <<<c \
    >"$work/bochs.out" 2>&1 || rc=$?
touch "$work"/com{1,2,3}
cat "$work/com2"
cat "$work/com3" >&2
status=$(sed -n 's/^@@EXIT \([0-9]*\).*/\1/p' "$work/com1" | tail -1)
[ -z "$status" ] || exit "$status"
tail -n 25 "$work/com1" "$work/bochs.log" "$work/bochs.out" >&2
[ $rc -ne 124 ] || exit 124
give_up "no exit status from the guest (the emulator's: $rc)"
