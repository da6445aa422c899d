/* SPDX-License-Identifier: MIT */
/*
 * sim_cut.c - the disk after a power cut, and after a killed process; see sim_disk.h.
 *
 * Everything that can survive on its own (a name, a file's size, a group of sectors) gets a moment
 * of its own and is as it was then; the mode says how moments are chosen.
 */
#include "support/sim_state.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

typedef struct cutter {
    const sim_cut *cut;
    uint64_t moment; /* SIM_CUT_PREFIX */
    sim_disk *to;
    size_t items, names; /* met so far */
    bool at_name;        /* the next item is one */
} cutter;

static uint64_t mix(uint64_t a, uint64_t b)
{
    return rng_hash(rng_hash(a) ^ b);
}

/* `likely` of 16: the newest. Otherwise the durable state or any moment in between. */
static uint64_t pick_random(uint64_t seed, uint64_t likely, const uint64_t *moments, size_t n)
{
    rng r = {seed};
    if (rng_below(&r, 16) < likely)
        return UINT64_MAX;
    if (n == 0 || rng_below(&r, 2) != 0)
        return 0;
    return moments[rng_below(&r, n)];
}

/* Cuts differ in how much survives, and so do files within one: everything of the log may be there
 * and nothing of a table. */
static uint64_t likely_of(const cutter *c, uint64_t who)
{
    static const uint64_t levels[] = {0, 2, 8, 14, 16};
    return levels[mix(c->cut->seed, who) % (sizeof levels / sizeof levels[0])];
}

/* Whether the next item, which has something unsynced, is as new as can be. */
static bool survives(cutter *c)
{
    uint64_t item = c->items++, name = c->at_name ? c->names++ : UINT64_MAX;
    switch (c->cut->mode) {
    case SIM_CUT_KEPT:
        return true;
    case SIM_CUT_SUBSET:
        return c->cut->seed >> (item % 64) & 1;
    case SIM_CUT_BUT_ONE:
        return item != c->cut->seed;
    case SIM_CUT_ONLY_ONE:
        return item == c->cut->seed;
    case SIM_CUT_BUT_NAME:
        return name != c->cut->seed;
    case SIM_CUT_LOST:
    case SIM_CUT_PREFIX:
    case SIM_CUT_RANDOM:
    case SIM_CUT_GARBAGE:
    case SIM_CUT_MODE_COUNT:
        break;
    }
    return false;
}

static uint64_t pick(cutter *c, uint64_t who, uint64_t part, const uint64_t *moments, size_t n)
{
    switch (c->cut->mode) {
    case SIM_CUT_PREFIX:
        return c->moment;
    case SIM_CUT_RANDOM:
    case SIM_CUT_GARBAGE:
        return pick_random(mix(mix(c->cut->seed, who), part + 1), likely_of(c, who), moments, n);
    default:
        return n == 0 || survives(c) ? UINT64_MAX : 0;
    }
}

static void *grab(size_t n, size_t item_bytes)
{
    size_t capacity = 0;
    return sim_grow(NULL, &capacity, n ? n : 1, item_bytes);
}

/* --- one file ------------------------------------------------------------------------------- */

static uint64_t pick_size(cutter *c, const sim_inode *from, uint64_t *ret_moment)
{
    uint64_t *moments = grab(from->size_count, sizeof *moments);
    for (size_t i = 0; i < from->size_count; i++)
        moments[i] = from->sizes[i].seq;
    *ret_moment = pick(c, from->id, UINT64_MAX - 1, moments, from->size_count);
    free(moments);
    uint64_t size = from->disk_size;
    for (size_t i = 0; i < from->size_count && from->sizes[i].seq <= *ret_moment; i++)
        size = from->sizes[i].size;
    return size;
}

