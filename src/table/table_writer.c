/* SPDX-License-Identifier: MIT */
/*
 * table_writer.c - entries in order in, one file out (table_format.md).
 *
 * 1. The first entries (64 KiB) are held as a sample: from them follow codec, logical block size
 *    and whether blocks are aligned. Then they go the way of all later ones:
 * 2. an entry joins the open block; when it does not fit, the block is closed: encoded behind the
 *    previous one in `out`, checksummed for its place, noted in the index. Only then is it known
 *    whether the last key goes on in the next block. One too large for any block gets its own,
 *    unless its neighbours share most of its key (writer_long.c).
 * 3. `out` goes to the file whenever it holds 256 KiB.
 * 4. finish: last block, sections, footer, one sync.
 *
 * One thread. After a failure the writer is only good for free.
 */
#include "table/writer.h"

#include "env/fd_reclaim.h"

#define WRITE_BYTES    (256u << 10)
#define OUT_KEEP_BYTES (1u << 20) /* a buffer that a large entry grew beyond this is let go */
#define SAMPLE_BYTES   65536u     /* 16 pages: enough to tell the slack of a record mix */
/* Aligning ends with twice the slack that it began for, once SLACK_BLOCKS are written. */
#define SLACK_BLOCKS 32u

/* ---- output ---- */

static peat_rc fail(pt_table_writer *w, peat_rc rc)
{
    if (rc != PEAT_OK && w->failed == PEAT_OK) {
        if (rc == PEAT_NOMEM)
            rc = pt_fail(w->sink, rc, "no memory to write table %s", w->name);
        w->failed = rc;
    }
    return rc;
}

static peat_rc out_write(pt_table_writer *w)
{
    if (w->out.size == 0)
        return PEAT_OK;
    int e = w->env->file_write(w->env->ctx, w->file, w->out_offset, w->out.data, w->out.size);
    if (e != 0)
        return pt_fail_os(w->sink, e, "cannot write table %s @%" PRIu64, w->name, w->out_offset);
    w->out_offset += w->out.size;
    w->out.size = 0;
    if (w->out.capacity > OUT_KEEP_BYTES)
        pt_bytes_done(&w->out);
    return PEAT_OK;
}

static peat_rc out_pad(pt_table_writer *w, size_t size)
{
    peat_rc rc = pt_bytes_reserve(&w->out, size);
    if (rc == PEAT_OK) {
        memset(w->out.data + w->out.size, 0, size);
        w->out.size += size;
    }
    return rc;
}

/* ---- blocks ---- */

/* The open block's bytes, in `scratch` or `large`. */
static peat_rc encode_block(pt_table_writer *w, bool continues, pt_slice *ret_block)
{
    w->scratch.size = 0;
    if (w->base_size != 0) {
        pt_slice base = pt_writer_base(w);
        size_t size = pt_block_long_size(&w->builder, base);
        peat_rc rc = pt_bytes_reserve(&w->scratch, size);
        if (rc == PEAT_OK)
            pt_block_encode_long(&w->builder, base, continues, w->scratch.data);
        *ret_block = pt_slice_of(w->scratch.data, size);
        w->meta.flags |= PT_TABLE_LONG_PREFIX;
        return rc;
    }
    if (w->large.size != 0) {
        if (continues)
            w->large.data[2] |= PT_BLOCK_CONTINUES;
        *ret_block = pt_bytes_slice(&w->large);
        return PEAT_OK;
    }
    peat_rc rc = pt_bytes_reserve(&w->scratch, w->builder.size);
    if (rc == PEAT_OK) {
        pt_block_builder_encode(&w->builder, continues, w->scratch.data);
        *ret_block = pt_slice_of(w->scratch.data, w->builder.size);
    }
    return rc;
}

/* Alignment goes on while blocks fill their pages. */
static peat_rc align_block(pt_table_writer *w, size_t size, bool final)
{
    if (!w->aligned)
        return PEAT_OK;
    if (size > pt_writer_block_max(w)) {
        w->aligned = false;
        return PEAT_OK;
    }
    if (final)
        return PEAT_OK;
    size_t slack = pt_writer_block_max(w) - size;
    w->slack_bytes += slack;
    if (w->index.count >= SLACK_BLOCKS && w->slack_bytes * 1000 > (uint64_t)w->index.count *
                                                                      PT_BLOCK_PAGE * 2 *
                                                                      PT_WRITER_SLACK_PERMILLE) {
        w->aligned = false;
        return PEAT_OK;
    }
    return out_pad(w, slack);
}

