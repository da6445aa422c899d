/* SPDX-License-Identifier: MIT */
/* window.c - see window.h. */
#include "env/window.h"

#include <errno.h>

void pt_window_init(pt_window *w, const pt_env *env)
{
    *w = (pt_window){.env = env};
}

void pt_window_done(pt_window *w)
{
    if (w->env != NULL)
        pt_free(w->env, w->data);
    *w = (pt_window){.env = w->env};
}

void pt_window_set(pt_window *w, pt_file *file, uint64_t limit)
{
    w->file = file;
    w->limit = limit;
    w->at = 0;
    w->size = 0;
}

static int window_room(pt_window *w, size_t n)
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

int pt_window_get(pt_window *w, uint64_t offset, size_t n, const uint8_t **ret_data)
{
    PT_ASSERT(offset <= w->limit && n <= w->limit - offset);
    if (offset >= w->at && offset - w->at <= w->size && n <= w->size - (offset - w->at)) {
        *ret_data = w->data + (offset - w->at);
        return 0;
    }
    size_t want = (size_t)pt_min_u64(pt_max_u64(n, PT_WINDOW_STEP_BYTES), w->limit - offset);
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
