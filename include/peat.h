/* SPDX-License-Identifier: MIT
 *
 * peat.h - an embedded, ordered, persistent key-value store.
 *
 * This header is the manual: read it once from top to bottom. The simple calls come first.
 *
 *   1  A first program      5  Open, put, get       8  Snapshots
 *   2  Version, limits      6  Batches              9  Durability
 *   3  Result codes         7  Iterators           10  Options
 *   4  Bytes in and out
 *
 * What a running store needs now and then (upkeep, check, repair, statistics, copies, events) is in
 * peat_admin.h, which this header includes at its end; operations that their caller does not wait
 * for in peat_queue.h; an environment of one's own in peat_env.h; keys made of numbers and strings
 * in peat_key.h.
 */
#ifndef PEAT_H
#define PEAT_H

/* ---- 1  A first program -------------------------------------------------------------------------
 * A store is a directory. It maps keys to values, both any bytes, and keeps the keys in the order
 * of memcmp. One process has it open for writing at a time, and any number of its threads may use
 * the one handle. This program writes one entry, reads it back, and tells "not there" from "went
 * wrong"; the test suite takes it out of this comment, compiles it as C99 and runs it.
 *
 * @example hello
 * #include <peat.h>
 * #include <stdio.h>
 *
 * int main(void)
 * {
 *     peat_db *db = NULL;
 *     peat_error error;
 *     peat_buf value = PEAT_BUF_INIT;
 *     if (peat_open("fruit.peat", NULL, &db, &error) != PEAT_OK) {
 *         fprintf(stderr, "%s\n", error.message); // names the path and the cause
 *         return 1;
 *     }
 *     peat_rc rc = peat_put(db, NULL, peat_str("apple"), peat_str("red"));
 *     if (rc == PEAT_OK)
 *         rc = peat_get(db, NULL, peat_str("apple"), &value);
 *     if (rc == PEAT_OK)
 *         printf("apple is %.*s\n", (int)value.size, (const char *)value.data);
 *     if (rc >= 0 && peat_get(db, NULL, peat_str("banana"), &value) == PEAT_NOT_FOUND)
 *         printf("no banana\n");
 *     peat_buf_free(&value);
 *
 *     peat_rc closed = peat_close(db); // everything written is on disk when this returns PEAT_OK
 *     if (rc == PEAT_OK)
 *         rc = closed;
 *     if (rc < 0)
 *         fprintf(stderr, "fruit.peat: %s\n", peat_rc_text(rc));
 *     return rc < 0;
 * }
 * @end
 *
 * Longer programs, one for each job, are in examples/; the test suite compiles and runs them too:
 *
 *   examples/points.c      single keys: open, put, get, pin, delete
 *   examples/batches.c     many writes as one, marks to go back to, walking over a batch
 *   examples/iterators.c   in order: forward, backward, ranges, prefixes, many rows per call
 *   examples/snapshots.c   reads that belong together
 *   examples/keys.c        keys of numbers and strings (peat_key.h)
 *   examples/durability.c  what survives a kill, and what a power cut
 *   examples/backup.c      export to a function, import from one
 *   examples/upkeep.c      compaction, statistics, check
 *   examples/repair.c      a damaged store, and a new one of what can be read
 *   examples/queue.c       operations under way while the program goes on (peat_queue.h)
 *   examples/queue_epoll.c beside a pipe, in an event loop by epoll
 *   examples/queue_libuv.c beside a timer, in a loop of libuv
 *   examples/embedding.c   an allocator and files of one's own, events, no threads (peat_env.h)
 *
 * What holds for every call, and is not said again below:
 *
 * - Threads. Any call may come from any thread, and calls on one peat_db may run at the same time.
 *   One iterator, batch, buffer or pinned value is used by one thread at a time. No handle belongs
 *   to the thread that made it.
 * - Visibility. A write that returned is seen by every read that starts afterwards.
 * - Inputs are copied or used up before the call returns; the caller keeps what it passed. They may
 *   lie in memory of the library's: a batch's, also of the one they are added to, an iterator's
 *   row, a pinned value, the buffer or error that is filled.
 * - Outputs come last and are named ret_...; unless a call says otherwise they are set only when
 *   it returns PEAT_OK. A ret_error or ret_report may be NULL, and the error is filled whatever the
 *   outcome; another output that may be NULL says so. What a pointer to a handle holds before the
 *   call is not looked at: an open handle in it would be lost. A pin in use is refused.
 * - Results of calls that can fail are to be looked at; compilers warn where one is not.
 * - Structs. NULL options mean all defaults, and so does a field that is zero or NULL. In options
 *   and in what a call fills, the first field, size, is set by the caller to sizeof the struct, so
 *   that programs built against an older header keep working; a size the library cannot know is
 *   PEAT_INVALID. PEAT_INIT(type) is the initialiser that does it: `peat_options options =
 *   PEAT_INIT(peat_options);`. What a callback is given is valid during the call only.
 * - NULL handles, and slices with data NULL and size > 0, are PEAT_INVALID, never a crash. All
 *   _close and _free calls accept NULL.
 * - Errors. After a call that failed nothing is half done. peat_call_error says in words why the
 *   calling thread's last call failed, and which argument was refused; peat_db_error what went
 *   wrong first.
 * - Codes. The comment of a call ends with all the codes that it returns. Where nothing is said of
 *   them there, they mean:
 *     PEAT_INVALID    an argument makes no sense: a NULL handle or output, a slice with data NULL
 *                     and size > 0, a struct of a size that is not known, an option out of range
 *     PEAT_TOO_BIG    a key, value or bound above its limit (section 2)
 *     PEAT_CLOSED     the store of the handle, iterator or snapshot is closed, or this is a forked
 *                     child
 *     PEAT_READ_ONLY  the store was opened read_only
 *     PEAT_NOMEM      no memory: nothing was done, and the store stays usable
 *     PEAT_FULL       no space on the disk or in the quota: likewise, and writes are taken again as
 *                     soon as there is room
 *     PEAT_IO         the system failed to read or write a file. After a failed sync of the log or
 *                     the manifest reads go on, and writes are refused with that first cause until
 *                     the store is closed and opened again
 *     PEAT_CORRUPT    damage in what had to be read: peat_call_error names file and offset
 *   (An environment that answers ENOSPC to a read gets PEAT_FULL where PEAT_IO is listed. No system
 *   does.)
 * - Fork. In a child of fork() every handle is dead: calls return PEAT_CLOSED and touch nothing.
 *   The lock on the store lives until the parent and all such children have exited or exec'ed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Results are there to be looked at: a compiler that can says where one is not. One that is not
 * wanted is cast to void; where the language has no [[nodiscard]] yet, GCC wants it tested:
 * (void)!peat_close(db). A program that defines PEAT_MUST_USE itself, as nothing, is not told. */
