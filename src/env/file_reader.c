/* SPDX-License-Identifier: MIT */
/* file_reader.c - see file_reader.h. */
#include "env/file_reader.h"

#include <errno.h>

void pt_file_reader_init(pt_file_reader *w, const pt_env *env)
{
    *w = (pt_file_reader){.env = env};
}

void pt_file_reader_done(pt_file_reader *w)
{
    if (w->env != NULL)
        pt_free(w->env, w->data);
    *w = (pt_file_reader){.env = w->env};
}

void pt_file_reader_set(pt_file_reader *w, pt_file *file, uint64_t limit)
{
    w->file = file;
    w->limit = limit;
    w->at = 0;
    w->size = 0;
}

static int window_room(pt_file_reader *w, size_t n)
{
    if (n <= w->capacity)
        return 0;
    pt_free(w->env, w->data);
    w->size = 0;
    w->capacity = 0;
    w->data = pt_alloc(w->env, n);
    if (w->data == NULL)
        return ENOMEM;
    w->capacity = n;
    return 0;
}

int pt_file_reader_get(pt_file_reader *w, uint64_t offset, size_t n, const uint8_t **ret_data)
{
    PT_ASSERT(offset <= w->limit && n <= w->limit - offset, "nothing is read behind the limit");
    if (offset >= w->at && offset - w->at <= w->size && n <= w->size - (offset - w->at)) {
        *ret_data = w->data + (offset - w->at);
        return 0;
    }
    size_t want = (size_t)pt_min_u64(pt_max_u64(n, PT_FILE_READER_STEP_BYTES), w->limit - offset);
    int e = window_room(w, want);
    if (e != 0)
        return e;
    w->at = offset;
    w->size = 0;
    e = w->env->file_read(w->env->ctx, w->file, offset, w->data, want, &w->size);
    if (e != 0) {
        w->size = 0;
        return e;
    }
    if (w->size < n)
        return EIO;
    *ret_data = w->data;
    return 0;
}