static int by_sector(const void *a, const void *b)
{
    const sim_version *x = *(const sim_version *const *)a, *y = *(const sim_version *const *)b;
    if (x->sector != y->sector)
        return x->sector < y->sector ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* The versions of one sector that go with the surviving size: from the last shrink before
 * `size_moment` up to the first after it. */
static void one_sector(const cutter *c, sim_version *const *v, size_t n, uint64_t size_moment,
                       uint64_t moment, uint8_t *io_data)
{
    const sim_version *chosen = NULL;
    bool written = false;
    for (size_t i = 0; i < n; i++) {
        if (v[i]->shrink && v[i]->seq > size_moment)
            break;
        if (v[i]->shrink || v[i]->seq <= moment)
            chosen = v[i];
        written = !v[i]->shrink;
    }
    if (chosen != NULL)
        memcpy(io_data, chosen->data, SIM_SECTOR_BYTES);
    rng r = {mix(c->cut->seed, v[0]->seq)};
    if (c->cut->mode == SIM_CUT_GARBAGE && written && rng_below(&r, 4) == 0)
        for (size_t i = 0; i < SIM_SECTOR_BYTES; i++)
            io_data[i] = (uint8_t)rng_next(&r);
}

static void one_group(cutter *c, const sim_inode *from, sim_version *const *v, size_t n,
                      uint64_t group, uint64_t size_moment, uint8_t *io_content)
{
    uint64_t *moments = grab(n, sizeof *moments);
    for (size_t i = 0; i < n; i++)
        moments[i] = v[i]->seq;
    uint64_t moment = pick(c, from->id, group, moments, n);
    free(moments);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && v[end]->sector == v[i]->sector; end++) {
        }
        one_sector(c, v + i, end - i, size_moment, moment,
                   io_content + v[i]->sector * SIM_SECTOR_BYTES);
    }
}

static void all_sectors(cutter *c, const sim_inode *from, uint64_t size_moment, uint8_t *io_content)
{
    size_t n = from->version_count;
    uint64_t group_sectors = c->cut->sector_bytes / SIM_SECTOR_BYTES;
    if (group_sectors == 0)
        group_sectors = 1;
    sim_version **v = grab(n, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = &from->versions[i];
    qsort(v, n, sizeof *v, by_sector);
    for (size_t i = 0, end; i < n; i = end) {
        uint64_t group = v[i]->sector / group_sectors;
        for (end = i + 1; end < n && v[end]->sector / group_sectors == group; end++) {
        }
        one_group(c, from, v + i, end - i, group, size_moment, io_content);
    }
    free(v);
}

static sim_inode *new_inode(sim_disk *to, const sim_inode *from)
{
    sim_inode *inode = grab(1, sizeof *inode);
    *inode = (sim_inode){.next = to->inodes, .id = from->id, .regular = from->regular};
    to->inodes = inode;
    return inode;
}

static sim_inode *cut_inode(cutter *c, const sim_inode *from)
{
    sim_inode *inode = new_inode(c->to, from);
    uint64_t size_moment;
    uint64_t size = pick_size(c, from, &size_moment);
    /* wide enough for every version, whatever size survives */
    uint64_t wide =
        from->live_capacity > from->disk_capacity ? from->live_capacity : from->disk_capacity;
    for (size_t i = 0; i < from->version_count; i++)
        if ((from->versions[i].sector + 1) * SIM_SECTOR_BYTES > wide)
            wide = (from->versions[i].sector + 1) * SIM_SECTOR_BYTES;
    inode->live = grab((size_t)wide + 1, 1);
    memset(inode->live, 0, (size_t)wide);
    if (from->disk_capacity > 0)
        memcpy(inode->live, from->disk, (size_t)from->disk_capacity);
    all_sectors(c, from, size_moment, inode->live);
    if (wide > size)
        memset(inode->live + size, 0, (size_t)(wide - size));
    inode->live_size = inode->disk_size = size;
    inode->live_capacity = inode->disk_capacity = wide;
    inode->disk = grab((size_t)wide + 1, 1);
    memcpy(inode->disk, inode->live, (size_t)wide);
    return inode;
}

/* --- names ---------------------------------------------------------------------------------- */

static uint64_t hash_text(const char *text)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *text != '\0'; text++)
        h = (h ^ (uint8_t)*text) * 1099511628211u;
    return h;
}

