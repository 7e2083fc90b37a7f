/* The forms of a query, and copies of their records for the private database. */
#include "query/sandbox.h"
#include "store/scan.h"
#include "text/check.h"

#include <string.h>

#include <apr_strings.h>

#define MOST_NAMES 200  /* that a query can name */
#define MOST_NEAR  2000 /* names of members that are offered */

/* A form's records on their way. */
typedef struct copying {
    unsigned magic;
#define COPYING_MAGIC 0x7a59ab15u
    batch_sandbox_t *sandbox;
    batch_sandbox_table_t *table;
    sqlite3_stmt *insert;
    int *cells;                   /* by name: its cell, -1 = it is a member */
    batch_query_value_t *members; /* by name */
    int member_cell;              /* -1 = none */
    int has_members;              /* the query names some */
    int looks;                    /* at members only */
} copying_t;

static const batch_sandbox_name_t *name_at(const batch_sandbox_t *sandbox, int name)
{
    return &APR_ARRAY_IDX(sandbox->names, name, batch_sandbox_name_t);
}

/* ---- Names ------------------------------------------------------------------------------------
 */

static void add_name(batch_sandbox_t *sandbox, const char *name)
{
    batch_sandbox_name_t *added;

    if (apr_hash_get(sandbox->places, name, APR_HASH_KEY_STRING)) {
        return;
    }
    added = apr_array_push(sandbox->names);
    added->name = name;
    added->column = batch_query_schema_column(sandbox->run->schema, name);
    apr_hash_set(sandbox->places, name, APR_HASH_KEY_STRING,
                 apr_pmemdup(sandbox->run->p, &(int){sandbox->names->nelts - 1}, sizeof(int)));
}

/* 1 if there is a star that stands for all columns. */
static int has_star(const batch_query_text_t *text)
{
    int i;

    for (i = 1; i < text->count; i++) {
        const batch_token_t *before = &text->tokens[i - 1];

        if (batch_token_is(&text->tokens[i], "*") &&
            (batch_token_is(before, ",") || batch_token_is(before, ".") ||
             before->word == BATCH_WORD_SELECT || before->word == BATCH_WORD_DISTINCT ||
             before->word == BATCH_WORD_ALL)) {
            return 1;
        }
    }
    return 0;
}

/* Those that the query has, and those that a star stands for. */
static int find_names(batch_sandbox_t *sandbox)
{
    const apr_array_header_t *names = sandbox->run->statement->names;
    const apr_array_header_t *columns = sandbox->run->schema->columns;
    int i;

    if (names->nelts > MOST_NAMES) {
        const batch_query_name_use_t *use =
            &APR_ARRAY_IDX(names, MOST_NAMES, batch_query_name_use_t);
        return batch_query_fault(&sandbox->run->text, use->at,
                                 "found \"%s\", but a query with joins, subqueries or groups can "
                                 "have %d different names only",
                                 use->name, MOST_NAMES);
    }
    for (i = 0; i < names->nelts; i++) {
        add_name(sandbox, APR_ARRAY_IDX(names, i, batch_query_name_use_t).name);
    }
    for (i = 0; has_star(&sandbox->run->text) && i < columns->nelts; i++) {
        add_name(sandbox, APR_ARRAY_IDX(columns, i, batch_query_column_t).name);
    }
    return 1;
}

/* ---- Records ----------------------------------------------------------------------------------
 */

static int take_member(void *baton, const char *name, apr_size_t name_length, const char *value,
                       apr_size_t length)
{
    copying_t *copying = BATCH_CAST(copying_t, baton, COPYING_MAGIC);
    batch_sandbox_t *sandbox = copying->sandbox;
    const int *place = apr_hash_get(sandbox->places, name, (apr_ssize_t)name_length);

    if (place && !name_at(sandbox, *place)->column) {
        copying->members[*place] = batch_query_member_value(value, length, &sandbox->room);
        copying->table->unseen -= !copying->table->seen[*place];
        copying->table->seen[*place] = 1;
    }
    if (name_length < 64 && apr_hash_count(sandbox->member_names) < MOST_NEAR &&
        !apr_hash_get(sandbox->member_names, name, (apr_ssize_t)name_length)) {
        const char *copy = apr_pstrmemdup(sandbox->run->p, name, name_length);
        apr_hash_set(sandbox->member_names, copy, (apr_ssize_t)name_length, copy);
    }
    return batch_query_work(&sandbox->room, name_length + 1);
}

