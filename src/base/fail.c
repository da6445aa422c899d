/* SPDX-License-Identifier: MIT */
/* fail.c - recording an error with its text; see fail.h. */
#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void pt_sink_init(pt_sink *sink)
{
    memset(sink, 0, sizeof *sink);
    pt_mutex_init(&sink->mu);
}

void pt_sink_done(pt_sink *sink)
{
    pt_mutex_done(&sink->mu);
}

static peat_rc rc_of_errno(int os_errno)
{
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
        return PEAT_FULL;
    case ENOMEM:
        return PEAT_NOMEM;
    default:
        return PEAT_IO;
    }
}

/* `place` may be NULL. */
static void keep(pt_sink *sink, const peat_error *e, const pt_spot *place)
{
    pt_mutex_lock(&sink->mu);
    sink->newest = *e;
    sink->place = place != NULL ? *place : (pt_spot){0};
    if (sink->first.rc == PEAT_OK)
        sink->first = *e;
    pt_mutex_unlock(&sink->mu);
}

/* Two functions have the name strerror_r: that of POSIX, in musl, answers a number and fills the
 * buffer; that of GNU answers the text, which need not be in the buffer. Both are thread-safe. */
static inline const char *text_of_number(int failed, const char *filled)
{
    return failed == 0 ? filled : "unknown error";
}

static inline const char *text_of_pointer(const char *text, const char *filled)
{
    (void)filled;
    return text;
}

/* `answer` is what strerror_r says; evaluated once. */
#define SYSTEM_TEXT(answer, filled)                                                                \
    _Generic((answer), int : text_of_number, char * : text_of_pointer)((answer), filled)

static void record(pt_sink *sink, peat_rc rc, int os_errno, const pt_spot *place,
                   const char *format, va_list args)
{
    peat_error e;
    memset(&e, 0, sizeof e);
    e.rc = rc;
    e.os_errno = os_errno;
    int n = place == NULL ? 0
                          : snprintf(e.message, sizeof e.message, "%s @%" PRIu64 ": ", place->file,
                                     place->offset);
    int more = vsnprintf(e.message + n, sizeof e.message - (size_t)n, format, args);
    n = more < 0 ? more : n + more;
    if (os_errno != 0 && n >= 0 && (size_t)n < sizeof e.message) {
        char text[128];
        (void)snprintf(e.message + n, sizeof e.message - (size_t)n, ": %s",
                       SYSTEM_TEXT(strerror_r(os_errno, text, sizeof text), text));
    }
    keep(sink, &e, place);
}

peat_rc pt_fail_again(pt_sink *sink, const peat_error *error)
{
    keep(sink, error, NULL);
    return error->rc;
}

peat_rc pt_fail(pt_sink *sink, peat_rc rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(sink, rc, 0, NULL, format, args);
    va_end(args);
    return rc;
}

peat_rc pt_fail_at(pt_sink *sink, peat_rc rc, const char *file, uint64_t offset, const char *format,
                   ...)
{
    pt_spot place = {.offset = offset};
    size_t n = strnlen(file, sizeof place.file - 1);
    memcpy(place.file, file, n);
    va_list args;
    va_start(args, format);
    record(sink, rc, 0, &place, format, args);
    va_end(args);
    return rc;
}

peat_rc pt_fail_os(pt_sink *sink, int os_errno, const char *format, ...)
{
    peat_rc rc = rc_of_errno(os_errno);
    va_list args;
    va_start(args, format);
    record(sink, rc, os_errno, NULL, format, args);
    va_end(args);
    return rc;
}

void pt_sink_fence(pt_sink *sink, peat_rc rc)
{
    pt_mutex_lock(&sink->mu);
    if (sink->fence.rc == PEAT_OK) {
        sink->fence = sink->newest;
        sink->fence.rc = rc;
        /* pairs with the acquire in pt_sink_fenced */
        atomic_store_explicit(&sink->fence_rc, (int)rc, memory_order_release);
    }
    pt_mutex_unlock(&sink->mu);
}

void pt_sink_forget(pt_sink *sink)
{
    pt_mutex_lock(&sink->mu);
    memset(&sink->newest, 0, sizeof sink->newest);
    memset(&sink->place, 0, sizeof sink->place);
    pt_mutex_unlock(&sink->mu);
}

void pt_sink_get(pt_sink *sink, peat_error *ret_error)
{
    pt_mutex_lock(&sink->mu);
    *ret_error = sink->fence.rc != PEAT_OK ? sink->fence : sink->newest;
    pt_mutex_unlock(&sink->mu);
}

void pt_sink_place(pt_sink *sink, pt_spot *ret_place, peat_error *ret_error)
{
    pt_mutex_lock(&sink->mu);
    *ret_place = sink->place;
    *ret_error = sink->newest;
    pt_mutex_unlock(&sink->mu);
    const char *text = ret_place->file[0] != '\0' ? strstr(ret_error->message, ": ") : NULL;
    if (text != NULL)
        memmove(ret_error->message, text + 2, strlen(text + 2) + 1);
}

void pt_sink_first(pt_sink *sink, peat_error *ret_error)
{
    pt_mutex_lock(&sink->mu);
    *ret_error = sink->fence.rc != PEAT_OK ? sink->fence : sink->first;
    pt_mutex_unlock(&sink->mu);
}

void pt_sink_clear(pt_sink *sink)
{
    pt_mutex_lock(&sink->mu);
    memset(&sink->newest, 0, sizeof sink->newest);
    memset(&sink->place, 0, sizeof sink->place);
    memset(&sink->first, 0, sizeof sink->first);
    pt_mutex_unlock(&sink->mu);
}

/* Appends; what does not fit is cut. `io_room` is what is left before the terminator. */
static void put_text(char *io_text, size_t *io_room, const char *more)
{
    size_t n = strlen(more);
    if (n > *io_room)
        n = *io_room;
    memcpy(io_text + strlen(io_text), more, n);
    *io_room -= n;
}

void pt_sink_describe(pt_sink *sink, peat_rc rc, const char *path, peat_error *ret_error)
{
    peat_error e;
    if (ret_error == NULL)
        return;
    memset(ret_error, 0, sizeof *ret_error);
    if (rc == PEAT_OK)
        return;
    pt_sink_get(sink, &e);
    bool told = e.rc == rc && e.message[0] != '\0';
    ret_error->rc = rc;
    ret_error->os_errno = told ? e.os_errno : 0;
    size_t room = sizeof ret_error->message - 1;
    put_text(ret_error->message, &room, path);
    put_text(ret_error->message, &room, ": ");
    put_text(ret_error->message, &room, told ? e.message : peat_rc_text(rc));
}
