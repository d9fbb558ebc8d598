#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Calls that are not made: unbounded string functions anywhere; clocks, memory, sockets and output in the
# ring and the groups, which are functions of their events and nothing else.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

tab=$(printf '\t')
sed "s/ *; */$tab/g" >"$work/rules" <<'END'
# where (pattern of paths); names; reason
^                  ; strcpy strcat sprintf vsprintf gets stpcpy; has no bound: use snprintf or memcpy with a checked size
^                  ; alloca strtok tmpnam tempnam mktemp; not safe
^                  ; rand srand random srandom drand48; hidden state: pass a seeded generator
^(src|transport)/  ; atoi atol atoll sscanf; cannot report an error: use strtoul with its checks
^(src|transport)/  ; getenv; use secure_getenv: the library runs inside set-user-id programs
^(src|transport)/  ; system popen; a shell has no place in a daemon or library
^src/(totem|pg)/   ; malloc calloc realloc reallocarray aligned_alloc posix_memalign strdup strndup asprintf free; only in constructors and destructors (make_*, *_new, *_init, *_free, *_fini)
^src/(totem|pg|wire|engine)/; time clock clock_gettime gettimeofday timespec_get usleep sleep nanosleep; time is an argument
^src/(totem|pg|wire|engine)/; socket connect bind sendmsg recvmsg sendto recvfrom poll epoll_wait; no sockets here
^src/(totem|pg|wire|engine)/; printf fprintf vprintf vfprintf puts fputs putchar perror syslog; no output here
^src/(lib|common)/ ; printf fprintf vfprintf puts fputs perror syslog exit _exit abort; a library does not speak or end its program
END
c_files >"$work/list"
[ -s "$work/list" ] || complain "no C file found"
xargs awk -f "$here/strip.awk" <"$work/list" >"$work/code" || exit 99
awk -f "$here/banned.awk" "$work/rules" "$work/code" >>"$work/faults" || exit 99
finish "$(wc -l <"$work/list") files, no banned call"