static int insert(const copying_t *copying, const batch_cell_t *cells)
{
    batch_sandbox_t *sandbox = copying->sandbox;
    batch_query_kind_e kind = batch_query_schema_key_kind(sandbox->run->schema);
    batch_query_value_t value = batch_query_cell(&cells[0], kind, &sandbox->room);
    int code = batch_sandbox_bind(copying->insert, 1, &value, kind), i;

    for (i = 0; code == SQLITE_OK && i < sandbox->names->nelts; i++) {
        const batch_query_column_t *column = name_at(sandbox, i)->column;

        value = column ? batch_query_cell(&cells[copying->cells[i]], column->kind, &sandbox->room)
                       : copying->members[i];
        code = batch_sandbox_bind(copying->insert, i + 2, &value,
                                  column ? column->kind : BATCH_QUERY_MEMBER);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(copying->insert);
        code = code == SQLITE_DONE ? SQLITE_OK : code;
    }
    sqlite3_reset(copying->insert);
    return code;
}

static apr_status_t add_record(copying_t *copying, const batch_cell_t *cells)
{
    batch_sandbox_t *sandbox = copying->sandbox;
    apr_int64_t most = sandbox->run->query->limits->query_rows;
    int code;

    if (++sandbox->rows > most) {
        return batch_query_problem(sandbox->run,
                                   "has to copy more than %" APR_INT64_T_FMT
                                   " records, the limit of this server (BatchQueryRows): a query "
                                   "over one form without subqueries and groups has no such limit",
                                   most);
    }
    code = insert(copying, cells);
    return code == SQLITE_OK ? APR_SUCCESS : batch_sandbox_failed(sandbox, code);
}

/* The room for the next record. */
static apr_status_t end_record(batch_sandbox_t *sandbox)
{
    batch_query_room_t *room = &sandbox->room;

    (void)batch_query_work(room, 64);
    if (room->stopped != APR_SUCCESS) {
        return room->stopped == BATCH_ETOOLARGE ? batch_query_out_of_memory(sandbox->run)
                                                : room->stopped;
    }
    if (room->over) {
        return batch_query_problem(sandbox->run, "%s", batch_query_excess(room));
    }
    room->used = 0;
    if (room->dirty) {
        apr_pool_clear(room->p);
        room->dirty = 0;
    }
    return APR_SUCCESS;
}

static apr_status_t take_record(void *baton, const batch_cell_t *cells)
{
    copying_t *copying = BATCH_CAST(copying_t, baton, COPYING_MAGIC);
    batch_sandbox_t *sandbox = copying->sandbox;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < sandbox->names->nelts; i++) {
        copying->members[i].kind = BATCH_QUERY_NULL;
    }
    if (copying->member_cell >= 0 && cells[copying->member_cell].kind == BATCH_CELL_TEXT) {
        batch_query_members(cells[copying->member_cell].text, cells[copying->member_cell].length,
                            take_member, copying, &sandbox->room);
    }
    copying->table->records++;
    if (!copying->looks) {
        rv = add_record(copying, cells);
    }
    if (rv == APR_SUCCESS) {
        rv = end_record(sandbox);
    }
    return rv == APR_SUCCESS && copying->looks && !copying->table->unseen ? APR_EOF : rv;
}

/* ---- Tables -----------------------------------------------------------------------------------
 */