#if defined(PEAT_MUST_USE)
#elif (defined(__cplusplus) && __cplusplus >= 201703L) ||                                          \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ > 201710L)
#define PEAT_MUST_USE [[nodiscard]]
#elif defined(__GNUC__)
#define PEAT_MUST_USE __attribute__((warn_unused_result))
#else
#define PEAT_MUST_USE
#endif

#if !defined(PEAT_API) && defined(__GNUC__)
#define PEAT_API __attribute__((visibility("default")))
#elif !defined(PEAT_API)
#define PEAT_API
#endif

/* The environment: the operating system and the allocator behind one struct. Most programs never
 * name one; peat_env.h describes it for those that bring their own. */
struct peat_env;

typedef struct peat_db peat_db;
typedef struct peat_batch peat_batch;
typedef struct peat_iter peat_iter;
typedef struct peat_snapshot peat_snapshot;
typedef struct peat_options peat_options; /* section 10 */

/* ---- 2  Version and limits ------------------------------------------------------------------- */

#define PEAT_VERSION_MAJOR  0
#define PEAT_VERSION_MINOR  1
#define PEAT_VERSION_PATCH  0
#define PEAT_VERSION_STRING "0.1.0"

/* The version of the library in use, like "0.1.0"; a static string. */
PEAT_API const char *peat_version(void);

/* Beyond these a call returns PEAT_TOO_BIG and changes nothing. The empty key and the empty value
 * are ordinary ones; an empty value is not a deleted key. */
#define PEAT_KEY_SIZE_MAX   ((size_t)65535)
#define PEAT_BOUND_SIZE_MAX ((size_t)65536) /* of lower, upper, prefix, and keys sought */
#define PEAT_VALUE_SIZE_MAX ((size_t)1 << 30)
#define PEAT_BATCH_SIZE_MAX ((size_t)1 << 30) /* peat_batch_bytes */

/* ---- 3  Result codes and errors -----------------------------------------------------------------
 * Zero is success, positive is an outcome a program expects, negative is an error: `rc < 0`.
 * One list gives the enum, the names and the texts. Numbers never change meaning. PEAT_CONFLICT is
 * reserved for transactions: no call of this version returns it. */

#define PEAT_RC_LIST(X)                                                                            \
    X(PEAT_OK, 0, "done")                                                                          \
    X(PEAT_NOT_FOUND, 1, "the key is not in the store")                                            \
    X(PEAT_END, 2, "there are no more entries")                                                    \
    X(PEAT_TIMEOUT, 3, "the time was up before the work was done")                                 \
    X(PEAT_QUEUE_FULL, 4, "the queue is full: poll it, then submit again")                         \
    X(PEAT_INVALID, -1, "an argument or option makes no sense")                                    \
    X(PEAT_TOO_BIG, -2, "a key, value or batch is above its limit")                                \
    X(PEAT_BUSY, -3, "the store is open elsewhere")                                                \
    X(PEAT_NOMEM, -4, "out of memory")                                                             \
    X(PEAT_FULL, -5, "no space left on the disk or in the quota")                                  \
    X(PEAT_IO, -6, "the operating system reported an input/output error")                          \
    X(PEAT_CORRUPT, -7, "damaged data was found")                                                  \
    X(PEAT_READ_ONLY, -8, "the store is open read-only or its file system is")                     \
    X(PEAT_VERSION, -9, "the store was written by a version this library cannot read")             \
    X(PEAT_CONFLICT, -10, "another write came in between")                                         \
    X(PEAT_CLOSED, -11, "the store of this handle is closed, or this is a forked child")           \
    X(PEAT_NOT_STORE, -12, "this is not a store, or not one of this application")                  \
    X(PEAT_EXISTS, -13, "a store is already there")                                                \
    X(PEAT_CANCELLED, -14, "a callback asked to stop")                                             \
    X(PEAT_UNSUPPORTED, -15, "this build lacks what the call or the store needs")                  \
    X(PEAT_BUDGET, -16, "this memory_bytes is too small for what the store holds")

