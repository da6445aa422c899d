/* SPDX-License-Identifier: MIT */
/*
 * table_check.c - reads a whole table and reports every damage with its place.
 *
 * It works on a table object of its own (own file descriptor, own error sink, sections read anew),
 * so that it sees the disk and nothing that is in memory, and disturbs nobody.
 */
#include "table/table_internal.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct checker {
    const pt_env *env;
    pt_table *t;
    pt_sink sink;
    pt_table_damage_fn report;
    void *ctx;
    uint64_t damages, bytes_read;
    pt_section_data *section[PT_SECTION_COUNT]; /* NULL: absent or damaged */

    /* blocks, in order */
    uint8_t *memory;
    size_t memory_capacity;
    pt_bytes key, last;
    uint64_t last_seq;
    bool has_last;    /* false at the start and behind a damaged block */
    bool complete;    /* no block was damaged so far */
    bool long_prefix; /* some block had one */
    bool continues;   /* the last block says its last key goes on */
    uint64_t entries, tombstones, key_bytes, value_bytes;
} checker;

static void damage(checker *c, uint64_t offset, const char *format, ...) PT_PRINTF(3, 4);

static void damage(checker *c, uint64_t offset, const char *format, ...)
{
    char text[sizeof(((peat_error *)NULL)->message)];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    c->damages++;
    if (c->report != NULL)
        c->report(c->ctx, c->t->name, offset, text);
}

/* Takes an error that the table told: damage is reported and forgiven, the rest comes back. */
static peat_rc take(checker *c, peat_rc rc, uint64_t offset)
{
    if (rc != PEAT_CORRUPT && rc != PEAT_VERSION)
        return rc;
    peat_error e;
    pt_sink_get(&c->sink, &e);
    damage(c, offset, "%s", e.message);
    return PEAT_OK;
}

/* ---- footer and sections ---- */

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* The footer in the file against the meta that the manifest gave. */
static peat_rc check_footer(checker *c)
{
    peat_rc rc = PEAT_OK;
    pt_table *t = c->t;
    pt_bytes want, have;
    uint64_t size, end = t->blocks_end;
    pt_file *file;

    pt_bytes_init(&want, c->env);
    pt_bytes_init(&have, c->env);
    for (int s = 0; s < PT_SECTION_COUNT; s++) {
        if (t->meta.section[s].size == 0)
            continue;
        if (t->meta.section[s].offset != end)
            damage(c, end, "a section: expected here, found @%" PRIu64, t->meta.section[s].offset);
        end = t->meta.section[s].offset + t->meta.section[s].size;
    }
    TRY(pt_table_pin(t, &file));
    int e = c->env->file_size(c->env->ctx, file, &size);
    pt_table_unpin(t);
    if (e != 0)
        TRY(pt_fail_os(&c->sink, e, "cannot get the size of table %s", t->name));
    TRY(pt_table_footer_encode(&t->meta, end, &want));
    if (size != t->meta.file_bytes || end + want.size != size)
        damage(c, size, "the file's size: expected %" PRIu64 ", found %" PRIu64, t->meta.file_bytes,
               size);
    TRY(pt_bytes_reserve(&have, want.size));
    rc = pt_table_read(t, end, have.data, want.size, "footer");
    if (rc == PEAT_OK && memcmp(have.data, want.data, want.size) != 0)
        damage(c, end,
               "the footer: expected what the manifest says, found other bytes from @%" PRIu64,
               end + first_difference(have.data, want.data, want.size));
    TRY(take(c, rc, end));
    c->bytes_read += want.size;
out:
    pt_bytes_done(&want);
    pt_bytes_done(&have);
    return rc;
}

static peat_rc read_sections(checker *c)
{
    for (int s = 0; s < PT_SECTION_COUNT; s++) {
        if (c->t->meta.section[s].size == 0)
            continue;
        peat_rc rc = pt_table_section_read(c->t, (pt_section)s, &c->section[s]);
        rc = take(c, rc, c->t->meta.section[s].offset);
        if (rc != PEAT_OK)
            return rc;
        c->bytes_read += c->t->meta.section[s].size;
    }
    return PEAT_OK;
}

/* ---- blocks ---- */

