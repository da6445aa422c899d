/* SPDX-License-Identifier: MIT */
/* codec.c - LZ4 and, where built in, zstd; see codec.h. */
#include "table/codec.h"

#include "base/coding.h"

#include <lz4.h>
#ifdef PT_HAVE_ZSTD
#define ZSTD_STATIC_LINKING_ONLY /* contexts on the environment's heap */
#include <zstd.h>
#endif

#define ZSTD_LEVEL 3 /* its own default: beyond it a merge is bound by the codec */

bool pt_codec_present(pt_codec codec)
{
#ifdef PT_HAVE_ZSTD
    if (codec == PT_CODEC_ZSTD)
        return true;
#endif
    return codec == PT_CODEC_NONE || codec == PT_CODEC_LZ4;
}

const char *pt_codec_name(pt_codec codec)
{
    switch (codec) {
    case PT_CODEC_NONE:
        return "none";
    case PT_CODEC_LZ4:
        return "lz4";
    case PT_CODEC_ZSTD:
        return "zstd";
    }
    return "unknown";
}

#ifdef PT_HAVE_ZSTD

struct pt_coder {
    const pt_env *env;
    ZSTD_CCtx *encode;
    ZSTD_DCtx *decode;
};

static void *zstd_alloc(void *opaque, size_t size)
{
    return pt_alloc((const pt_env *)opaque, size);
}

static void zstd_free(void *opaque, void *p)
{
    pt_free((const pt_env *)opaque, p);
}

peat_rc pt_coder_new(const pt_env *env, pt_codec codec, bool decode, pt_coder **ret_coder)
{
    *ret_coder = NULL;
    if (codec != PT_CODEC_ZSTD)
        return PEAT_OK;
    pt_coder *c = pt_alloc_zero(env, sizeof *c);
    if (c == NULL)
        return PEAT_NOMEM;
    void *opaque;
    memcpy(&opaque, &env, sizeof opaque); /* the callbacks make it const again */
    ZSTD_customMem mem = {zstd_alloc, zstd_free, opaque};
    if (decode)
        c->decode = ZSTD_createDCtx_advanced(mem);
    else
        c->encode = ZSTD_createCCtx_advanced(mem);
    if (c->decode == NULL && c->encode == NULL) {
        pt_free(env, c);
        return PEAT_NOMEM;
    }
    *ret_coder = c;
    return PEAT_OK;
}

void pt_coder_free(const pt_env *env, pt_coder *coder)
{
    if (coder == NULL)
        return;
    (void)ZSTD_freeCCtx(coder->encode); /* accepts NULL, reports nothing */
    (void)ZSTD_freeDCtx(coder->decode);
    pt_free(env, coder);
}

static size_t zstd_encode(pt_coder *c, uint8_t *dst, size_t dst_size, pt_slice src)
{
    size_t n = ZSTD_compressCCtx(c->encode, dst, dst_size, src.data, src.size, ZSTD_LEVEL);
    return ZSTD_isError(n) ? 0 : n;
}

static bool zstd_decode(pt_coder *c, pt_slice src, uint8_t *dst, size_t dst_size)
{
    return ZSTD_decompressDCtx(c->decode, dst, dst_size, src.data, src.size) == dst_size;
}

#else

peat_rc pt_coder_new(const pt_env *env, pt_codec codec, bool decode, pt_coder **ret_coder)
{
    (void)env;
    (void)codec;
    (void)decode;
    *ret_coder = NULL;
    return PEAT_OK;
}

void pt_coder_free(const pt_env *env, pt_coder *coder)
{
    (void)env;
    PT_ASSERT(coder == NULL, "a build without zstd makes no coder");
}

#endif

static size_t encode_payload(pt_codec codec, pt_coder *coder, pt_slice block, uint8_t *dst,
                             size_t dst_size)
{
#ifdef PT_HAVE_ZSTD
    if (codec == PT_CODEC_ZSTD)
        return zstd_encode(coder, dst, dst_size, block);
#endif
    (void)codec;
    (void)coder;
    return (size_t)LZ4_compress_default((const char *)block.data, (char *)dst, (int)block.size,
                                        (int)dst_size);
}

peat_rc pt_codec_encode(pt_codec codec, pt_coder *coder, pt_slice block, pt_bytes *io_out)
{
    PT_ASSERT(codec != PT_CODEC_NONE && block.size < PT_CODEC_RAW,
              "a block's size leaves room for the mark of what is stored raw");
    peat_rc rc = pt_bytes_reserve(io_out, PT_CODEC_HEAD + block.size);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *head = io_out->data + io_out->size;
    size_t n =
        encode_payload(codec, coder, block, head + PT_CODEC_HEAD, block.size - block.size / 16);
    uint32_t raw = 0;
    if (n == 0) {
        raw = PT_CODEC_RAW;
        n = block.size;
        memcpy(head + PT_CODEC_HEAD, block.data, n);
    }
    pt_put_u32(head, (uint32_t)block.size | raw);
    io_out->size += PT_CODEC_HEAD + n;
    return PEAT_OK;
}

size_t pt_codec_decoded_size(pt_slice stored)
{
    return stored.size < PT_CODEC_HEAD ? 0 : pt_get_u32(stored.data) & ~PT_CODEC_RAW;
}

bool pt_codec_decode(pt_codec codec, pt_coder *coder, pt_slice stored, uint8_t *dst)
{
    size_t size = pt_codec_decoded_size(stored);
    pt_slice payload = {stored.data + PT_CODEC_HEAD, stored.size - PT_CODEC_HEAD};
    if (pt_get_u32(stored.data) & PT_CODEC_RAW) {
        if (payload.size != size)
            return false;
        memcpy(dst, payload.data, size);
        return true;
    }
    if (payload.size > (size_t)LZ4_MAX_INPUT_SIZE)
        return false;
#ifdef PT_HAVE_ZSTD
    if (codec == PT_CODEC_ZSTD)
        return zstd_decode(coder, payload, dst, size);
#endif
    (void)codec;
    (void)coder;
    return LZ4_decompress_safe((const char *)payload.data, (char *)dst, (int)payload.size,
                               (int)size) == (int)size;
}