static void cut_name(cutter *c, const sim_name *from, sim_folder *folder)
{
    uint64_t *moments = grab(from->op_count, sizeof *moments);
    for (size_t i = 0; i < from->op_count; i++)
        moments[i] = from->ops[i].seq;
    /* each name on its own: a random level per name and a random draw in it */
    c->at_name = true;
    uint64_t moment = pick(c, hash_text(from->name), 0, moments, from->op_count);
    c->at_name = false;
    free(moments);
    const sim_inode *inode = from->durable;
    for (size_t i = 0; i < from->op_count && from->ops[i].seq <= moment; i++)
        inode = from->ops[i].inode;
    if (inode == NULL)
        return;
    folder->names = sim_grow(folder->names, &folder->name_capacity, folder->name_count + 1,
                             sizeof *folder->names);
    sim_name *name = &folder->names[folder->name_count++];
    sim_inode *copy = cut_inode(c, inode);
    *name = (sim_name){.name = sim_text_copy(from->name), .live = copy, .durable = copy};
    copy->refs = 2;
    copy->links = 1;
}

static bool folder_survives(cutter *c, const sim_folder *from)
{
    if (from->live)
        return true;
    return pick(c, hash_text(from->path), 1, &from->deleted_seq, 1) < from->deleted_seq;
}

static uint64_t oldest_unsynced(const sim_disk *disk)
{
    uint64_t oldest = disk->seq;
    for (const sim_inode *i = disk->inodes; i != NULL; i = i->next) {
        if (i->version_count > 0 && i->versions[0].seq < oldest)
            oldest = i->versions[0].seq;
        if (i->size_count > 0 && i->sizes[0].seq < oldest)
            oldest = i->sizes[0].seq;
    }
    for (const sim_folder *f = disk->folders; f != NULL; f = f->next)
        for (size_t k = 0; k < f->name_count; k++)
            if (f->names[k].op_count > 0 && f->names[k].ops[0].seq < oldest)
                oldest = f->names[k].ops[0].seq;
    return oldest;
}

static uint64_t pick_prefix(const sim_disk *disk, uint64_t seed)
{
    uint64_t oldest = oldest_unsynced(disk);
    uint64_t before = oldest > 0 ? oldest - 1 : 0; /* nothing unsynced survives */
    return before + mix(seed, 0) % (disk->seq - before + 1);
}

static void cut_all(cutter *c, const sim_disk *disk)
{
    sim_disk_init(c->to, mix(c->cut->seed, disk->seq));
    c->to->seq = disk->seq;
    c->to->inode_id = disk->inode_id;
    for (const sim_folder *from = disk->folders; from != NULL; from = from->next) {
        if (!folder_survives(c, from))
            continue;
        sim_folder *folder = sim_folder_add(c->to, from->path);
        for (size_t i = 0; i < from->name_count; i++)
            cut_name(c, &from->names[i], folder);
    }
}

void sim_disk_cut(const sim_disk *disk, const sim_cut *cut, sim_disk *ret_disk)
{
    cutter c = {.cut = cut, .moment = pick_prefix(disk, cut->seed), .to = ret_disk};
    cut_all(&c, disk);
}

const char *sim_cut_mode_name(sim_cut_mode mode)
{
    static const char *const names[SIM_CUT_MODE_COUNT] = {
        [SIM_CUT_RANDOM] = "random",     [SIM_CUT_LOST] = "lost",
        [SIM_CUT_KEPT] = "kept",         [SIM_CUT_PREFIX] = "prefix",
        [SIM_CUT_GARBAGE] = "garbage",   [SIM_CUT_SUBSET] = "subset",
        [SIM_CUT_BUT_ONE] = "but one",   [SIM_CUT_ONLY_ONE] = "only one",
        [SIM_CUT_BUT_NAME] = "but name",
    };
    return mode < SIM_CUT_MODE_COUNT ? names[mode] : "?";
}

