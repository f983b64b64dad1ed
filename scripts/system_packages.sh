#!/usr/bin/env bash
# Installs Debian packages where the user may, else names them in one line. Without arguments: the compilers and the
# emulator of Cortex-M that are missing; with --tests also those of RISC-V, and clang, which the tests compile with
# beside gcc; else the packages named.
# Never fails: what needs a missing tool says so itself.
set -u
tried=.venv/.system_tried

missing=("$@")
if [ $# -eq 0 ] || [ "$1" = --tests ]; then
  missing=()
  if [ "${1:-}" = --tests ]; then
    command -v clang >/dev/null || missing+=(clang)
    command -v riscv64-unknown-elf-gcc >/dev/null || missing+=(gcc-riscv64-unknown-elf)
    command -v qemu-system-riscv32 >/dev/null || missing+=(qemu-system-misc)
  fi
  command -v "${CC:-cc}" >/dev/null || missing+=(gcc libc6-dev)
  command -v arm-none-eabi-gcc >/dev/null || missing+=(gcc-arm-none-eabi)
  # Without the library, gcc prints the bare name back.
  [ "$(arm-none-eabi-gcc -print-file-name=nano.specs 2>/dev/null || echo nano.specs)" != nano.specs ] ||
    missing+=(libnewlib-arm-none-eabi)
  command -v qemu-system-arm >/dev/null || missing+=(qemu-system-arm)
fi
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
if [ "$(cat "$tried" 2>/dev/null)" != "${missing[*]}" ] && command -v apt-get >/dev/null &&
  { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
  echo "Installing ${missing[*]} ..."
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends)
  { "${apt[@]}" install "${missing[@]}" || { "${apt[@]}" update && "${apt[@]}" install "${missing[@]}"; }; } \
    </dev/null >/dev/null 2>&1 && exit 0
  # A second run does not wait for the same failure again.
  [ -d .venv ] && echo "${missing[*]}" >"$tried"
fi
echo "Not installed: ${missing[*]}. On Debian: apt-get install ${missing[*]}"