typedef enum peat_rc {
#define PEAT_RC_ENUM(name, number, text) name = number,
    PEAT_RC_LIST(PEAT_RC_ENUM)
#undef PEAT_RC_ENUM
} peat_rc;

/* "PEAT_OK", and "done": static strings for any value, known or not. Any thread, at any time. */
PEAT_API const char *peat_rc_name(peat_rc rc);
PEAT_API const char *peat_rc_text(peat_rc rc);

/* What happened, in words: one line without control bytes (in names they stand as \xHH) that names
 * the path, without its middle when it is long, the offset where there is one, and what was
 * expected and found. The caller owns the struct; nothing needs freeing. */
typedef struct peat_error {
    peat_rc rc;
    int os_errno;      /* errno of the failed system call, or 0 */
    char message[512]; /* always terminated; empty when rc is PEAT_OK */
} peat_error;

/* ---- 4  Bytes in and out --------------------------------------------------------------------- */

/* Bytes going in, passed by value; the memory stays the caller's. As a key or value, data NULL with
 * size 0 is the empty one. As a bound of a range, data NULL means "no bound": ranges run from lower
 * (included) to upper (excluded), and an upper of size 0 with data leaves no key. A bound may be
 * one byte longer than a key (PEAT_BOUND_SIZE_MAX): a key and a zero byte behind it is the upper
 * bound that includes just that key. */
typedef struct peat_slice {
    const void *data;
    size_t size;
} peat_slice;

static inline peat_slice peat_bytes(const void *data, size_t size)
{
    peat_slice s = {data, size};
    return s;
}

/* A C string without its terminator. NULL is no string: PEAT_INVALID as a key or value (it is not
 * the empty one), no bound as a bound, no prefix as a prefix. */
static inline peat_slice peat_str(const char *text)
{
    size_t size = 0;
    if (text == NULL)
        return peat_bytes(NULL, ~(size_t)0);
    while (text[size] != '\0')
        size++;
    return peat_bytes(text, size);
}

static inline peat_slice peat_unbounded(void)
{
    return peat_bytes(NULL, 0);
}

/* Bytes coming out. Begin with PEAT_BUF_INIT (all zero), pass it to as many calls as you like: it
 * grows when needed and is reused, so that a loop of gets allocates nothing. data and size are the
 * result of the last call that returned PEAT_OK; data may be NULL when size is 0. Do not point
 * data at memory of your own. Free it with peat_buf_free; that may happen after the store is
 * closed, but before an environment given in peat_host ends. */
typedef struct peat_buf {
    void *data;
    size_t size;
    size_t capacity;
    const struct peat_env *env; /* private: whose allocator data came from */
} peat_buf;

/* A value read without a copy (peat_get_pinned): data points into the store's own memory. */
typedef struct peat_pinned {
    const void *data;
    size_t size;
    void *reserved[2]; /* private: what keeps the bytes in place */
} peat_pinned;

/* clang-format off */
/* Initialisers. PEAT_SLICE("text") is the slice of a literal, zero bytes in it included, also for
 * static data: static const peat_slice names[] = {PEAT_SLICE("a"), PEAT_SLICE("b")};
 * PEAT_INIT(type) is a struct that begins with its size, all other fields zero. */
#define PEAT_SLICE(literal) {"" literal, sizeof(literal) - 1}
#ifdef __cplusplus
#define PEAT_INIT(type) peat_init_of<type>()
#else
#define PEAT_INIT(type) {.size = sizeof(type)}
#endif
#define PEAT_OPTIONS_INIT       PEAT_INIT(peat_options)
#define PEAT_WRITE_OPTIONS_INIT PEAT_INIT(peat_write_options)
#define PEAT_READ_OPTIONS_INIT  PEAT_INIT(peat_read_options)
#define PEAT_ITER_OPTIONS_INIT  PEAT_INIT(peat_iter_options)
#define PEAT_BUF_INIT    {NULL, 0, 0, NULL}
#define PEAT_PINNED_INIT {NULL, 0, {NULL, NULL}}
/* clang-format on */

#ifdef __cplusplus
extern "C++" {
template <class T> inline T peat_init_of()
{
    T t = T();
    t.size = sizeof(T);
    return t;
}
}
#endif

/* Frees the memory and sets buf to PEAT_BUF_INIT. buf may be NULL. */
PEAT_API void peat_buf_free(peat_buf *buf);

/* ---- 5  Open, put, get, delete, close -------------------------------------------------------- */

