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

/* Under mu. */
static void remember_for_thread(pt_sink *sink, const peat_error *e, bool call)
{
    PT_DCHECK(pt_mutex_held(&sink->mu), "sink.mu guards what threads have met");
    pt_thread_error *t = &sink->thread_errors[sink->thread_error_count++ % PT_SINK_THREAD_ERRORS];
    *t = (pt_thread_error){.thread = pt_thread_self(), .used = true, .call = call, .error = *e};
}

/* The newest of this thread; under mu. NULL: there is none. */
static pt_thread_error *newest_of_thread(pt_sink *sink, bool call_only)
{
    PT_DCHECK(pt_mutex_held(&sink->mu), "sink.mu guards what threads have met");
    uint64_t self = pt_thread_self();
    for (uint64_t back = 1; back <= PT_SINK_THREAD_ERRORS && back <= sink->thread_error_count;
         back++) {
        pt_thread_error *t =
            &sink->thread_errors[(sink->thread_error_count - back) % PT_SINK_THREAD_ERRORS];
        if (t->used && t->thread == self && (t->call || !call_only))
            return t;
    }
    return NULL;
}

/* `place` may be NULL. */
static void keep(pt_sink *sink, const peat_error *e, const pt_spot *place)
{
    pt_mutex_lock(&sink->mu);
    remember_for_thread(sink, e, false);
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

static size_t escaped_size(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f ? 4 : 1;
}

/* Appends to `io_text`, which has room for `size` bytes with its terminator; what does not fit is
 * cut. Control bytes, which names from outside may hold, stand escaped: a text is one line. */
static void put_escaped(char *io_text, size_t size, const char *more, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = strlen(io_text);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)more[i];
        const size_t width = escaped_size(more[i]);
        const char out[4] = {width > 1 ? '\\' : more[i], 'x', digits[c >> 4], digits[c & 15]};
        if (at + width >= size)
            break; /* never half an escape */
        memcpy(io_text + at, out, width);
        at += width;
    }
    io_text[at] = '\0';
}

static void put_text(char *io_text, size_t size, const char *more)
{
    put_escaped(io_text, size, more, strlen(more));
}

static void record(pt_sink *sink, peat_rc rc, int os_errno, const pt_spot *place,
                   const char *format, va_list args)
{
    peat_error e;
    char text[sizeof e.message], cause[128] = "";
    PT_ASSERT(rc != PEAT_OK, "an error has an error's code");
    memset(&e, 0, sizeof e);
    e.rc = rc;
    e.os_errno = os_errno;
    if (os_errno != 0) {
        char room[100];
        (void)snprintf(cause, sizeof cause, ": %s",
                       SYSTEM_TEXT(strerror_r(os_errno, room, sizeof room), room));
    }
    if (place != NULL) {
        (void)snprintf(text, sizeof text, "%s @%" PRIu64 ": ", place->file, place->offset);
        put_text(e.message, sizeof e.message, text);
    }
    if (vsnprintf(text, sizeof text, format, args) >= 0) /* and leaves room for the cause */
        put_text(e.message, sizeof e.message - strlen(cause), text);
    put_text(e.message, sizeof e.message, cause);
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
    PT_ASSERT(os_errno != 0, "a failed call has a number");
    peat_rc rc = rc_of_errno(os_errno);
    va_list args;
    va_start(args, format);
    record(sink, rc, os_errno, NULL, format, args);
    va_end(args);
    return rc;
}

/* The cause of a call's error where the thread has not recorded one: that of the write failure, or
 * what was recorded last by whoever read or synced for it. */
static peat_error cause_of(const pt_sink *sink, peat_rc rc)
{
    if (sink->write_failure.rc == rc)
        return sink->write_failure;
    bool by_others = rc == PEAT_IO || rc == PEAT_CORRUPT || rc == PEAT_FULL;
    return by_others && sink->newest.rc == rc ? sink->newest : (peat_error){.rc = rc};
}

void pt_sink_call(pt_sink *sink, peat_rc rc, const char *why)
{
    pt_mutex_lock(&sink->mu);
    pt_thread_error *t = newest_of_thread(sink, false);
    if (why == NULL && t != NULL && !t->call && t->error.rc == rc) {
        t->call = true;
    } else {
        peat_error e = why == NULL ? cause_of(sink, rc) : (peat_error){.rc = rc};
        if (e.message[0] == '\0')
            (void)snprintf(e.message, sizeof e.message, "%s", why ? why : peat_rc_text(rc));
        remember_for_thread(sink, &e, true);
    }
    pt_mutex_unlock(&sink->mu);
}