/* As many as a cut that keeps everything meets: one that loses a name meets fewer. */
size_t sim_cut_items(sim_env *sim, uint32_t sector_bytes, size_t *ret_names)
{
    sim_disk kept;
    sim_cut cut = {.mode = SIM_CUT_KEPT, .sector_bytes = sector_bytes};
    cutter c = {.cut = &cut, .to = &kept};
    sim_lock(sim);
    cut_all(&c, &sim->disk);
    sim_unlock(sim);
    sim_disk_done(&kept);
    *ret_names = c.names;
    return c.items;
}

uint64_t sim_image_hash(sim_env *sim)
{
    uint64_t hash = 0;
    sim_lock(sim);
    for (const sim_folder *f = sim->disk.folders; f != NULL; f = f->next)
        for (size_t i = 0; i < f->name_count; i++) {
            const sim_inode *inode = f->names[i].live;
            if (inode == NULL || strcmp(f->names[i].name, "LOCK") == 0)
                continue;
            uint64_t name = mix(hash_text(f->path), hash_text(f->names[i].name));
            hash += mix(name ^ inode->live_size, pt_hash(inode->live, (size_t)inode->live_size));
        }
    sim_unlock(sim);
    return hash;
}

/* --- a killed process ----------------------------------------------------------------------- */

static void *duplicate(const void *items, size_t n, size_t item_bytes)
{
    if (n == 0)
        return NULL;
    void *p = grab(n, item_bytes);
    memcpy(p, items, n * item_bytes);
    return p;
}

static sim_inode *copy_inode(sim_disk *to, sim_inode *from)
{
    if (from == NULL)
        return NULL;
    if (from->copy == NULL) {
        sim_inode *p = new_inode(to, from);
        sim_inode *next = p->next;
        *p = *from;
        p->next = next;
        p->refs = p->links = p->handles = p->locks_shared = p->locks_exclusive = 0;
        p->live = duplicate(from->live, (size_t)from->live_capacity, 1);
        p->disk = duplicate(from->disk, (size_t)from->disk_capacity, 1);
        p->versions = duplicate(from->versions, from->version_count, sizeof *p->versions);
        p->version_capacity = p->version_count;
        p->sizes = duplicate(from->sizes, from->size_count, sizeof *p->sizes);
        p->size_capacity = p->size_count;
        p->stale = duplicate(from->stale, from->stale_count, sizeof *p->stale);
        p->stale_capacity = p->stale_count;
        from->copy = p;
    }
    from->copy->refs++;
    return from->copy;
}

static sim_name copy_name(sim_disk *to, const sim_name *from)
{
    sim_name name = {.name = sim_text_copy(from->name),
                     .live = copy_inode(to, from->live),
                     .durable = copy_inode(to, from->durable),
                     .ops = duplicate(from->ops, from->op_count, sizeof *from->ops),
                     .op_count = from->op_count,
                     .op_capacity = from->op_count};
    if (name.live != NULL)
        name.live->links++;
    for (size_t i = 0; i < name.op_count; i++)
        name.ops[i].inode = copy_inode(to, from->ops[i].inode);
    return name;
}

void sim_disk_copy(sim_disk *disk, sim_disk *ret_disk)
{
    sim_disk_init(ret_disk, mix(disk->random.state, disk->seq));
    ret_disk->seq = disk->seq;
    ret_disk->inode_id = disk->inode_id;
    for (const sim_folder *from = disk->folders; from != NULL; from = from->next) {
        sim_folder *folder = sim_folder_add(ret_disk, from->path);
        folder->live = from->live;
        folder->deleted_seq = from->deleted_seq;
        folder->names = grab(from->name_count, sizeof *folder->names);
        folder->name_capacity = from->name_count ? from->name_count : 1;
        for (size_t i = 0; i < from->name_count; i++)
            folder->names[folder->name_count++] = copy_name(ret_disk, &from->names[i]);
    }
    for (sim_inode *i = disk->inodes; i != NULL; i = i->next)
        i->copy = NULL;
}