/* Opens the store in the directory dir, creating it (and the last component of dir) when there is
 * none, and recovers whatever an earlier process left behind. The defaults are close to the best
 * configuration. Every byte of the store that an answer depends on is verified before it is used.
 *
 * A new store is of format 1, which every version of the library reads and writes. It becomes one
 * of format 2, for ever, when it first uses what format 1 lacks; each such feature has a name, and
 * a library that does not know it refuses the store. There is one: "long-prefix", used when a table
 * is written in which neighbouring keys above 16 KiB share most of their bytes. peat_stats tells
 * format and features. Data goes to an older version by peat_export and peat_import, whose stream
 * does not depend on either.
 * Returns PEAT_OK and the handle, which is closed with peat_close: all that was recovered is
 * durable; or
 *   PEAT_INVALID      dir or ret_db is NULL, dir is empty, or an option makes no sense: the message
 *                     names it
 *   PEAT_BUSY         another process, or this one, has it open (and had it for lock_wait_ms): the
 *                     message names the pid. Within a process the handle is shared:
 *                     doc/decisions/011-one-handle.md
 *   PEAT_NOT_FOUND    there is no store and options say PEAT_CREATE_NEVER or read_only
 *   PEAT_EXISTS       there is one and options say error_if_exists
 *   PEAT_NOT_STORE    dir is a file, a directory with other things in it, or a store of another
 *                     app_id: nothing in it was changed
 *   PEAT_VERSION      a store of a format version above 2, or one that uses a feature which this
 *                     library does not know: the message names the version or the feature
 *   PEAT_UNSUPPORTED  it, or options.compression, needs a codec this build lacks: the message names
 *                     it
 *   PEAT_CORRUPT      damage, at the file and offset that the message names; see peat_repair
 *   PEAT_READ_ONLY    the file system is read-only and options do not say read_only
 *   PEAT_BUDGET       read_only, and what a writer left in the log does not fit into half of
 *                     memory_bytes: the message says what would do; opening it for writing does
 *   PEAT_IO           no permission, no parent directory, or another failure of the system: the
 *                     message says which
 *   PEAT_NOMEM, PEAT_FULL */
PEAT_MUST_USE PEAT_API peat_rc peat_open(const char *dir, const peat_options *options,
                                         peat_db **ret_db, peat_error *ret_error);

/* Waits for calls in flight, makes everything durable, closes the store and frees the handle, which
 * must not be used again. Iterators, snapshots and pinned values still open stay valid to close:
 * their calls return PEAT_CLOSED, pinned bytes stay readable until unpinned.
 * Returns PEAT_OK when all writes are on disk, and for NULL; PEAT_CLOSED in a forked child, whose
 * handle is its parent's; PEAT_IO, or with no_log PEAT_FULL or PEAT_NOMEM: the handle is gone then
 * too, and the next open recovers what had reached the log. */
PEAT_MUST_USE PEAT_API peat_rc peat_close(peat_db *db);

/* Removes the store in dir, durably, and dir itself when nothing else is in it. Files that are not
 * the store's are left alone. It cannot be undone; after an error some of its files may be gone.
 * Returns PEAT_OK, PEAT_NOT_FOUND (there is nothing), PEAT_NOT_STORE (dir is a file, or has no file
 * PEAT), PEAT_BUSY (open in this process or another), PEAT_INVALID (dir is NULL or empty), PEAT_IO
 * (a file cannot be removed), PEAT_FULL (on file systems that need room for that), PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_destroy(const char *dir, peat_error *ret_error);

typedef struct peat_write_options {
    size_t size;
    bool sync; /* the write is on disk before the call returns (group sync: waiters share one) */
} peat_write_options;

typedef struct peat_read_options {
    size_t size;
    const peat_snapshot *snapshot; /* read that state instead of the latest */
    bool no_cache_fill;            /* leave the cache as it is: for reads made only once */
} peat_read_options;

/* peat_put sets key to value, whether or not the key was there; peat_delete removes key, and that
 * is PEAT_OK when it was not there. Durability: section 9. They may wait for the background, when
 * more is written than it can take in.
 * Return PEAT_OK, PEAT_INVALID, PEAT_TOO_BIG, PEAT_CLOSED, PEAT_READ_ONLY, PEAT_NOMEM, PEAT_FULL or
 * PEAT_IO. After PEAT_IO, and after any error of a write with sync, the write may be seen in this
 * process, and after the next open it is there or it is not, for good; after others nothing of it
 * was done. */
PEAT_MUST_USE PEAT_API peat_rc peat_put(peat_db *db, const peat_write_options *options,
                                        peat_slice key, peat_slice value);
PEAT_MUST_USE PEAT_API peat_rc peat_delete(peat_db *db, const peat_write_options *options,
                                           peat_slice key);