static peat_rc put_key(pt_bytes *b, const pt_block *v, uint32_t slot)
{
    pt_slice suffix = pt_block_suffix(v, slot);
    b->size = 0;
    peat_rc rc = pt_bytes_append(b, v->prefix, v->prefix_size);
    return rc == PEAT_OK ? pt_bytes_append(b, suffix.data, suffix.size) : rc;
}

/* The newest version of a key: everything that leads to it must. NULL or what is wrong. */
static const char *check_ways(const checker *c, uint32_t block, uint32_t slot, pt_slice key,
                              uint64_t hash)
{
    const pt_section_data *d = c->section[PT_SECTION_INDEX];
    if (d != NULL && pt_index_search(&d->view.index, key) != block)
        return "the index leads elsewhere";
    d = c->section[PT_SECTION_FILTER];
    if (d != NULL && !pt_filter_may_contain(&d->view.filter, hash))
        return "the filter denies it";
    d = c->section[PT_SECTION_LOCATOR];
    if (d == NULL)
        return NULL;
    uint32_t to;
    if (!pt_locator_find(&d->view.locator, hash, &to))
        return "the locator denies it";
    return to == slot ? NULL : "the locator leads elsewhere";
}

static const char *check_entry(checker *c, const pt_block *v, uint32_t block, uint32_t slot)
{
    pt_slice key = pt_bytes_slice(&c->key);
    pt_slice last = pt_bytes_slice(&c->last);
    uint64_t hash = pt_hash(key.data, key.size), seq = pt_block_seq(v, slot);
    bool same = c->has_last && pt_slice_equal(last, key);
    if (v->tags[slot] != pt_block_tag(hash))
        return "its tag is wrong";
    if (seq > PT_SEQ_MAX || seq > c->t->meta.seq_max)
        return "its sequence is out of range";
    if (same && seq > c->last_seq)
        return "versions are out of order";
    if (c->has_last && slot == 0 && same != c->continues)
        return "the block before does not say where its last key ends";
    if (c->has_last && pt_slice_compare(last, key) > 0)
        return "keys are out of order";
    if (!pt_kind_known((unsigned)pt_block_kind(v, slot)))
        return "its kind is unknown";
    /* behind a damaged block an older version looks like the newest: only real newest ones */
    bool newest = c->has_last ? !same : block == 0;
    return newest ? check_ways(c, block, slot, key, hash) : NULL;
}

static void report_entry(checker *c, uint64_t offset, uint32_t block, uint32_t slot,
                         const char *text)
{
    char line[160];
    (void)snprintf(line, sizeof line, "block %" PRIu32 " entry %" PRIu32 ": %s", block, slot,
                   text); /* cut when too long */
    damage(c, offset, "%s", line);
}

static peat_rc check_entries(checker *c, uint32_t block, uint64_t offset)
{
    peat_rc rc = PEAT_OK;
    pt_block v;
    pt_block_view(&v, c->memory);
    const pt_section_data *d = c->section[PT_SECTION_INDEX];
    uint32_t counted = d == NULL ? v.count
                                 : pt_index_entries_before(&d->view.index, block + 1) -
                                       pt_index_entries_before(&d->view.index, block);
    if (counted != v.count)
        damage(c, offset, "block %" PRIu32 ": expected %" PRIu32 " entries, found %" PRIu32, block,
               counted, v.count);
    for (uint32_t slot = 0; slot < v.count; slot++) {
        TRY(put_key(&c->key, &v, slot));
        const char *wrong = check_entry(c, &v, block, slot);
        if (wrong != NULL)
            report_entry(c, offset, block, slot, wrong);
        if (c->complete && c->entries == 0 &&
            !pt_slice_equal(pt_bytes_slice(&c->key), c->t->meta.key_min))
            report_entry(c, offset, block, slot, "it is not the least key of the footer");
        pt_bytes swap = c->last;
        c->last = c->key;
        c->key = swap;
        c->last_seq = pt_block_seq(&v, slot);
        c->has_last = true;
        c->entries++;
        c->tombstones += pt_block_kind(&v, slot) == PT_KIND_DELETE;
        c->key_bytes += c->last.size;
        c->value_bytes += pt_block_value(&v, slot).size;
    }
    c->continues = pt_block_continues(&v);
    c->long_prefix = c->long_prefix || pt_block_has_long_prefix(c->memory);
out:
    return rc;
}

