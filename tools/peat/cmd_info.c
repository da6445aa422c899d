/* SPDX-License-Identifier: MIT
 *
 * cmd_info.c - peat info: what a store is, and where its records are.
 */
#include "codec.h"
#include "output.h"
#include "prefixes.h"
#include "store.h"

#include <inttypes.h>

enum { PREFIXES_DEFAULT = 16, KEY_COLUMN = 32 };

typedef struct info {
    const cli_args *args;
    cli_bytes *out;
    peat_statistics stats;
    cli_prefixes prefixes;
} info;

/* Keys and values together, by the bytes of the files that hold them. */
static double ratio(const peat_statistics *s)
{
    uint64_t files = s->plain_bytes + s->lz4_bytes + s->zstd_bytes;
    return files == 0 ? 0 : (double)s->raw_bytes / (double)files;
}

/* A key as on a line of tsv. */
static void add_key(const info *i, const cli_bytes *key)
{
    peat_slice bytes = peat_bytes(key->data, key->size);
    if (i->args->key_format == CLI_TEXT)
        cli_escape(i->out, bytes, '\t');
    else
        cli_encode(i->out, (cli_encoding)i->args->key_format, bytes);
}

static void add_codec(const info *i, const char *name, uint64_t bytes, bool *io_any)
{
    char size[CLI_NUMBER_SIZE];
    if (bytes == 0)
        return;
    cli_bytes_format(i->out, "%s%s %s", *io_any ? ", " : "", cli_human(bytes, size), name);
    *io_any = true;
}

static void tell_tables(const info *i)
{
    char size[CLI_NUMBER_SIZE];
    bool any = false;
    const peat_statistics *s = &i->stats;
    if (s->tables == 0)
        return;
    cli_bytes_add_text(i->out, "tables:      ");
    add_codec(i, "lz4", s->lz4_bytes, &any);
    add_codec(i, "zstd", s->zstd_bytes, &any);
    add_codec(i, "not compressed", s->plain_bytes, &any);
    cli_bytes_format(i->out, "; they hold %s of keys and values, %.2f times their size\n",
                     cli_human(s->raw_bytes, size), ratio(s));
}

static void tell_prefixes(const info *i)
{
    char entries[CLI_COUNTED_SIZE], size[CLI_NUMBER_SIZE];
    const cli_prefixes *p = &i->prefixes;
    if (p->count == 0)
        return;
    cli_bytes_add_text(i->out, "first key:   ");
    add_key(i, &p->first);
    cli_bytes_add_text(i->out, "\nlast key:    ");
    add_key(i, &p->last);
    cli_bytes_format(i->out, "\n\n%-*s %14s %12s   (about)\n", KEY_COLUMN, "Keys that begin with",
                     "entries", "bytes");
    for (size_t k = 0; k < p->count; k++) {
        size_t from = i->out->size;
        add_key(i, &p->items[k].text);
        if (p->items[k].text.size == 0)
            cli_bytes_add_text(i->out, p->items[k].alone ? "(the empty key)" : "(anything)");
        else if (!p->items[k].alone)
            cli_bytes_add_text(i->out, "...");
        size_t used = i->out->size - from;
        cli_bytes_format(
            i->out, "%*s %14s %12s\n", used < KEY_COLUMN ? (int)(KEY_COLUMN - used) : 0, "",
            cli_group(p->items[k].entries, entries), cli_human(p->items[k].bytes, size));
    }
}

/* `quoted`: for JSON. */
static void add_features(const info *i, bool quoted)
{
    const char *name, *between = "";
    for (unsigned k = 0; (name = peat_feature_name(k)) != NULL; k++) {
        if ((i->stats.features >> k & 1) == 0)
            continue;
        cli_bytes_format(i->out, quoted ? "%s\"%s\"" : "%s%s", between, name);
        between = quoted ? "," : ", ";
    }
}

static void tell_format(const info *i)
{
    cli_bytes_format(i->out, "format:      %" PRIu64, i->stats.format_version);
    if (i->stats.features != 0) {
        cli_bytes_add_text(i->out, " (");
        add_features(i, false);
        cli_bytes_add_char(i->out, ')');
    }
    cli_bytes_add_char(i->out, '\n');
}

