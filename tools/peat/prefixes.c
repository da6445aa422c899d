/* SPDX-License-Identifier: MIT
 *
 * prefixes.c - where the records of a store are, by the beginnings of their keys.
 *
 * Keys with a common beginning lie together. The first and the last of them say how long it is; a
 * branch behind it begins where a seek behind the branch before it leads.
 */
#include "prefixes.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum { BRANCHES_MAX = 257 }; /* one for each next byte, and the key that has none */

static void set_bytes(cli_bytes *bytes, peat_slice data)
{
    bytes->size = 0;
    cli_bytes_add(bytes, data.data, data.size);
}

static peat_slice slice_of(const cli_bytes *bytes)
{
    return peat_bytes(bytes->size > 0 ? bytes->data : "", bytes->size);
}

static size_t common_size(peat_slice a, peat_slice b)
{
    const char *x = a.data, *y = b.data;
    size_t n = 0;
    while (n < a.size && n < b.size && x[n] == y[n])
        n++;
    return n;
}

static bool has_prefix(peat_slice key, peat_slice prefix)
{
    return common_size(key, prefix) == prefix.size;
}

/* To the first key behind all that begin with prefix. */
static peat_rc seek_behind(peat_iter *it, peat_slice prefix)
{
    cli_bytes scratch = {0};
    peat_slice behind = cli_behind_prefix(prefix, &scratch);
    peat_rc rc = PEAT_END;
    if (behind.data != NULL)
        rc = peat_iter_seek(it, behind);
    else if ((rc = peat_iter_last(it)) == PEAT_OK)
        rc = peat_iter_next(it);
    cli_bytes_free(&scratch);
    return rc;
}

/* To the last key that begins with prefix; there is one. */
static peat_rc seek_last_of(peat_iter *it, peat_slice prefix)
{
    peat_rc rc = seek_behind(it, prefix);
    return rc == PEAT_OK ? peat_iter_prev(it) : rc == PEAT_END ? peat_iter_last(it) : rc;
}

static peat_rc estimate(peat_db *db, cli_prefix *prefix)
{
    cli_bytes scratch = {0};
    peat_slice lower = slice_of(&prefix->text), upper;
    if (prefix->alone) {
        set_bytes(&scratch, lower);
        cli_bytes_add_char(&scratch, '\0');
        upper = slice_of(&scratch);
    } else {
        upper = cli_behind_prefix(lower, &scratch);
    }
    peat_rc rc = peat_approximate_count(db, lower, upper, &prefix->entries);
    if (rc == PEAT_OK)
        rc = peat_approximate_size(db, lower, upper, &prefix->bytes);
    cli_bytes_free(&scratch);
    return rc;
}

/* The branch in which the iterator stands, of the keys that begin with the first `size` bytes of
 * its key; behind it afterwards. */
static peat_rc take_branch(peat_db *db, peat_iter *it, size_t size, cli_prefix *ret_branch)
{
    cli_bytes *text = &ret_branch->text;
    set_bytes(text, peat_iter_key(it));
    ret_branch->alone = text->size < size;
    peat_rc rc = PEAT_OK;
    if (!ret_branch->alone) {
        rc = seek_last_of(it, peat_bytes(text->data, size));
        if (rc != PEAT_OK)
            return rc;
        ret_branch->alone = cli_compare(slice_of(text), peat_iter_key(it)) == 0;
        text->size = common_size(slice_of(text), peat_iter_key(it));
    }
    rc = estimate(db, ret_branch);
    return rc == PEAT_OK ? peat_iter_next(it) : rc;
}

/* PEAT_OK, or PEAT_TIMEOUT when there are more branches than max. */
static peat_rc find_branches(peat_db *db, peat_iter *it, peat_slice prefix, size_t max,
                             cli_prefix *branches, size_t *io_count)
{
    peat_rc rc = peat_iter_seek(it, prefix);
    while (rc == PEAT_OK && has_prefix(peat_iter_key(it), prefix)) {
        if (*io_count == max)
            return PEAT_TIMEOUT;
        rc = take_branch(db, it, prefix.size + 1, &branches[(*io_count)++]);
    }
    return rc == PEAT_END ? PEAT_OK : rc;
}