static peat_rc check_block(checker *c, uint32_t block)
{
    peat_rc rc = PEAT_OK;
    pt_section_data *d = c->section[PT_SECTION_INDEX];
    const pt_index *index = d != NULL ? &d->view.index : NULL;
    uint64_t offset;
    size_t size, used;

    pt_table_extent(c->t, index, block, &offset, &size);
    /* aligned tables are readable without their index */
    size_t max = pt_table_decoded_max(c->t, index, block);
    if (!pt_grow(c->env, &c->memory, &c->memory_capacity, max, 1))
        return PEAT_NOMEM;
    rc = pt_table_read_block(c->t, block, c->memory, max, &used);
    c->bytes_read += size;
    if (rc == PEAT_CORRUPT) {
        c->has_last = c->complete = false;
        return take(c, rc, offset);
    }
    return rc == PEAT_OK ? check_entries(c, block, offset) : rc;
}

static void check_sums(checker *c)
{
    const pt_table_meta *m = &c->t->meta;
    if (!c->complete)
        return;
    if (c->entries != m->entries || c->tombstones != m->tombstones ||
        c->key_bytes != m->key_bytes || c->value_bytes != m->value_bytes)
        damage(c, c->t->blocks_end,
               "the footer's counts: expected %" PRIu64 " entries, %" PRIu64 " tombstones, %" PRIu64
               " + %" PRIu64 " bytes, found %" PRIu64 ", %" PRIu64 ", %" PRIu64 " + %" PRIu64,
               m->entries, m->tombstones, m->key_bytes, m->value_bytes, c->entries, c->tombstones,
               c->key_bytes, c->value_bytes);
    if (c->has_last && !pt_slice_equal(pt_bytes_slice(&c->last), m->key_max))
        damage(c, c->t->blocks_end, "the last key is not the greatest of the footer");
    if (c->continues)
        damage(c, c->t->blocks_end, "the last block says that it goes on");
    if (c->t->long_prefix && !c->long_prefix)
        damage(c, c->t->blocks_end, "a block with a long prefix: expected one, found none");
}

static peat_rc check_all(checker *c)
{
    peat_rc rc = PEAT_OK;
    TRY(check_footer(c));
    TRY(read_sections(c));
    if (!c->t->aligned && c->section[PT_SECTION_INDEX] == NULL)
        goto out; /* nobody knows where the blocks are; that was reported */
    c->complete = true;
    for (uint32_t b = 0; b < c->t->block_count; b++)
        TRY(check_block(c, b));
    check_sums(c);
out:
    return rc;
}

peat_rc pt_table_check(pt_table *t, pt_table_damage_fn report, void *ctx, uint64_t *ret_bytes_read)
{
    checker c = {.env = t->env, .report = report, .ctx = ctx};
    pt_sink_init(&c.sink);
    pt_bytes_init(&c.key, t->env);
    pt_bytes_init(&c.last, t->env);
    peat_rc rc = pt_table_new(t->env, t->dir, &c.sink, t->epoch, &t->meta, &c.t);
    if (rc == PEAT_OK) {
        pt_table_join(c.t, t->files);
        rc = check_all(&c);
        if (rc == PEAT_NOMEM)
            rc = pt_fail(&c.sink, rc, "no memory to check table %s", t->name);
        /* a table that cannot be opened at all */
        rc = take(&c, rc, 0);
    }
    if (rc != PEAT_OK) {
        peat_error e;
        pt_sink_get(&c.sink, &e);
        e.rc = rc;
        (void)pt_fail_again(t->sink, &e);
    } else if (c.damages != 0) {
        rc = pt_fail(t->sink, PEAT_CORRUPT,
                     "table %s: expected no damage, found %" PRIu64 " damaged places", t->name,
                     c.damages);
    }
    if (ret_bytes_read != NULL)
        *ret_bytes_read = c.bytes_read;
    for (int s = 0; s < PT_SECTION_COUNT; s++)
        pt_section_unref(c.section[s]);
    pt_free(t->env, c.memory);
    pt_bytes_done(&c.key);
    pt_bytes_done(&c.last);
    pt_table_free(c.t);
    pt_sink_done(&c.sink);
    return rc;
}
