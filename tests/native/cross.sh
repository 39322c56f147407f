#!/usr/bin/env bash
# cross.sh: check_kernels natively, and under emulators for the CPUs that this machine is not.
#
#   qemu    aarch64 with NEON, SDOT and SMMLA; s390x (big-endian) and riscv64: the portable path;
#           x86-64 without AVX2: dispatch
#   Bochs   AVX-512 VNNI, and AVX-VNNI, which it executes but does not announce
#
# `make cross` calls this, with PYTHON, C_FLAGS and WARNINGS set. Other architectures are compiled by `zig cc`
# (pip install ziglang: a C compiler with every libc). Where a tool is missing, the rest runs; what did
# not run is listed at the end, and is a failure where CI is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

out=build/cross
rm -rf "$out"
mkdir -p "$out"
sources=(tests/native/check.c tests/native/check_*.c csrc/*.c)
read -ra flags <<<"$C_FLAGS -Icsrc -static"
# make c-warnings does not see the code for other architectures. Some have no vectors to make loops of.
read -ra warnings <<<"$WARNINGS -Wno-pass-failed"
kernels=(avx512vnni avxvnni avx2 i8mm neondot neon scalar) # each must have run somewhere
failed=() not_run=()

# check NAME COMMAND...: run it into a log; 125 and 127 mean that there was no way to run it.
check() {
    local name=$1 status=0
    shift
    printf '\n=== %s\n' "$name"
    "$@" 2>&1 | tee "$out/$name.log" || status=${PIPESTATUS[0]}
    case $status in
    0) ;;
    125 | 127) not_run+=("$name") ;;
    *) failed+=("$name (exit status $status)") ;;
    esac
}

emulate() { # NAME ARCHITECTURE CPU EXPECTED: dispatch must choose EXPECTED there
    if [ -x "$out/check-$2" ]; then
        check "$1" "qemu-$2-static" -cpu "$3" "$out/check-$2" --expect "$4"
    else
        not_run+=("$1")
    fi
}

finds_mistakes() {
    local status=0
    "$out/check-$host-native" saturating >"$out/saturating.txt" || status=$?
    tail -n 1 "$out/saturating.txt"
    [ $status -eq 1 ]
}

# Both VNNI kernels; only the announced one where the emulator is not the build that can do more. And
# "avx2", if not native: qemu has AVX2, but its vpmaskmovd also reads what is masked out (7.2).
under_bochs() {
    local run=(bash tests/native/run-under-bochs.sh "$out/check-x86_64" --expect avx512vnni) status=0
    grep -q '^avx2: .*: all equal$' "$out/native.log" || run+=(avx2)
    BOCHS_AVXVNNI=1 "${run[@]}" avx512vnni --force avxvnni || status=$?
    [ $status -eq 125 ] || return $status
    BOCHS_AVXVNNI=0 "${run[@]}" avx512vnni
}

# The other architectures, all at once: their libc is compiled too, the first time.
if "$PYTHON" -c 'import ziglang' 2>/dev/null; then
    for target in aarch64 s390x riscv64; do
        "$PYTHON" -m ziglang cc -target $target-linux-musl "${flags[@]}" "${warnings[@]}" "${sources[@]}" -lm \
            -o "$out/check-$target" >"$out/zig-$target.log" 2>&1 &
    done
else
    echo "cross.sh: $PYTHON has no ziglang: pip install -e '.[cross]'" >&2
fi

host=$(uname -m)
"${CC:-cc}" "${flags[@]}" "${sources[@]}" -lm -o "$out/check-$host-native"
check "native" "$out/check-$host-native"
check "a kernel that is wrong on purpose" finds_mistakes

if [ "$host" = x86_64 ]; then
    ln "$out/check-$host-native" "$out/check-x86_64"
    emulate "x86_64, Nehalem" x86_64 Nehalem scalar
    check "Bochs, Ice Lake" under_bochs
else
    not_run+=("x86_64")
fi

wait
for target in aarch64 s390x riscv64; do
    [ -x "$out/check-$target" ] || [ ! -e "$out/zig-$target.log" ] || {
        tail -n 20 "$out/zig-$target.log"
        failed+=("compiling for $target")
    }
done
emulate "aarch64, all that qemu has" aarch64 max i8mm
emulate "aarch64, Cortex-A76" aarch64 cortex-a76 neondot
emulate "aarch64, Cortex-A53" aarch64 cortex-a53 neon
emulate "s390x, big-endian" s390x max scalar
emulate "riscv64" riscv64 rv64 scalar

for kernel in "${kernels[@]}"; do
    grep -qh "^$kernel: .*: all equal\$" "$out"/*.log || not_run+=("kernel $kernel, anywhere")
done
printf '\n'
if [ ${#not_run[@]} -gt 0 ]; then
    printf '!!! NOT RUN: %s\n' "${not_run[@]}"
fi
if [ ${#failed[@]} -gt 0 ]; then
    printf '!!! FAILED: %s\n' "${failed[@]}"
    exit 1
fi
[ ${#not_run[@]} -eq 0 ] || [ -z "${CI:-}" ] || exit 1
echo "make cross: nothing that ran was wrong"