static int make_table(copying_t *copying, int number)
{
    batch_sandbox_t *sandbox = copying->sandbox;
    apr_pool_t *p = sandbox->run->p;
    apr_array_header_t *columns = apr_array_make(p, 64, sizeof(const char *));
    apr_array_header_t *marks = apr_array_make(p, 64, sizeof(const char *));
    int code, i;

    APR_ARRAY_PUSH(columns, const char *) = "k";
    APR_ARRAY_PUSH(marks, const char *) = "?";
    for (i = 0; i < sandbox->names->nelts; i++) {
        APR_ARRAY_PUSH(columns, const char *) = apr_psprintf(p, ",n%d", i);
        APR_ARRAY_PUSH(marks, const char *) = ",?";
    }
    code = sqlite3_exec(
        sandbox->database,
        apr_psprintf(p, "CREATE TABLE t%d (%s)", number, apr_array_pstrcat(p, columns, 0)), NULL,
        NULL, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    return sqlite3_prepare_v2(
        sandbox->database,
        apr_psprintf(p, "INSERT INTO t%d VALUES (%s)", number, apr_array_pstrcat(p, marks, 0)), -1,
        &copying->insert, NULL);
}

/* Reads the form's records, or those that the query can be about. */
static apr_status_t read_records(copying_t *copying, const apr_array_header_t *more,
                                 apr_pool_t *ptemp)
{
    batch_sandbox_t *sandbox = copying->sandbox;
    const batch_query_schema_t *schema = sandbox->run->schema;
    apr_array_header_t *wheres = apr_array_make(ptemp, 2, sizeof(batch_where_t));
    int count = sandbox->names->nelts, i;
    const char **columns = apr_palloc(ptemp, ((apr_size_t)count + 2) * sizeof(*columns));
    batch_scan_t rows = {schema->resource->table, columns, 1, NULL, 0, sandbox->run->deadline};
    apr_status_t rv;

    columns[0] = schema->resource->key;
    for (i = 0; i < count; i++) {
        const batch_query_column_t *column = name_at(sandbox, i)->column;
        if (column) {
            copying->cells[i] = rows.column_count;
            columns[rows.column_count++] = column->column;
        }
    }
    if (schema->members && copying->has_members) {
        copying->member_cell = rows.column_count;
        columns[rows.column_count++] = schema->members;
    }
    batch_query_bind(wheres, sandbox->run, &copying->table->form_id);
    if (more) {
        apr_array_cat(wheres, more);
    }
    rows.wheres = (const batch_where_t *)wheres->elts;
    rows.where_count = wheres->nelts;
    rv = batch_query_scanned(sandbox->run,
                             batch_tx_scan(sandbox->tx, &rows, take_record, copying, ptemp));
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t copy_records(copying_t *copying, apr_pool_t *ptemp)
{
    batch_sandbox_table_t *table = copying->table;
    const apr_array_header_t *more = table->uses == 1 ? table->wheres : NULL;
    apr_status_t rv = APR_SUCCESS;

    if (!copying->sandbox->run->check_only) {
        rv = read_records(copying, more, ptemp);
        if (!more || !more->nelts) {
            return rv;
        }
    }
    if (rv == APR_SUCCESS && table->unseen) {
        copying->looks = 1; /* the other records may have what these have not */
        rv = read_records(copying, NULL, ptemp);
    }
    return rv;
}

static apr_status_t load(batch_sandbox_t *sandbox, int number, apr_pool_t *ptemp)
{
    apr_size_t count = (apr_size_t)sandbox->names->nelts + 1;
    copying_t copying = {.magic = COPYING_MAGIC,
                         .sandbox = sandbox,
                         .table = &APR_ARRAY_IDX(sandbox->tables, number, batch_sandbox_table_t),
                         .cells = apr_pcalloc(ptemp, count * sizeof(*copying.cells)),
                         .members = apr_pcalloc(ptemp, count * sizeof(*copying.members)),
                         .member_cell = -1};
    apr_status_t rv = APR_SUCCESS;
    int code = make_table(&copying, number), i;

    copying.table->seen = apr_pcalloc(sandbox->run->p, count);
    for (i = 0; i < sandbox->names->nelts; i++) {
        copying.table->unseen += !name_at(sandbox, i)->column;
    }
    copying.has_members = copying.table->unseen > 0;
    if (code == SQLITE_OK) {
        rv = copy_records(&copying, ptemp);
    }
    sqlite3_finalize(copying.insert);
    return code == SQLITE_OK ? rv : batch_sandbox_failed(sandbox, code);
}

/* ---- Forms ------------------------------------------------------------------------------------
 */

/* What the SELECT says of the forms in its FROM. */
static void note_wheres(batch_sandbox_t *sandbox, const batch_select_t *select,
                        const batch_source_t *source)
{
    batch_sandbox_table_t *table;

    if (source->type == BATCH_SOURCE_JOIN) {
        note_wheres(sandbox, select, source->left);
        note_wheres(sandbox, select, source->right);
    } else if (source->type == BATCH_SOURCE_FORM) {
        table = &APR_ARRAY_IDX(sandbox->tables, sandbox->table_of[source->number],
                               batch_sandbox_table_t);
        table->uses++;
        table->wheres = batch_query_wheres(select, source, sandbox->run->p);
    }
}

/* The table of a form, which may have been named before. */
static int table_of(batch_sandbox_t *sandbox, const char *form_id)
{
    batch_sandbox_table_t *table;
    int i;

    for (i = 0; i < sandbox->tables->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(sandbox->tables, i, batch_sandbox_table_t).form_id, form_id)) {
            return i;
        }
    }
    table = apr_array_push(sandbox->tables);
    memset(table, 0, sizeof(*table));
    table->form_id = form_id;
    return i;
}

