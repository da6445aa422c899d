/* SPDX-License-Identifier: MIT */
/* stored_size.c - see stored_size.h. */
#include "repair/stored_size.h"

#include "base/coding.h"
#include "table/block.h"

#ifdef PT_HAVE_ZSTD
#include <zstd.h>
#endif

#define ZSTD_MAGIC 0xfd2fb528u

static size_t lz4_length(pt_slice src, size_t *io_at, size_t n)
{
    uint8_t more = n == 15 ? 255 : 0;
    for (; more == 255 && *io_at < src.size; n += more)
        more = src.data[(*io_at)++];
    return n;
}

/* Literals and matches alternate; the last literals end the block. */
static size_t lz4_size(pt_slice src, size_t decoded)
{
    for (size_t at = 0, out = 0; at < src.size;) {
        uint8_t token = src.data[at++];
        size_t literals = lz4_length(src, &at, token >> 4);
        at += literals;
        out += literals;
        if (out >= decoded)
            return out == decoded ? at : 0;
        at += 2; /* how far back the match is */
        out += 4 + lz4_length(src, &at, token & 15);
    }
    return 0;
}

bool pt_salvage_begins_large(pt_codec codec, pt_slice stored)
{
    size_t at = PT_CODEC_HEAD + 1;
    if (pt_get_u32(stored.data) & PT_CODEC_RAW)
        at = PT_CODEC_HEAD;
    else if (codec == PT_CODEC_ZSTD)
        return pt_get_u32(stored.data + PT_CODEC_HEAD) == ZSTD_MAGIC;
    else
        (void)lz4_length(stored, &at, stored.data[PT_CODEC_HEAD] >> 4);
    const uint8_t *p = stored.data + at;
    return at + 3 > stored.size || pt_block_has_long_prefix(p) ||
           (pt_get_u16(p) == 1 && (p[2] & ~PT_BLOCK_CONTINUES) == PT_BLOCK_LARGE);
}

size_t pt_salvage_stored_size(pt_codec codec, pt_slice stored)
{
    size_t n = pt_codec_decoded_size(stored);
    pt_slice payload = {stored.data + PT_CODEC_HEAD, stored.size - PT_CODEC_HEAD};
    if (pt_get_u32(stored.data) & PT_CODEC_RAW)
        return PT_CODEC_HEAD + n;
#ifdef PT_HAVE_ZSTD
    if (codec == PT_CODEC_ZSTD) {
        n = ZSTD_findFrameCompressedSize(payload.data, payload.size);
        return ZSTD_isError(n) ? 0 : PT_CODEC_HEAD + n;
    }
#endif
    return codec == PT_CODEC_LZ4 ? PT_CODEC_HEAD + lz4_size(payload, n) : 0;
}