/* Copies the value of key into ret_value (section 4), which keeps its old content unless the result
 * is PEAT_OK; peat_exists only tells whether key is there. Damage never reads as PEAT_NOT_FOUND.
 * Compare with PEAT_OK: a result is no truth value, and `if (peat_exists(...))` is taken when the
 * key is absent. peat_has answers in one.
 * Return PEAT_OK, PEAT_NOT_FOUND, PEAT_INVALID (a snapshot of another store, too), PEAT_TOO_BIG,
 * PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_get(peat_db *db, const peat_read_options *options,
                                        peat_slice key, peat_buf *ret_value);
PEAT_MUST_USE PEAT_API peat_rc peat_exists(peat_db *db, const peat_read_options *options,
                                           peat_slice key);

/* Whether key is there: true or false in ret_there.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_TOO_BIG, PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_has(peat_db *db, const peat_read_options *options,
                                        peat_slice key, bool *ret_there);

/* As peat_get, but without copying the value. ret_value must be PEAT_PINNED_INIT or unpinned: one
 * in use is refused, and stays as it is. The bytes stay as they are until peat_unpin, whatever
 * happens to the store meanwhile. A pin holds memory, a block of a table, or a copy of what has no
 * table yet: keep few, and not for long. peat_unpin lets go of the bytes and sets pinned to
 * PEAT_PINNED_INIT; NULL and PEAT_PINNED_INIT are fine.
 * Returns PEAT_OK, PEAT_NOT_FOUND, PEAT_INVALID (a pin in use, too), PEAT_TOO_BIG, PEAT_CLOSED,
 * PEAT_IO, PEAT_CORRUPT or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_get_pinned(peat_db *db, const peat_read_options *options,
                                               peat_slice key, peat_pinned *ret_value);
PEAT_API void peat_unpin(peat_pinned *pinned);

/* Many keys in one call, which is faster than a loop of gets: lookups wait for memory together, and
 * what is not in memory is read together. Each key has its own answer: ret_rcs[i] says what became
 * of keys[i]. Where it is PEAT_OK, ret_values[i] has the value, as peat_get or peat_get_pinned
 * leaves it; else it stays as it was. peat_multi_get with ret_values NULL only tells whether the
 * keys are there.
 *
 *     peat_slice keys[2] = {PEAT_SLICE("apple"), PEAT_SLICE("banana")};
 *     peat_buf values[2] = {PEAT_BUF_INIT, PEAT_BUF_INIT}; // reused from call to call
 *     peat_rc rcs[2];
 *     peat_rc rc = peat_multi_get(db, NULL, 2, keys, values, rcs);
 *
 * All answers are of one state, the snapshot's or the latest: what one batch wrote is seen whole or
 * not at all. Keys come in any order, and more than once. The three arrays have n elements and stay
 * the caller's; each value is freed, each pin unpinned by itself. n has no limit, and beyond a
 * hundred or so more is hardly faster. With n 0 the arrays may be NULL.
 *
 * A key that cannot be read does not keep the others from being answered: the call returns PEAT_OK,
 * ret_rcs[i] is PEAT_IO, PEAT_CORRUPT or PEAT_NOMEM (to read it, or for its value), and
 * peat_call_error tells of the last such key. When the call itself returns an error, nothing was
 * done, and ret_rcs is as it was.
 * Return PEAT_OK, PEAT_INVALID (an array is NULL, a key makes no sense, a pin is in use, or the
 * snapshot is another store's), PEAT_TOO_BIG (a key), PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_multi_get(peat_db *db, const peat_read_options *options,
                                              size_t n, const peat_slice *keys,
                                              peat_buf *ret_values, peat_rc *ret_rcs);
PEAT_MUST_USE PEAT_API peat_rc peat_multi_get_pinned(peat_db *db, const peat_read_options *options,
                                                     size_t n, const peat_slice *keys,
                                                     peat_pinned *ret_values, peat_rc *ret_rcs);

/* Why the last call of the calling thread on this store that failed did so: a line that names the
 * refused argument, or file, offset and cause. Also for the calls on its iterators and snapshots.
 * Ask before the thread makes its next call on the store, and from the same thread; calls that
 * succeed pay nothing for it. It cannot say more than its code of a call on a NULL handle
 * (PEAT_INVALID) or a closed store (PEAT_CLOSED).
 * Returns the rc that it fills into ret_error: the code of that call; PEAT_OK, with an empty
 * message, when no call of the thread has failed, or the store has met sixteen other errors since;
 * PEAT_INVALID (db is NULL, or ret_error, which is then not filled) or PEAT_CLOSED. */
PEAT_API peat_rc peat_call_error(peat_db *db, peat_error *ret_error);

/* The first cause of trouble the store has met since it was opened: what stopped its writes, or the
 * first damage or failed read it came across.
 * Returns the rc that it fills into ret_error: PEAT_IO, PEAT_CORRUPT, PEAT_FULL, PEAT_NOMEM, or
 * what else went wrong first; PEAT_OK, with an empty message, when nothing did; PEAT_INVALID when
 * an argument is NULL. */
PEAT_API peat_rc peat_db_error(peat_db *db, peat_error *ret_error);

/* ---- 6  Batches: many writes as one -------------------------------------------------------------
 * A batch collects puts and deletes in memory, in order: the last one of a key counts. It belongs
 * to no store and may be written to several, or several times, or cleared and filled anew. */

/* Makes an empty batch, freed with peat_batch_free.
 * Returns PEAT_OK, PEAT_INVALID (ret_batch is NULL) or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_batch_new(peat_batch **ret_batch);
PEAT_API void peat_batch_free(peat_batch *batch);

/* Empties the batch and keeps its memory for the next round; NULL is fine. */
PEAT_API void peat_batch_clear(peat_batch *batch);

