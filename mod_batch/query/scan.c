/* A SELECT over one form, for one record after the other. */
#include "query/run.h"
#include "store/scan.h"
#include "text/check.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Bytes and steps that one record may take, and what it takes at least. */
#define MOST_PER_RECORD  ((apr_size_t)16 * 1024 * 1024)
#define LEAST_PER_RECORD 64

/* A record that was selected, while all are needed for their order. */
typedef struct found {
    batch_query_value_t id;
    batch_query_value_t key;
    batch_query_value_t *order;
} found_t;

typedef struct scan {
    unsigned magic;
#define SCAN_MAGIC 0x621dc009u
    batch_query_run_t *run;
    batch_tx_t *tx;
    const batch_statement_t *statement;
    const batch_select_t *select;
    const batch_source_t *form;
    const char *form_id;
    batch_query_room_t room;
    batch_query_value_t *columns;
    batch_query_value_t *members;
    int member_column; /* which of the scan's columns has the members, -1 = none */
    /* Where ORDER BY, LIMIT or OFFSET decide: */
    int collects;
    apr_array_header_t *found; /* of found_t */
    apr_pool_t *found_pool;
    apr_size_t found_bytes;
} scan_t;

/* ---- One record ------------------------------------------------------------------------------ */

static int take_member(void *baton, const char *name, apr_size_t name_length, const char *value,
                       apr_size_t length)
{
    scan_t *scan = BATCH_CAST(scan_t, baton, SCAN_MAGIC);
    int i;

    for (i = 0; i < scan->form->members->nelts; i++) {
        batch_member_t *member = &APR_ARRAY_IDX(scan->form->members, i, batch_member_t);

        if (member->length == name_length && !memcmp(member->name, name, name_length)) {
            member->seen = 1;
            scan->members[i] = batch_query_member_value(value, length, &scan->room);
        }
    }
    return batch_query_work(&scan->room, (apr_size_t)scan->form->members->nelts);
}

static void read_record(scan_t *scan, const batch_cell_t *cells)
{
    const apr_array_header_t *columns = scan->form->columns;
    const batch_cell_t *json;
    int i;

    for (i = 0; i < columns->nelts; i++) {
        scan->columns[i] = batch_query_cell(
            &cells[i], APR_ARRAY_IDX(columns, i, const batch_query_column_t *)->kind, &scan->room);
    }
    if (scan->member_column < 0) {
        return;
    }
    for (i = 0; i < scan->form->members->nelts; i++) {
        scan->members[i].kind = BATCH_QUERY_NULL;
    }
    json = &cells[scan->member_column];
    if (json->kind == BATCH_CELL_TEXT) {
        batch_query_members(json->text, json->length, take_member, scan, &scan->room);
    }
}

/* ---- Records in order ------------------------------------------------------------------------ */

static int compare_found(const void *left, const void *right, void *baton)
{
    const found_t *a = left, *b = right;
    const apr_array_header_t *order = baton;
    int i;

    for (i = 0; i < order->nelts; i++) {
        const batch_select_order_t *by = &APR_ARRAY_IDX(order, i, batch_select_order_t);
        int a_null = a->order[i].kind == BATCH_QUERY_NULL;
        int b_null = b->order[i].kind == BATCH_QUERY_NULL;
        int result;

        if (a_null || b_null) {
            result = by->nulls_first ? b_null - a_null : a_null - b_null;
        } else {
            result = batch_query_order(&a->order[i], &b->order[i]);
            result = by->descending ? -result : result;
        }
        if (result) {
            return result;
        }
    }
    return batch_query_order(&a->key, &b->key); /* the same order on every database */
}

static void sort_found(const scan_t *scan)
{
    qsort_r(scan->found->elts, (size_t)scan->found->nelts, sizeof(found_t), compare_found,
            scan->select->order);
}

static batch_query_value_t keep(scan_t *scan, batch_query_value_t value)
{
    if (batch_query_has_text(&value)) {
        value.text = apr_pmemdup(scan->found_pool, value.text, value.length);
        scan->found_bytes += value.length;
    }
    return value;
}

