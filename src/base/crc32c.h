/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC32C (Castagnoli, RFC 3720 appendix B.4), with the processor's instruction where it has one. */
#ifndef CORONET_BASE_CRC32C_H
#define CORONET_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Pure; any size, any alignment. */
uint32_t crc32c(const void *bytes, size_t size);
/* The same without the instruction, for processors that lack it and for tests. */
uint32_t crc32c_portable(const void *bytes, size_t size);

#endif