static void free_items(cli_prefix *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cli_bytes_free(&items[i].text);
}

/* Puts the branches of items[at] in its place when there is room. *ret_done: it cannot be divided.
 */
static peat_rc divide(peat_db *db, peat_iter *it, size_t max, size_t at, cli_prefixes *io,
                      bool *ret_done)
{
    cli_prefix branches[BRANCHES_MAX] = {0};
    size_t count = 0, room = max - io->count + 1;
    peat_rc rc = find_branches(db, it, slice_of(&io->items[at].text),
                               room < BRANCHES_MAX ? room : BRANCHES_MAX, branches, &count);
    *ret_done = rc == PEAT_TIMEOUT || count == 0;
    if (rc != PEAT_OK || count == 0) {
        free_items(branches, count);
        return *ret_done ? PEAT_OK : rc;
    }
    cli_bytes_free(&io->items[at].text);
    memmove(&io->items[at + count], &io->items[at + 1], (io->count - at - 1) * sizeof io->items[0]);
    memcpy(&io->items[at], branches, count * sizeof branches[0]);
    io->count += count - 1;
    return PEAT_OK;
}

/* The largest one that may have parts, of at least a 64th of all; count: none. */
static size_t largest(const cli_prefixes *p, const bool *done, uint64_t all)
{
    size_t best = p->count;
    for (size_t i = 0; i < p->count; i++)
        if (!p->items[i].alone && !done[i] && p->items[i].entries >= all / 64 &&
            (best == p->count || p->items[i].entries > p->items[best].entries))
            best = i;
    return best;
}

static peat_rc find_all(peat_db *db, peat_iter *it, size_t max, cli_prefixes *io)
{
    bool done[CLI_PREFIXES_MAX] = {false};
    peat_rc rc = peat_iter_first(it);
    if (rc != PEAT_OK)
        return rc == PEAT_END ? PEAT_OK : rc;
    set_bytes(&io->first, peat_iter_key(it));
    rc = take_branch(db, it, 0, &io->items[io->count++]);
    if (rc == PEAT_END)
        rc = peat_iter_last(it);
    if (rc == PEAT_OK)
        set_bytes(&io->last, peat_iter_key(it));
    uint64_t all = io->items[0].entries;
    for (size_t at; rc == PEAT_OK && (at = largest(io, done, all)) < io->count;) {
        size_t before = io->count;
        bool whole = false;
        rc = divide(db, it, max, at, io, &whole);
        size_t more = io->count - before;
        memmove(&done[at + 1 + more], &done[at + 1], (before - at - 1) * sizeof done[0]);
        for (size_t i = at; i <= at + more; i++)
            done[i] = whole;
    }
    return rc;
}

peat_rc cli_prefixes_find(peat_db *db, size_t max, cli_prefixes *ret_prefixes)
{
    peat_iter_options options = {.size = sizeof options, .keys_only = true};
    peat_iter *it = NULL;
    *ret_prefixes = (cli_prefixes){.items = calloc(CLI_PREFIXES_MAX, sizeof(cli_prefix))};
    if (ret_prefixes->items == NULL)
        return PEAT_NOMEM;
    peat_rc rc = peat_iter_open(db, &options, &it);
    if (rc == PEAT_OK)
        rc = find_all(db, it, max, ret_prefixes);
    peat_iter_close(it);
    return rc;
}

void cli_prefixes_done(cli_prefixes *prefixes)
{
    free_items(prefixes->items, prefixes->count);
    free(prefixes->items);
    cli_bytes_free(&prefixes->first);
    cli_bytes_free(&prefixes->last);
}