static void tell(const info *i)
{
    char a[CLI_NUMBER_SIZE], b[CLI_COUNTED_SIZE], c[CLI_COUNTED_SIZE], d[CLI_COUNTED_SIZE];
    const peat_statistics *s = &i->stats;
    cli_bytes_format(i->out, "%s: %s on disk\n", i->args->dir, cli_human(s->disk_bytes, a));
    tell_format(i);
    if (s->app_id != 0)
        cli_bytes_format(i->out, "application: %" PRIu64 "\n", s->app_id);
    cli_bytes_format(i->out, "entries:     %s, of them %s; %s in %s\n", cli_group(s->entries, a),
                     cli_counted(s->tombstones, "deletion", b), cli_counted(s->tables, "table", c),
                     cli_counted(s->partitions, "partition", d));
    tell_tables(i);
    tell_prefixes(i);
}

static void add_prefix_json(const info *i, const cli_prefix *p)
{
    cli_bytes_add_char(i->out, '{');
    cli_json_field(i->out, p->alone ? "key" : "prefix", (cli_encoding)i->args->key_format,
                   peat_bytes(p->text.data, p->text.size));
    cli_bytes_format(i->out, ",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", p->entries,
                     p->bytes);
}

static void tell_json(const info *i)
{
    const peat_statistics *s = &i->stats;
    const cli_prefixes *p = &i->prefixes;
    cli_encoding encoding = (cli_encoding)i->args->key_format;
    cli_bytes_format(
        i->out,
        "{\"format_version\":%" PRIu64 ",\"app_id\":%" PRIu64 ",\"disk_bytes\":%" PRIu64
        ",\"entries\":%" PRIu64 ",\"tombstones\":%" PRIu64 ",\"tables\":%" PRIu64
        ",\"partitions\":%" PRIu64 ",\"raw_bytes\":%" PRIu64 ",\"lz4_bytes\":%" PRIu64
        ",\"zstd_bytes\":%" PRIu64 ",\"plain_bytes\":%" PRIu64 ",\"ratio\":%.3f",
        s->format_version, s->app_id, s->disk_bytes, s->entries, s->tombstones, s->tables,
        s->partitions, s->raw_bytes, s->lz4_bytes, s->zstd_bytes, s->plain_bytes, ratio(s));
    if (p->count > 0) {
        cli_bytes_add_char(i->out, ',');
        cli_json_field(i->out, "first_key", encoding, peat_bytes(p->first.data, p->first.size));
        cli_bytes_add_char(i->out, ',');
        cli_json_field(i->out, "last_key", encoding, peat_bytes(p->last.data, p->last.size));
    }
    cli_bytes_add_text(i->out, ",\"features\":[");
    add_features(i, true);
    cli_bytes_add_text(i->out, "],\"prefixes\":[");
    for (size_t k = 0; k < p->count; k++) {
        if (k > 0)
            cli_bytes_add_char(i->out, ',');
        add_prefix_json(i, &p->items[k]);
    }
    cli_bytes_add_text(i->out, "]}\n");
}

int cli_run_info(cli_args *args)
{
    cli_output out = {.shown = cli_is_shown(args)};
    info i = {.args = args, .out = &out.bytes, .stats = {.size = sizeof i.stats}};
    peat_db *db = NULL;
    uint64_t max = args->limit == UINT64_MAX ? PREFIXES_DEFAULT : args->limit;
    if (max == 0 || max > CLI_PREFIXES_MAX)
        return cli_fail(args, CLI_USAGE, "--limit must be from 1 to %d", CLI_PREFIXES_MAX);
    int code = cli_open(args, CLI_READ, &db);
    if (code != CLI_OK)
        return code;
    peat_rc rc = peat_stats(db, &i.stats);
    if (rc == PEAT_OK)
        rc = cli_prefixes_find(db, (size_t)max, &i.prefixes);
    if (rc != PEAT_OK)
        code = cli_store_fail(args, db, rc, "look into");
    else if (args->json)
        tell_json(&i);
    else
        tell(&i);
    cli_prefixes_done(&i.prefixes);
    cli_output_show(&out, 0);
    return cli_output_finish(&out, args, cli_close(args, db, code));
}