/* Operations in the batch, and the bytes it holds with its own overhead. 0 for NULL. */
PEAT_API size_t peat_batch_count(const peat_batch *batch);
PEAT_API size_t peat_batch_bytes(const peat_batch *batch);

/* Add an operation; key and value are copied. After an error the batch is as it was.
 * Return PEAT_OK, PEAT_INVALID, PEAT_TOO_BIG (the entry, or the batch with it) or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_batch_put(peat_batch *batch, peat_slice key, peat_slice value);
PEAT_MUST_USE PEAT_API peat_rc peat_batch_delete(peat_batch *batch, peat_slice key);

/* As peat_batch_put, but gives the room for the value inside the batch instead of copying one:
 * write value_size bytes there before the next call on this batch. The room starts zeroed.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_TOO_BIG (the entry, or the batch with it) or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_batch_put_reserve(peat_batch *batch, peat_slice key,
                                                      size_t value_size, void **ret_value);

/* Adds the operations of `from`, in their order; it stays as it is, and may be the same batch.
 * After an error the batch is as it was.
 * Returns PEAT_OK, PEAT_INVALID (a batch is NULL), PEAT_TOO_BIG (both together) or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_batch_append(peat_batch *batch, const peat_batch *from);

/* A mark is a place between operations: what was added since goes away with peat_batch_rollback_to,
 * marks taken before stay good, those taken since do not. No mark need be given back. 0 is the mark
 * of the empty batch, and of NULL.
 * peat_batch_rollback_to takes time in proportion to what stays.
 * Returns PEAT_OK, or PEAT_INVALID when no operation of the batch ends at the mark (the batch is as
 * it was) or batch is NULL. */
PEAT_API size_t peat_batch_mark(const peat_batch *batch);
PEAT_MUST_USE PEAT_API peat_rc peat_batch_rollback_to(peat_batch *batch, size_t mark);

typedef enum peat_batch_op_kind { PEAT_BATCH_PUT = 1, PEAT_BATCH_DELETE = 2 } peat_batch_op_kind;

/* One operation of a batch. A kind that the program does not know is one of a newer library. */
typedef struct peat_batch_op {
    size_t size;
    peat_batch_op_kind kind;
    peat_slice key;
    peat_slice value; /* of a put; its bytes are the batch's own, as those of key */
} peat_batch_op;

/* Calls fn for each operation in the order they were added. Anything but PEAT_OK from fn stops and
 * is returned. fn may add to the batch, which moves the bytes it was given; what it adds is not
 * visited. It must not clear or roll back.
 * Returns PEAT_OK, PEAT_INVALID (batch or fn is NULL, or fn made another batch of it), or the
 * result of fn. */
PEAT_MUST_USE PEAT_API peat_rc peat_batch_each(const peat_batch *batch,
                                               peat_rc (*fn)(void *ctx, const peat_batch_op *op),
                                               void *ctx);

/* Why the last call on this batch that failed did so, and which argument was refused. What
 * peat_write says is the store's: peat_call_error.
 * Returns the rc that it fills into ret_error: PEAT_OK, with an empty message, when none has
 * failed, PEAT_INVALID (also when an argument is NULL), PEAT_TOO_BIG or PEAT_NOMEM. */
PEAT_API peat_rc peat_batch_error(const peat_batch *batch, peat_error *ret_error);

/* Applies the batch to the store as one write: readers, snapshots and recovery see all of it or
 * nothing. The batch is unchanged; free or clear it yourself. An empty one writes nothing; with
 * sync it is peat_sync.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_CLOSED, PEAT_READ_ONLY, PEAT_NOMEM, PEAT_FULL or PEAT_IO;
 * what an error says of the write is the same as with peat_put. */
PEAT_MUST_USE PEAT_API peat_rc peat_write(peat_db *db, const peat_write_options *options,
                                          peat_batch *batch);

/* ---- 7  Iterators: entries in order -------------------------------------------------------------
 * An iterator sees one point of the order of writing, fixed when it is opened (or the snapshot's).
 * Until it is closed the store keeps the versions it sees. One that has not moved yet holds nothing
 * else. One that stands still holds what was the store's when it last moved: the part of it that
 * was in memory, and the files. What the store has replaced of these since, flushed memory and
 * merged files, it lets go when it moves again, and goes on from its place; so a slow one holds
 * little, and one that is left standing should be closed. Flushed memory that is still held counts
 * as pinned_bytes of the statistics, and writers are slowed to the pace of the background by more
 * than about one memtable of it, beside their own. Rows that were deleted are walked over once,
 * then iterators know for a while that there is nothing: the head of a queue costs the same
 * whatever its length.
 *
 * After a movement that returned PEAT_OK it stands on an entry; after PEAT_END or an error nowhere.
 * A refused key (PEAT_INVALID, PEAT_TOO_BIG) does not move it. A new one stands before everything:
 * its first peat_iter_next is peat_iter_first, its first peat_iter_prev peat_iter_last. So this is
 * a whole scan:
 *
 *     peat_rc rc = peat_iter_open(db, &options, &it);
 *     while (rc == PEAT_OK && (rc = peat_iter_next(it)) == PEAT_OK)
 *         printf(" %.*s", (int)peat_iter_key(it).size, (const char *)peat_iter_key(it).data);
 *     peat_iter_close(it);
 *
 * One that ends in anything but PEAT_END is not complete. After PEAT_END or an error,
 * peat_iter_next and peat_iter_prev return the same again until one of first, last, seek and
 * seek_for_prev places it anew. */