static void keep_found(scan_t *scan, const found_t *found)
{
    found_t *kept = apr_array_push(scan->found);
    int count = scan->select->order->nelts, i;

    kept->id = keep(scan, found->id);
    kept->key = keep(scan, found->key);
    kept->order = apr_palloc(scan->found_pool, (apr_size_t)count * sizeof(*kept->order) + 1);
    for (i = 0; i < count; i++) {
        kept->order[i] = keep(scan, found->order[i]);
    }
    scan->found_bytes += 2 * sizeof(*kept) + (apr_size_t)count * sizeof(*kept->order);
}

static apr_status_t start_found(scan_t *scan)
{
    apr_status_t rv = apr_pool_create(&scan->found_pool, scan->run->p);

    if (rv == APR_SUCCESS) {
        scan->found = apr_array_make(scan->found_pool, 256, sizeof(found_t));
        scan->found_bytes = 0;
    }
    return rv;
}

/* Forgets what can no more be among the first ones. */
static apr_status_t prune(scan_t *scan)
{
    apr_int64_t wanted = scan->select->limit;
    apr_array_header_t *before = scan->found;
    apr_pool_t *old = scan->found_pool;
    apr_status_t rv;
    int i;

    if (wanted < 0 || wanted > before->nelts || scan->select->offset > before->nelts ||
        wanted + scan->select->offset > before->nelts / 2) {
        return APR_SUCCESS;
    }
    wanted += scan->select->offset;
    sort_found(scan);
    rv = start_found(scan);
    for (i = 0; rv == APR_SUCCESS && i < wanted; i++) {
        keep_found(scan, &APR_ARRAY_IDX(before, i, found_t));
    }
    if (rv == APR_SUCCESS) {
        apr_pool_destroy(old);
    }
    return rv;
}

static apr_status_t collect(scan_t *scan, const batch_query_value_t *id,
                            const batch_record_t *record)
{
    const apr_array_header_t *order = scan->select->order;
    found_t found = {.id = *id, .key = record->columns[0]};
    apr_status_t rv = APR_SUCCESS;
    int i;

    found.order = (batch_query_value_t *)batch_query_take(
        &scan->room, (apr_size_t)order->nelts * sizeof(batch_query_value_t));
    for (i = 0; found.order && i < order->nelts; i++) {
        found.order[i] = batch_query_evaluate(APR_ARRAY_IDX(order, i, batch_select_order_t).node,
                                              record, &scan->room);
    }
    if (!found.order || scan->room.over) {
        return APR_SUCCESS; /* said by the caller */
    }
    keep_found(scan, &found);
    if (!(scan->found->nelts & 4095)) {
        rv = prune(scan);
    }
    if (rv == APR_SUCCESS && scan->found_bytes + scan->run->ids.bytes > scan->run->ids.most_bytes) {
        rv = batch_query_out_of_memory(scan->run);
    }
    return rv;
}

/* A batch_query_look_fn. */
static apr_status_t look(void *baton)
{
    const scan_t *scan = BATCH_CAST(const scan_t, baton, SCAN_MAGIC);

    return batch_tx_go_on(scan->tx, scan->run->deadline);
}

/* ---- All records ----------------------------------------------------------------------------- */

static apr_status_t take_record(void *baton, const batch_cell_t *cells)
{
    scan_t *scan = BATCH_CAST(scan_t, baton, SCAN_MAGIC);
    const batch_select_t *select = scan->select;
    batch_record_t record = {.columns = scan->columns, .members = scan->members};
    batch_query_value_t value = batch_query_boolean_value(1);
    apr_status_t rv = APR_SUCCESS;

    if (scan->room.dirty) {
        apr_pool_clear(scan->room.p);
        scan->room.dirty = 0;
    }
    scan->room.used = 0;
    (void)batch_query_work(&scan->room, LEAST_PER_RECORD);
    read_record(scan, cells);
    if (select->where) {
        value = batch_query_evaluate(select->where, &record, &scan->room);
    }
    if (value.kind != BATCH_QUERY_NULL && value.integer && !scan->room.over) {
        value = batch_query_evaluate(scan->statement->id_text, &record, &scan->room);
        rv = scan->collects ? collect(scan, &value, &record)
                            : batch_query_ids_add(scan->run, &value);
    }
    if (scan->room.stopped != APR_SUCCESS) {
        return scan->room.stopped;
    }
    if (scan->room.over) {
        return batch_query_problem(scan->run, "%s", batch_query_excess(&scan->room));
    }
    return rv;
}