/* A large one goes to the file as it is, without a second copy. */
static peat_rc write_block(pt_table_writer *w, pt_slice block)
{
    peat_rc rc = PEAT_OK;
    w->aligned = false;
    TRY(out_write(w));
    uint64_t check = pt_checksum(block.data, block.size, w->file_id, w->out_offset);
    int e = w->env->file_write(w->env->ctx, w->file, w->out_offset, block.data, block.size);
    if (e != 0)
        TRY(pt_fail_os(w->sink, e, "cannot write table %s @%" PRIu64, w->name, w->out_offset));
    w->out_offset += block.size;
    TRY(pt_bytes_append_u64(&w->out, check));
out:
    return rc;
}

static bool block_open(const pt_table_writer *w)
{
    return w->builder.count != 0 || w->large.size != 0;
}

/* Ends the open block; `next` is the key that follows, NULL at the end of the table. */
static peat_rc close_block(pt_table_writer *w, const pt_slice *next)
{
    peat_rc rc = PEAT_OK;
    pt_slice last = pt_bytes_slice(&w->last_key), block;
    size_t start = w->out.size;

    PT_ASSERT(w->meta.entries > w->block_first, "no block is empty");
    if (w->index.count == UINT32_MAX)
        TRY(pt_fail(w->sink, PEAT_TOO_BIG, "table %s has too many blocks", w->name));
    TRY(encode_block(w, next != NULL && pt_slice_equal(last, *next), &block));
    uint32_t large = w->large.size != 0 ? (uint32_t)block.size : 0;
    TRY(pt_index_builder_add(&w->index, pt_writer_place(w), w->block_first, last, next, large));
    if (w->codec == PT_CODEC_NONE && block.size >= WRITE_BYTES) {
        TRY(write_block(w, block));
    } else if (w->codec != PT_CODEC_NONE) {
        TRY(pt_codec_encode(w->codec, w->coder, block, &w->out));
        TRY(pt_writer_checksum(w, start));
    } else {
        TRY(pt_bytes_append(&w->out, block.data, block.size));
        TRY(align_block(w, block.size, next == NULL));
        TRY(pt_writer_checksum(w, start));
    }
    pt_block_builder_clear(&w->builder, pt_writer_block_max(w));
    if (w->large.capacity > OUT_KEEP_BYTES)
        pt_bytes_done(&w->large);
    w->large.size = w->base_size = 0;
    uint32_t entries = (uint32_t)w->meta.entries - w->block_first;
    w->block_entries_max = entries > w->block_entries_max ? entries : w->block_entries_max;
    w->block_first = (uint32_t)w->meta.entries;
    w->cut = false;
    if (w->out.size >= WRITE_BYTES)
        TRY(out_write(w));
out:
    return rc;
}

static peat_rc place_entry(pt_table_writer *w, const pt_entry *entry, uint8_t tag)
{
    peat_rc rc = PEAT_OK;
    bool added = false;

    if (PT_UNLIKELY(w->large.size != 0) && !w->cut)
        TRY(pt_writer_join(w, entry, tag, &added));
    if (added)
        goto out;
    if (block_open(w) && (w->cut || w->large.size != 0))
        TRY(close_block(w, &entry->key));
    TRY(pt_block_builder_add(&w->builder, entry, tag, &added));
    if (!added && w->builder.count != 0) {
        TRY(close_block(w, &entry->key));
        TRY(pt_block_builder_add(&w->builder, entry, tag, &added));
    }
    if (!added)
        TRY(pt_block_encode_large(entry, tag, &w->large));
out:
    return rc;
}

static void count_entry(pt_table_writer *w, const pt_entry *entry)
{
    pt_table_meta *m = &w->meta;
    if (m->entries++ == 0 && w->options.inputs_seq_max == 0)
        m->seq_min = m->seq_max = entry->seq;
    if (entry->seq != 0 || w->options.inputs_seq_max == 0)
        m->seq_min = pt_min_u64(m->seq_min, entry->seq);
    m->seq_max = pt_max_u64(m->seq_max, entry->seq);
    m->key_bytes += entry->key.size;
    if (entry->kind == PT_KIND_DELETE)
        m->tombstones++;
    else
        m->value_bytes += entry->value.size;
}