typedef struct peat_iter_options {
    size_t size;
    const peat_snapshot *snapshot; /* that state instead of the present one */
    peat_slice lower;              /* keys >= lower; data NULL: from the beginning */
    peat_slice upper;              /* keys < upper; data NULL: to the end */
    peat_slice prefix;             /* only keys that begin so; combined with the bounds */
    bool keys_only;                /* values are not read: peat_iter_value is empty */
    bool no_cache_fill;            /* leave the cache as it is: for scans made only once */
} peat_iter_options;

/* Opens an iterator; without options it sees every entry. Nothing is read yet. It is closed with
 * peat_iter_close, before or after its store.
 * Returns PEAT_OK, PEAT_INVALID (a snapshot of another store, too), PEAT_TOO_BIG (a bound or
 * prefix), PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_iter_open(peat_db *db, const peat_iter_options *options,
                                              peat_iter **ret_iter);
PEAT_API void peat_iter_close(peat_iter *iter);

/* To the first entry, the last, the next, the one before.
 * Return PEAT_OK, PEAT_END, PEAT_INVALID (iter is NULL), PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT or
 * PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_iter_first(peat_iter *iter);
PEAT_MUST_USE PEAT_API peat_rc peat_iter_last(peat_iter *iter);
PEAT_MUST_USE PEAT_API peat_rc peat_iter_next(peat_iter *iter);
PEAT_MUST_USE PEAT_API peat_rc peat_iter_prev(peat_iter *iter);

/* To the first entry with a key >= key, and to the last with a key <= key, within the bounds. A key
 * outside them is no error: seek below lower finds the first, seek_for_prev above upper the last.
 * Return PEAT_OK, PEAT_END, PEAT_INVALID, PEAT_TOO_BIG, PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT or
 * PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_iter_seek(peat_iter *iter, peat_slice key);
PEAT_MUST_USE PEAT_API peat_rc peat_iter_seek_for_prev(peat_iter *iter, peat_slice key);

/* Moves the point it sees to now, as if it were closed and opened again, and lets go of old
 * versions and files. It stands on the entry of the key it stood on; when that is gone, on the next
 * one in the direction of the last movement, or PEAT_END: there is none. Fills go on as if nothing
 * had happened. One that stood nowhere is like a new one. Bytes and rows it gave out before are
 * gone, but after an error it is as it was.
 * Returns PEAT_OK (also when it stood nowhere), PEAT_END, PEAT_INVALID (iter is NULL, or was opened
 * at a snapshot), PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_iter_refresh(peat_iter *iter);

/* Whether it stands on an entry. false for NULL. */
PEAT_API bool peat_iter_valid(const peat_iter *iter);

/* The entry it stands on. The bytes are the store's, good until the next call on the iterator
 * other than these three. Empty (data NULL) when it stands nowhere. */
PEAT_API peat_slice peat_iter_key(const peat_iter *iter);
PEAT_API peat_slice peat_iter_value(const peat_iter *iter);

typedef struct peat_row {
    peat_slice key;
    peat_slice value; /* empty with keys_only */
} peat_row;

/* Many entries per call, forward in order of keys (peat_iter_fill) or backward (_back). They begin
 * with the entry the iterator stands on, unless an earlier fill returned that one: then with the
 * one after it in the direction of the call. On a new iterator, with the first or the last entry.
 * Afterwards it stands on the last row returned or, when an error cut the fill short, perhaps
 * nowhere: then the next call returns it. So a loop of fills visits each entry once, also after a
 * seek. Rows are zero-copy: good until the next call on it but peat_iter_valid, _key and _value.
 * *ret_n is set in every case, 0 unless PEAT_OK.
 * Return PEAT_OK with 1 to n rows: fewer than n does not mean the end is near; PEAT_END when there
 * are no more; PEAT_INVALID (iter, rows or ret_n is NULL, or n is 0), PEAT_CLOSED, PEAT_IO,
 * PEAT_CORRUPT or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_iter_fill(peat_iter *iter, peat_row *rows, size_t n,
                                              size_t *ret_n);
PEAT_MUST_USE PEAT_API peat_rc peat_iter_fill_back(peat_iter *iter, peat_row *rows, size_t n,
                                                   size_t *ret_n);

/* ---- 8  Snapshots -------------------------------------------------------------------------------
 * A snapshot is the state after all writes that had returned when it was opened: use it in
 * peat_read_options and peat_iter_options. It costs nothing to open and holds no memory; while it
 * is open the store keeps the versions it sees, so old ones take space. It may be shared by threads
 * and does not survive the process. With another store than its own it is PEAT_INVALID.
 *
 *     options.snapshot = snapshot; // NULL: the latest state
 *     peat_rc rc = peat_get(db, &options, peat_str(name), &value);
 */

