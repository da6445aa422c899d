/* SPDX-License-Identifier: MIT */
/* log_header.c - a segment's header in its file, at the start and once more at the end. */
#include "log/log_scan.h"

int pt_log_header_write(const pt_env *env, pt_file *file, const pt_log_header *h, uint64_t offset)
{
    uint8_t bytes[PT_LOG_SEGMENT_HEADER];
    pt_log_header_encode(h, offset, bytes);
    return env->file_write(env->ctx, file, offset, bytes, sizeof bytes);
}

static int read_copy(const pt_env *env, pt_file *file, uint64_t offset, bool *ret_valid,
                     pt_log_header *ret_header)
{
    uint8_t bytes[PT_LOG_SEGMENT_HEADER];
    size_t n = 0;
    int e = env->file_read(env->ctx, file, offset, bytes, sizeof bytes, &n);
    *ret_valid = e == 0 && n == sizeof bytes && pt_log_header_decode(bytes, offset, ret_header);
    return e;
}

int pt_log_header_read(const pt_env *env, pt_file *file, uint64_t size, bool *ret_valid,
                       pt_log_header *ret_header, uint64_t *ret_damage)
{
    pt_log_header h[2];
    bool valid[2] = {false, false};
    int e = read_copy(env, file, 0, &valid[0], &h[0]);
    if (e == 0 && size >= PT_LOG_FILE_BYTES_MIN)
        e = read_copy(env, file, size - PT_LOG_SEGMENT_HEADER, &valid[1], &h[1]);
    *ret_damage = PT_LOG_NOWHERE;
    *ret_valid = valid[0] || valid[1];
    if (e != 0 || !*ret_valid)
        return e;
    size_t newer = !valid[0] || (valid[1] && h[1].serial > h[0].serial);
    if (!valid[0] || !valid[1] || h[0].serial != h[1].serial)
        *ret_damage = newer == 1 ? 0 : h[0].file_bytes - PT_LOG_SEGMENT_HEADER;
    *ret_header = h[newer];
    return 0;
}