static peat_rc add_entry(pt_table_writer *w, const pt_entry *entry, uint64_t key_hash)
{
    peat_rc rc = PEAT_OK;
    bool first = w->meta.entries == 0, same = false;
    if (!first) {
        int c = pt_slice_compare(pt_bytes_slice(&w->last_key), entry->key);
        same = c == 0;
        PT_ASSERT(c < 0 || (same && w->last_seq >= entry->seq),
                  "I7: keys ascend, and the versions of one key come newest first");
    } else {
        TRY(pt_bytes_append(&w->key_min, entry->key.data, entry->key.size));
    }
    if (w->meta.entries == UINT32_MAX)
        TRY(pt_fail(w->sink, PEAT_TOO_BIG, "table %s has too many entries", w->name));
    TRY(place_entry(w, entry, pt_block_tag(key_hash)));
    if (!same) {
        TRY(pt_writer_note_key(w, key_hash));
        w->last_key.size = 0;
        TRY(pt_bytes_append(&w->last_key, entry->key.data, entry->key.size));
    }
    w->last_seq = entry->seq;
    count_entry(w, entry);
out:
    return rc;
}

/* Decides the layout; then the entries of the sample go the way of all later ones. */
static peat_rc end_sample(pt_table_writer *w)
{
    peat_rc rc = PEAT_OK;
    pt_cursor c = pt_cursor_of(w->sample.data, w->sample.size);
    pt_entry e;
    uint64_t hash;
    TRY(pt_writer_decide_layout(w));
    while (pt_writer_sample_next(&c, &e, &hash))
        TRY(add_entry(w, &e, hash));
out:
    pt_bytes_done(&w->sample);
    return rc;
}

/* ---- public ---- */

static peat_rc writer_init(pt_table_writer *w, pt_dir *dir, const pt_table_writer_options *o)
{
    peat_rc rc = PEAT_OK;
    w->sampling = true;
    w->keys.wanted = o->want_filter || o->want_locator;
    w->meta.seq_min = o->inputs_seq_min;
    w->meta.seq_max = o->inputs_seq_max;
    pt_bytes_init(&w->sample, w->env);
    pt_bytes_init(&w->large, w->env);
    pt_bytes_init(&w->scratch, w->env);
    pt_bytes_init(&w->key_min, w->env);
    pt_bytes_init(&w->last_key, w->env);
    pt_bytes_init(&w->out, w->env);
    pt_index_builder_init(&w->index, w->env);
    if (!pt_codec_present(o->codec))
        TRY(pt_fail(w->sink, PEAT_UNSUPPORTED, "cannot write table %s: this build lacks %s",
                    w->name, pt_codec_name(o->codec)));
    TRY(pt_block_builder_init(&w->builder, w->env));
    TRY(pt_coder_new(w->env, o->codec, false, &w->coder));
    TRY(pt_bytes_reserve(&w->out, WRITE_BYTES + PT_BLOCK_BYTES_LARGE * 2));
    int e = pt_file_open(w->env, dir, w->sink, w->name, PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE,
                         &w->file);
    if (e != 0) {
        w->file = NULL;
        TRY(pt_fail_os(w->sink, e, "cannot create table %s", w->name));
    }
out:
    return rc;
}

peat_rc pt_table_writer_new(const pt_env *env, pt_dir *dir, pt_sink *sink,
                            const pt_table_writer_options *options, pt_table_writer **ret_writer)
{
    PT_ASSERT(options->block_bytes == 0 || options->block_bytes == PT_BLOCK_PAGE ||
                  options->block_bytes == PT_BLOCK_BYTES_LARGE,
              "blocks have two sizes");
    pt_table_writer *w = pt_alloc_zero(env, sizeof *w);
    if (w == NULL)
        return pt_fail(sink, PEAT_NOMEM, "no memory to write a table");
    w->env = env;
    w->sink = sink;
    w->options = *options;
    pt_table_name(options->file_number, w->name);
    w->file_id = pt_table_file_id(options->store_id, options->file_number);
    peat_rc rc = fail(w, writer_init(w, dir, options));
    if (rc != PEAT_OK) {
        pt_table_writer_free(w);
        return rc;
    }
    *ret_writer = w;
    return PEAT_OK;
}

