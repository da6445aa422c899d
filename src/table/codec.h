/* SPDX-License-Identifier: MIT */
/*
 * codec.h - compressing a block's bytes. LZ4 is always there, zstd when it was found at build time.
 *
 * What lies on disk in a table with a codec: u32 (decoded size, top bit: stored as it is), payload.
 */
#ifndef PT_TABLE_CODEC_H
#define PT_TABLE_CODEC_H

#include "env/env.h"
#include "table/table.h"

#define PT_CODEC_HEAD 4u
#define PT_CODEC_RAW  0x80000000u

typedef struct pt_coder pt_coder; /* reusable state of one codec; NULL where none is needed */

bool pt_codec_present(pt_codec codec);
const char *pt_codec_name(pt_codec codec);

peat_rc pt_coder_new(const pt_env *env, pt_codec codec, bool decode,
                     pt_coder **ret_coder) PT_MUST_USE;
void pt_coder_free(const pt_env *env, pt_coder *coder);

/* Appends head and payload; stored as it is when it does not shrink by a sixteenth. */
peat_rc pt_codec_encode(pt_codec codec, pt_coder *coder, pt_slice block,
                        pt_bytes *io_out) PT_MUST_USE;
/* Decoded size that `stored` declares; 0 when it is too short. */
size_t pt_codec_decoded_size(pt_slice stored);
/* Decodes into dst, which has the declared size. False when the payload is damaged. */
bool pt_codec_decode(pt_codec codec, pt_coder *coder, pt_slice stored, uint8_t *dst);

#endif