static apr_status_t read_records(scan_t *scan, apr_pool_t *ptemp)
{
    const batch_source_t *form = scan->form;
    apr_array_header_t *wheres = apr_array_make(ptemp, 8, sizeof(batch_where_t));
    int count = form->columns->nelts, i;
    const char **columns = apr_palloc(ptemp, ((apr_size_t)count + 1) * sizeof(*columns));
    batch_scan_t rows = {
        scan->run->query->resource->table, columns, count, NULL, 0, scan->run->deadline};

    for (i = 0; i < count; i++) {
        columns[i] = APR_ARRAY_IDX(form->columns, i, const batch_query_column_t *)->column;
    }
    scan->member_column = -1;
    if (form->members->nelts) {
        scan->member_column = rows.column_count++;
        columns[scan->member_column] = scan->run->schema->members;
    }
    batch_query_bind(wheres, scan->run, &scan->form_id);
    apr_array_cat(wheres, batch_query_wheres(scan->select, scan->select->from, ptemp));
    rows.wheres = (const batch_where_t *)wheres->elts;
    rows.where_count = wheres->nelts;
    return batch_query_scanned(scan->run, batch_tx_scan(scan->tx, &rows, take_record, scan, ptemp));
}

/* What OFFSET and LIMIT leave of the collected. */
static apr_status_t deliver(const scan_t *scan)
{
    apr_int64_t last = scan->found->nelts, i;
    apr_status_t rv = APR_SUCCESS;

    sort_found(scan);
    if (scan->select->limit >= 0 && scan->select->limit < last - scan->select->offset) {
        last = scan->select->offset + scan->select->limit;
    }
    for (i = scan->select->offset; rv == APR_SUCCESS && i < last; i++) {
        rv = batch_query_ids_add(scan->run, &APR_ARRAY_IDX(scan->found, i, found_t).id);
    }
    return rv;
}

static apr_status_t run_scan(scan_t *scan, apr_pool_t *ptemp)
{
    const batch_select_t *select = scan->select;
    const batch_source_t *form = scan->form;
    batch_query_run_t *run = scan->run;
    int unique = scan->statement->id_is_key;
    apr_status_t rv;

    scan->columns = apr_pcalloc(ptemp, (apr_size_t)form->columns->nelts * sizeof(*scan->columns));
    scan->members =
        apr_pcalloc(ptemp, ((apr_size_t)form->members->nelts + 1) * sizeof(*scan->members));
    scan->collects = select->limit >= 0 || select->offset > 0;
    batch_query_ids_init(run, unique);
    rv = start_found(scan);
    if (rv == APR_SUCCESS) {
        rv = read_records(scan, ptemp);
    }
    if (rv == APR_SUCCESS && scan->collects) {
        rv = deliver(scan);
    }
    return rv;
}

apr_status_t batch_query_scan(batch_query_run_t *run, batch_tx_t *tx, apr_pool_t *ptemp)
{
    const batch_statement_t *statement = run->statement;
    const batch_source_t *form = statement->select->from;
    scan_t scan = {.magic = SCAN_MAGIC,
                   .run = run,
                   .tx = tx,
                   .statement = statement,
                   .select = statement->select,
                   .form = form,
                   .form_id = run->query->form_id,
                   .room = {.most = MOST_PER_RECORD, .look = look}};
    apr_status_t rv = apr_pool_create(&scan.room.p, ptemp);
    int i;

    scan.room.baton = &scan;

    for (i = 0; i < form->members->nelts; i++) {
        APR_ARRAY_IDX(form->members, i, batch_member_t).seen = 0; /* we may run again */
    }
    if (rv == APR_SUCCESS && form->form) {
        rv = batch_query_find_form(&scan.form_id, run, tx, form->form, ptemp);
    }
    if (rv == APR_SUCCESS && !run->check_only) {
        rv = run_scan(&scan, ptemp);
    }
    if (rv == APR_SUCCESS) {
        rv = batch_query_find_members(run, tx, form->members, scan.form_id, ptemp);
    }
    return rv;
}