/* All but the keys of the meta, which outlive the table's writing. */
static void release_resources(pt_table_writer *w)
{
    if (w->file != NULL)
        w->env->file_close(w->env->ctx, w->file);
    w->file = NULL;
    pt_coder_free(w->env, w->coder);
    w->coder = NULL;
    pt_block_builder_done(&w->builder);
    pt_index_builder_done(&w->index);
    pt_writer_drop_keys(w);
    pt_bytes_done(&w->sample);
    pt_bytes_done(&w->large);
    pt_bytes_done(&w->scratch);
    pt_bytes_done(&w->out);
}

void pt_table_writer_free(pt_table_writer *w)
{
    if (w == NULL)
        return;
    release_resources(w);
    pt_bytes_done(&w->key_min);
    pt_bytes_done(&w->last_key);
    pt_free(w->env, w);
}

peat_rc pt_table_writer_add(pt_table_writer *w, const pt_entry *entry, uint64_t key_hash)
{
    PT_ASSERT(w->failed == PEAT_OK, "a writer that has failed is only good for free");
    if (PT_LIKELY(!w->sampling))
        return fail(w, add_entry(w, entry, key_hash));
    if (w->sample.size + entry->key.size + entry->value.size <= SAMPLE_BYTES)
        return fail(w, pt_writer_sample_add(w, entry, key_hash));
    peat_rc rc = end_sample(w);
    return fail(w, rc == PEAT_OK ? add_entry(w, entry, key_hash) : rc);
}

peat_rc pt_table_writer_cut(pt_table_writer *w, uint32_t *ret_block)
{
    peat_rc rc = PEAT_OK;
    PT_ASSERT(w->failed == PEAT_OK, "a writer that has failed is only good for free");
    if (w->sampling && w->sample_entries != 0) {
        /* pieces smaller than the sample would take a page each */
        w->options.packed = true;
        TRY(end_sample(w));
    }
    w->cut = block_open(w);
    *ret_block = w->index.count + (w->cut ? 1 : 0);
out:
    return fail(w, rc);
}

uint64_t pt_table_writer_bytes(const pt_table_writer *w)
{
    return pt_writer_place(w) + w->builder.size + w->large.size + w->sample.size;
}

uint64_t pt_table_writer_block_begin(const pt_table_writer *w)
{
    return pt_writer_place(w);
}

uint64_t pt_table_writer_entries(const pt_table_writer *w)
{
    return w->sampling ? w->sample_entries : w->meta.entries;
}

static peat_rc finish(pt_table_writer *w)
{
    peat_rc rc = PEAT_OK;
    pt_table_meta *m = &w->meta;

    if (w->sampling)
        TRY(end_sample(w));
    if (block_open(w))
        TRY(close_block(w, NULL));
    w->aligned = w->aligned && w->index.count != 0;
    m->store_id = w->options.store_id;
    m->file_number = w->options.file_number;
    m->created_edit = w->options.created_edit;
    m->run_kind = w->options.run_kind;
    m->codec = w->codec;
    m->block_bytes = w->block_bytes;
    m->block_count = w->index.count;
    m->flags |= w->aligned ? PT_TABLE_ALIGNED : 0;
    PT_ASSERT(m->tombstones <= m->entries, "a tombstone is an entry");
    m->key_min = pt_bytes_slice(&w->key_min);
    m->key_max = pt_bytes_slice(&w->last_key);
    TRY(pt_writer_put_sections(w));
    TRY(out_write(w));
    int e = w->env->file_sync(w->env->ctx, w->file);
    if (e != 0)
        TRY(pt_fail_os(w->sink, e, "cannot sync table %s", w->name));
out:
    return rc;
}

peat_rc pt_table_writer_finish(pt_table_writer *w, pt_table_meta *ret_meta)
{
    PT_ASSERT(w->failed == PEAT_OK, "a writer that has failed is only good for free");
    peat_rc rc = fail(w, finish(w));
    if (rc != PEAT_OK)
        return rc;
    PT_ASSERT(w->out.size == 0 && w->out_offset == w->meta.file_bytes,
              "I4: a table that is finished is in its file, all of it");
    *ret_meta = w->meta;
    /* a merge keeps the writers of all its tables until it is installed */
    release_resources(w);
    return PEAT_OK;
}