void pt_sink_thread_error(pt_sink *sink, peat_error *ret_error)
{
    memset(ret_error, 0, sizeof *ret_error);
    pt_mutex_lock(&sink->mu);
    const pt_thread_error *t = newest_of_thread(sink, true);
    if (t != NULL)
        *ret_error = t->error;
    pt_mutex_unlock(&sink->mu);
}

peat_rc pt_sink_stop_writes(pt_sink *sink, peat_rc rc)
{
    PT_ASSERT(rc != PEAT_OK, "I20: writes are stopped by a cause");
    if (rc == PEAT_FULL || rc == PEAT_NOMEM)
        rc = PEAT_IO;
    pt_mutex_lock(&sink->mu);
    if (sink->write_failure.rc == PEAT_OK) {
        sink->write_failure = sink->newest;
        sink->write_failure.rc = rc;
        /* pairs with the acquire in pt_sink_write_failure */
        atomic_store_explicit(&sink->write_failure_rc, (int)rc, memory_order_release);
    }
    pt_mutex_unlock(&sink->mu);
    return rc;
}

void pt_sink_forget(pt_sink *sink)
{
    pt_mutex_lock(&sink->mu);
    memset(&sink->newest, 0, sizeof sink->newest);
    memset(&sink->place, 0, sizeof sink->place);
    pt_thread_error *t = newest_of_thread(sink, false);
    if (t != NULL && !t->call)
        t->used = false;
    pt_mutex_unlock(&sink->mu);
}

void pt_sink_get(pt_sink *sink, peat_error *ret_error)
{
    pt_mutex_lock(&sink->mu);
    *ret_error = sink->write_failure.rc != PEAT_OK ? sink->write_failure : sink->newest;
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
    *ret_error = sink->write_failure.rc != PEAT_OK ? sink->write_failure : sink->first;
    pt_mutex_unlock(&sink->mu);
}

void pt_sink_clear(pt_sink *sink)
{
    pt_mutex_lock(&sink->mu);
    memset(&sink->newest, 0, sizeof sink->newest);
    memset(&sink->place, 0, sizeof sink->place);
    memset(&sink->first, 0, sizeof sink->first);
    sink->thread_error_count = 0;
    pt_mutex_unlock(&sink->mu);
}

/* At least so much of a path is shown, whatever else there is to say. */
#define PATH_BYTES_MIN 64

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* How much of the beginning, and where an end begins, that is shown in `room` bytes: whole UTF-8
 * characters. */
static size_t fitting_head(const char *text, size_t n, size_t room)
{
    size_t head = 0;
    for (size_t used = 0; head < n && (used += escaped_size(text[head])) <= room;)
        head++;
    while (head > 0 && inside_character(text[head]))
        head--;
    return head;
}

static size_t fitting_tail(const char *text, size_t n, size_t room)
{
    size_t tail = n;
    for (size_t used = 0; tail > 0 && (used += escaped_size(text[tail - 1])) <= room;)
        tail--;
    while (inside_character(text[tail]))
        tail++;
    return tail;
}

/* The path in at most `size` bytes with its terminator. Of one that is too long the middle is left
 * out: the end names the store, the beginning the disk. */
static void put_path(char *io_text, size_t size, const char *path)
{
    static const char gap[] = "...";
    const size_t n = strlen(path), room = size - sizeof gap;
    if (fitting_head(path, n, size - 1) == n) {
        put_text(io_text, size, path);
        return;
    }
    put_escaped(io_text, size, path, fitting_head(path, n, room / 3));
    put_text(io_text, size, gap);
    const size_t tail = fitting_tail(path, n, room - room / 3);
    put_escaped(io_text, size, path + tail, n - tail);
}

peat_rc pt_sink_describe(pt_sink *sink, peat_rc rc, const char *path, peat_error *ret_error)
{
    peat_error e;
    if (ret_error != NULL)
        memset(ret_error, 0, sizeof *ret_error);
    if (rc == PEAT_OK)
        return rc;
    pt_sink_get(sink, &e);
    if (rc == PEAT_IO && e.rc == PEAT_IO && e.os_errno != 0)
        rc = e.rc = rc_of_errno(e.os_errno);
    if (ret_error == NULL)
        return rc;
    bool known = e.rc == rc && e.message[0] != '\0';
    ret_error->rc = rc;
    ret_error->os_errno = known ? e.os_errno : 0;
    const char *why = known ? e.message : peat_rc_text(rc);
    const size_t whole = sizeof ret_error->message, rest = strlen(why) + 2;
    put_path(ret_error->message, rest + PATH_BYTES_MIN < whole ? whole - rest : PATH_BYTES_MIN,
             path);
    put_text(ret_error->message, whole, ": ");
    put_text(ret_error->message, whole, why);
    return rc;
}