/* Opens one. It is closed with peat_snapshot_close, before or after its store, when no call uses it
 * any more; iterators opened at it stay good.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_snapshot_open(peat_db *db, peat_snapshot **ret_snapshot);
PEAT_API void peat_snapshot_close(peat_snapshot *snapshot);

/* ---- 9  Durability ------------------------------------------------------------------------------
 *                         killed process     power cut, crashed kernel
 *   default               nothing is lost    may lose the last sync_interval_ms of writes
 *   write with sync       nothing is lost    nothing is lost
 *   options.no_log        all since the last peat_flush, for both
 *
 * What is lost is always the end of the order of writing, never a piece out of the middle, and
 * batches are whole. */

/* Makes every write that had returned before this call durable. Threads that sync at the same time
 * share one sync of the log. With no_log it is peat_flush.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_CLOSED, PEAT_READ_ONLY or PEAT_IO, after which those writes
 * may or may not survive and no more are accepted; with no_log also PEAT_NOMEM or PEAT_FULL. */
PEAT_MUST_USE PEAT_API peat_rc peat_sync(peat_db *db);

/* ---- 10  Options --------------------------------------------------------------------------------
 * No option changes the answer of any read. All may differ from one open to the next. */

typedef enum peat_create {
    PEAT_CREATE_IF_MISSING = 0, /* the default */
    PEAT_CREATE_NEVER = 1       /* PEAT_NOT_FOUND when there is no store */
} peat_create;

typedef enum peat_compression {
    PEAT_COMPRESSION_DEFAULT = 0, /* LZ4 */
    PEAT_COMPRESSION_NONE = 1,
    PEAT_COMPRESSION_LZ4 = 2,
    PEAT_COMPRESSION_ZSTD = 3 /* denser and slower; PEAT_UNSUPPORTED when not built in */
} peat_compression;

#define PEAT_MEMORY_BYTES_MIN         ((size_t)1 << 20)
#define PEAT_MEMORY_BYTES_DEFAULT     ((size_t)256 << 20) /* where it is not known what there is */
#define PEAT_MEMORY_BYTES_DEFAULT_MIN ((size_t)64 << 20)
#define PEAT_MEMORY_BYTES_DEFAULT_MAX ((size_t)4 << 30)
#define PEAT_SPACE_TARGET_DEFAULT     1.2
#define PEAT_SPACE_TARGET_MIN         1.05
#define PEAT_SPACE_TARGET_MAX         10.0
#define PEAT_SYNC_INTERVAL_MS_DEFAULT 100
#define PEAT_THREADS_DEFAULT          1
#define PEAT_THREADS_MAX              16
#define PEAT_THREADS_NONE             (-1)

struct peat_options {
    size_t size;
    /* Memory for everything: memtables, cache, filters, indexes, buffers of background work. By
     * default an eighth of what this process may have, which is the least of the machine's memory,
     * its cgroups' and its own limits (RLIMIT_AS, RLIMIT_DATA): at least 64 MiB and at most 4 GiB,
     * but never more than a quarter. It is taken as there is something to keep, and an empty store
     * holds some 100 KiB. Each store has a budget of its own: a program that keeps several large
     * ones busy gives each its part. memory_budget_bytes of peat_stats tells what it came to. */
    size_t memory_bytes;
    /* How much larger than its live data the store may be, under steady writing too (1.2), beside a
     * constant for memtables, log and merges under way; live is what the present and every open
     * snapshot, iterator and pin can see. Less costs more rewriting. */
    double space_target;
    /* A write without sync is on disk at most this much later. */
    uint32_t sync_interval_ms;
    /* Background threads. PEAT_THREADS_NONE: none; puts and peat_work do the work in the caller's
     * thread, and a run is deterministic. */
    int threads;
    /* Of the settled part of the store; what does not shrink is stored as it is. Applies to what is
     * written from now on; a store may hold all kinds. */
    peat_compression compression;
    peat_create create;
    /* Opens with a shared lock and writes nothing, not even a recovered log: that is read into
     * memory (or PEAT_BUDGET). Any number of readers, but PEAT_BUSY while a writer has the store,
     * and the reverse. Calls that write return PEAT_READ_ONLY. */
    bool read_only;
    bool error_if_exists; /* PEAT_EXISTS when there is a store already */
    /* Writes go to memory only and become durable with peat_flush or peat_close: for loads that can
     * be repeated. */
    bool no_log;
    const struct peat_host *host;         /* peat_admin.h; NULL: the operating system, no events */
    const struct peat_test_options *test; /* peat_env.h; NULL: derived sizes */
    /* How long peat_open waits for whoever has the store open, in this process or another; 0:
     * PEAT_BUSY at once. The lock is looked at again every 1 to 50 ms, so that of several who wait
     * any may be next. A signal does not end the wait. */
    uint32_t lock_wait_ms;
};

#ifdef __cplusplus
}
#endif

#include "peat_admin.h"

#endif /* PEAT_H */