apr_status_t batch_sandbox_load(batch_sandbox_t *sandbox, apr_pool_t *ptemp)
{
    batch_query_run_t *run = sandbox->run;
    const batch_statement_t *statement = run->statement;
    apr_status_t rv = find_names(sandbox) ? APR_SUCCESS : BATCH_EINVALID;
    const char *id;
    int i;

    sandbox->table_of =
        apr_pcalloc(run->p, ((apr_size_t)statement->sources + 1) * sizeof(*sandbox->table_of));
    for (i = 0; rv == APR_SUCCESS && i < statement->forms->nelts; i++) {
        const batch_source_t *form = APR_ARRAY_IDX(statement->forms, i, const batch_source_t *);

        id = run->query->form_id;
        if (form->form) {
            rv = batch_query_find_form(&id, run, sandbox->tx, form->form, ptemp);
        }
        if (rv == APR_SUCCESS) {
            sandbox->table_of[form->number] = table_of(sandbox, id);
        }
    }
    if (rv == APR_SUCCESS && run->fault) {
        run->text.fault = run->fault; /* all forms are there: so it is this */
        rv = BATCH_EINVALID;
    }
    for (i = 0; rv == APR_SUCCESS && i < statement->all->nelts; i++) {
        const batch_select_t *select = APR_ARRAY_IDX(statement->all, i, const batch_select_t *);

        if (select->from) {
            note_wheres(sandbox, select, select->from);
        }
    }
    for (i = 0; rv == APR_SUCCESS && i < sandbox->tables->nelts; i++) {
        rv = load(sandbox, i, ptemp);
    }
    return rv;
}

/* ---- What is known of members -----------------------------------------------------------------
 */

static int has_member(void *baton, const batch_source_t *form, const char *name)
{
    const batch_sandbox_t *sandbox = BATCH_CAST(const batch_sandbox_t, baton, BATCH_SANDBOX_MAGIC);
    const batch_sandbox_table_t *table = &APR_ARRAY_IDX(
        sandbox->tables, sandbox->table_of[form->number], const batch_sandbox_table_t);
    const int *place = apr_hash_get(sandbox->places, name, APR_HASH_KEY_STRING);

    if (!table->records) {
        return -1;
    }
    return place && table->seen[*place];
}

static void offer_members(void *baton, batch_near_t *near)
{
    const batch_sandbox_t *sandbox = BATCH_CAST(const batch_sandbox_t, baton, BATCH_SANDBOX_MAGIC);
    apr_hash_index_t *hi;

    for (hi = apr_hash_first(sandbox->run->p, sandbox->member_names); hi; hi = apr_hash_next(hi)) {
        const char *name = apr_hash_this_val(hi);
        batch_near_offer(near, name, strlen(name));
    }
}

batch_membership_t batch_sandbox_membership(batch_sandbox_t *sandbox)
{
    batch_membership_t membership = {has_member, offer_members, sandbox};

    return membership;
}
