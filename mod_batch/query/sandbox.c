/*
 * The second way: a private SQLite database in memory with a copy of the forms' records.
 *
 * What guards it: the text is put together here (sandbox_text.c); an authorizer that lets through
 * nothing but reading the copies and calling what is listed; SQLite's own limits; a progress
 * handler that looks at clock and memory; and that there is nothing in it that the caller may not
 * see.
 */
#include "query/sandbox.h"
#include "store/walk.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "query/share.h"

#define STEPS           1000
#define MOST_PER_RECORD ((apr_size_t)16 * 1024 * 1024)
#define MOST_LENGTH     (1024 * 1024) /* of a text */
#define PAGE_SIZE       4096
#define TRIM_BEYOND     (2 * 1024 * 1024)
#define MOST_NEAR       2000 /* names of members that are offered */

/* What values a member has had. */
#define HAD_TEXT   1
#define HAD_NUMBER 2
#define HAD_OTHER  4

typedef struct sandbox {
    batch_query_run_t *run;
    batch_tx_t *tx;
    batch_sandbox_text_t text;
    sqlite3 *database;
    batch_query_room_t room;  /* of one record, then of one function's call */
    sqlite3_int64 peak;       /* of what it took beside that, as far as it was seen */
    sqlite3_int64 memory;     /* that SQLite had before */
    apr_status_t stopped;     /* why the progress handler stopped it */
    apr_int64_t rows;         /* copied so far */
    const char **loaded;      /* by name: the id of the form that is here, NULL = none */
    unsigned char *had;       /* by name: HAD_… */
    apr_hash_t *member_names; /* to be offered for an unknown name */
    /* While a form is copied: */
    sqlite3_stmt *insert;
    int *columns;                 /* by name: its cell, or -1 */
    batch_query_value_t *members; /* by name */
    unsigned char *seen;          /* by name: a record of this form has it */
    apr_int64_t records;          /* of this form */
    int member_cell;              /* -1 = none */
} sandbox_t;

static batch_sandbox_name_t *name_at(const sandbox_t *sandbox, int name)
{
    return &APR_ARRAY_IDX(sandbox->text.names, name, batch_sandbox_name_t);
}

/* ---- The database ---------------------------------------------------------------------------- */

static int watch(void *baton)
{
    sandbox_t *sandbox = baton;
    sqlite3_int64 used = sqlite3_memory_used() - sandbox->memory;

    sandbox->peak = used > sandbox->peak ? used : sandbox->peak;
    sandbox->stopped = batch_tx_go_on(sandbox->tx, sandbox->run->deadline);
    if (sandbox->stopped == APR_SUCCESS) {
        switch (batch_share_look(sandbox->run->query->limits->query_memory)) {
        case BATCH_SHARE_MINE:
            sandbox->stopped = BATCH_ETOOLARGE;
            break;
        case BATCH_SHARE_OURS:
            sandbox->stopped = BATCH_ECROWDED;
            break;
        default:
            break;
        }
    }
    return sandbox->stopped != APR_SUCCESS;
}

/* The same for what SQLite waits for: our functions. A batch_query_look_fn. */
static apr_status_t look(void *baton)
{
    sandbox_t *sandbox = baton;

    (void)watch(sandbox);
    return sandbox->stopped;
}

static int authorize(void *baton, int action, const char *first, const char *second,
                     const char *database, const char *inner)
{
    (void)baton;
    (void)database;
    (void)inner;
    switch (action) {
    case SQLITE_SELECT:
        return SQLITE_OK;
    case SQLITE_READ:
        /* Ours: n1 and t1; or what SQLite calls the rows of a subquery. */
        return first && (!*first || ((*first == 'n' || *first == 't') && apr_isdigit(first[1])))
                   ? SQLITE_OK
                   : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return second && batch_sandbox_may_call(second) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static void set_limits(sqlite3 *database)
{
    static const struct {
        int limit;
        int value;
    } limits[] = {{SQLITE_LIMIT_LENGTH, MOST_LENGTH},
                  {SQLITE_LIMIT_SQL_LENGTH, 4 * BATCH_QUERY_BYTES},
                  {SQLITE_LIMIT_COLUMN, 250},
                  {SQLITE_LIMIT_EXPR_DEPTH, 200},
                  {SQLITE_LIMIT_COMPOUND_SELECT, 16},
                  {SQLITE_LIMIT_VDBE_OP, 100000},
                  {SQLITE_LIMIT_FUNCTION_ARG, 32},
                  {SQLITE_LIMIT_ATTACHED, 0},
                  {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
                  {SQLITE_LIMIT_VARIABLE_NUMBER, 250},
                  {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
                  {SQLITE_LIMIT_WORKER_THREADS, 0}};
    size_t i;

    for (i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        sqlite3_limit(database, limits[i].limit, limits[i].value);
    }
}

int batch_sandbox_harden(sqlite3 *database)
{
    static const struct {
        int option;
        int value;
    } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_DQS_DML, 0},
                   {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                   {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                   {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0}};
    int code = SQLITE_OK;
    size_t i;

    for (i = 0; code == SQLITE_OK && i < sizeof(options) / sizeof(*options); i++) {
        code = sqlite3_db_config(database, options[i].option, options[i].value, NULL);
    }
    set_limits(database);
    return code == SQLITE_OK ? sqlite3_set_authorizer(database, authorize, NULL) : code;
}

static int set_up(sandbox_t *sandbox)
{
    int code = sqlite3_exec(sandbox->database,
                            apr_psprintf(sandbox->run->p,
                                         "PRAGMA temp_store = MEMORY; PRAGMA journal_mode = OFF;"
                                         "PRAGMA max_page_count = %" APR_INT64_T_FMT,
                                         sandbox->run->query->limits->query_memory / PAGE_SIZE),
                            NULL, NULL, NULL);

    return code == SQLITE_OK ? batch_sandbox_functions(sandbox->database, &sandbox->room) : code;
}

/* What a code of SQLite's means that is not the query's fault. */
static apr_status_t failed(sandbox_t *sandbox, int code)
{
    batch_query_run_t *run = sandbox->run;

    if (sandbox->stopped == BATCH_EUNAVAILABLE || sandbox->stopped == BATCH_ECROWDED) {
        return sandbox->stopped;
    }
    if (sandbox->stopped == APR_TIMEUP) {
        return batch_query_out_of_time(run);
    }
    switch (code & 0xff) {
    case SQLITE_NOMEM: /* also of a statement that would have too many steps */
    case SQLITE_FULL:  /* of the pages that its own copies may have */
        return batch_query_out_of_memory(run);
    case SQLITE_TOOBIG:
        return batch_query_problem(run,
                                   "meets a text of more than %d bytes, which a query with "
                                   "joins, subqueries or groups cannot work with",
                                   MOST_LENGTH);
    default:
        return sandbox->stopped == BATCH_ETOOLARGE
                   ? batch_query_out_of_memory(run)
                   : batch_query_problem(run, "cannot be run: %s",
                                         sqlite3_errmsg(sandbox->database));
    }
}

/* ---- Copying --------------------------------------------------------------------------------- */

static int take_member(void *baton, const char *name, apr_size_t name_length, const char *value,
                       apr_size_t length)
{
    sandbox_t *sandbox = baton;
    int i;

    for (i = 0; i < sandbox->text.names->nelts; i++) {
        const batch_sandbox_name_t *wanted = name_at(sandbox, i);

        if (!wanted->column && strlen(wanted->name) == name_length &&
            !memcmp(wanted->name, name, name_length)) {
            sandbox->members[i] = batch_query_member_value(value, length, &sandbox->room);
            sandbox->seen[i] = 1;
            sandbox->had[i] |= sandbox->members[i].kind == BATCH_QUERY_TEXT ? HAD_TEXT
                               : sandbox->members[i].kind == BATCH_QUERY_INTEGER ||
                                       sandbox->members[i].kind == BATCH_QUERY_NUMBER
                                   ? HAD_NUMBER
                                   : HAD_OTHER * (sandbox->members[i].kind != BATCH_QUERY_NULL);
        }
    }
    if (name_length < 64 && apr_hash_count(sandbox->member_names) < MOST_NEAR &&
        !apr_hash_get(sandbox->member_names, name, (apr_ssize_t)name_length)) {
        const char *copy = apr_pstrmemdup(sandbox->run->p, name, name_length);
        apr_hash_set(sandbox->member_names, copy, (apr_ssize_t)name_length, copy);
    }
    return batch_query_work(&sandbox->room, (apr_size_t)sandbox->text.names->nelts);
}

static int insert(sandbox_t *sandbox, const batch_cell_t *cells)
{
    batch_query_value_t value = batch_query_cell(&cells[0], BATCH_QUERY_TEXT, &sandbox->room);
    int code = batch_sandbox_bind(sandbox->insert, 1, &value), i;

    for (i = 0; code == SQLITE_OK && i < sandbox->text.names->nelts; i++) {
        const batch_sandbox_name_t *name = name_at(sandbox, i);

        value = name->column ? batch_query_cell(&cells[sandbox->columns[i]], name->column->kind,
                                                &sandbox->room)
                             : sandbox->members[i];
        code = batch_sandbox_bind(sandbox->insert, i + 2, &value);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(sandbox->insert);
        code = code == SQLITE_DONE ? SQLITE_OK : code;
    }
    sqlite3_reset(sandbox->insert);
    return code;
}

static apr_status_t take_record(void *baton, const batch_cell_t *cells)
{
    sandbox_t *sandbox = baton;
    batch_query_run_t *run = sandbox->run;
    int code, i;

    for (i = 0; i < sandbox->text.names->nelts; i++) {
        sandbox->members[i].kind = BATCH_QUERY_NULL;
    }
    if (sandbox->member_cell >= 0 && cells[sandbox->member_cell].kind == BATCH_CELL_TEXT) {
        batch_query_members(cells[sandbox->member_cell].text, cells[sandbox->member_cell].length,
                            take_member, sandbox, &sandbox->room);
    }
    sandbox->records++;
    if (!run->check_only) {
        if (++sandbox->rows > run->query->limits->query_rows) {
            return batch_query_problem(
                run,
                "has to copy more than %" APR_INT64_T_FMT " records, the limit of this server "
                "(BatchQueryRows): a query over one form without subqueries and groups has no such "
                "limit",
                run->query->limits->query_rows);
        }
        code = insert(sandbox, cells);
        if (code != SQLITE_OK) {
            return failed(sandbox, code);
        }
    }
    (void)batch_query_work(&sandbox->room, 64);
    if (sandbox->room.stopped != APR_SUCCESS) {
        return sandbox->room.stopped == BATCH_ETOOLARGE ? batch_query_out_of_memory(run)
                                                        : sandbox->room.stopped;
    }
    if (sandbox->room.over) {
        return batch_query_problem(run, "takes more work for a single record than is allowed");
    }
    sandbox->room.used = 0;
    if (sandbox->room.dirty) {
        apr_pool_clear(sandbox->room.p);
        sandbox->room.dirty = 0;
    }
    return APR_SUCCESS;
}

/* The table, with a column for each name that could be a member. */
static int make_table(sandbox_t *sandbox, int form)
{
    apr_pool_t *p = sandbox->run->p;
    const char *columns = "k", *marks = "?";
    int code, i;

    for (i = 0; i < sandbox->text.names->nelts; i++) {
        columns = apr_psprintf(p, "%s,n%d", columns, i);
        marks = apr_pstrcat(p, marks, ",?", NULL);
    }
    code = sqlite3_exec(sandbox->database, apr_psprintf(p, "CREATE TABLE t%d (%s)", form, columns),
                        NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_prepare_v2(sandbox->database,
                                  apr_psprintf(p, "INSERT INTO t%d VALUES (%s)", form, marks), -1,
                                  &sandbox->insert, NULL);
    }
    return code;
}

/* What the query sees of it: the columns that there are. */
static int make_view(const sandbox_t *sandbox, int form)
{
    apr_pool_t *p = sandbox->run->p;
    const char *columns = "k";
    int i;

    for (i = 0; i < sandbox->text.names->nelts; i++) {
        if (name_at(sandbox, i)->column || sandbox->seen[i] || !sandbox->records) {
            columns = apr_psprintf(p, "%s,n%d", columns, i);
        }
    }
    return sqlite3_exec(
        sandbox->database,
        apr_psprintf(p, "CREATE VIEW n%d AS SELECT %s FROM t%d", form, columns, form), NULL, NULL,
        NULL);
}

static apr_status_t copy_records(sandbox_t *sandbox, const char *form_id, apr_pool_t *ptemp)
{
    const batch_query_schema_t *schema = sandbox->run->schema;
    apr_array_header_t *wheres = apr_array_make(ptemp, 2, sizeof(batch_where_t));
    int count = sandbox->text.names->nelts, i;
    const char **columns = apr_palloc(ptemp, ((apr_size_t)count + 2) * sizeof(*columns));
    batch_walk_t walk = {schema->resource->table, columns, 1, NULL, 0, sandbox->run->deadline};

    columns[0] = schema->resource->key;
    for (i = 0; i < count; i++) {
        const batch_query_column_t *column = name_at(sandbox, i)->column;
        if (column) {
            sandbox->columns[i] = walk.column_count;
            columns[walk.column_count++] = column->column;
        }
    }
    sandbox->member_cell = -1;
    if (schema->members) {
        sandbox->member_cell = walk.column_count;
        columns[walk.column_count++] = schema->members;
    }
    batch_query_bind(wheres, sandbox->run, &form_id);
    walk.wheres = (const batch_where_t *)wheres->elts;
    walk.where_count = wheres->nelts;
    return batch_query_walked(sandbox->run,
                              batch_tx_walk(sandbox->tx, &walk, take_record, sandbox, ptemp));
}

static apr_status_t load(sandbox_t *sandbox, int form, const char *form_id, apr_pool_t *ptemp)
{
    apr_status_t rv = APR_SUCCESS;
    int code;

    if (sandbox->loaded[form]) {
        return APR_SUCCESS;
    }
    sandbox->loaded[form] = form_id;
    sandbox->records = 0;
    memset(sandbox->seen, 0, (apr_size_t)sandbox->text.names->nelts);
    code = make_table(sandbox, form);
    if (code == SQLITE_OK) {
        rv = copy_records(sandbox, form_id, ptemp);
    }
    sqlite3_finalize(sandbox->insert);
    sandbox->insert = NULL;
    if (code == SQLITE_OK && rv == APR_SUCCESS) {
        code = make_view(sandbox, form);
    }
    return code == SQLITE_OK ? rv : failed(sandbox, code);
}

static apr_status_t load_all(sandbox_t *sandbox, apr_pool_t *ptemp)
{
    batch_query_run_t *run = sandbox->run;
    apr_status_t rv = APR_SUCCESS;
    const char *id;
    int i;

    if (run->text.tokens->word != BATCH_WORD_SELECT) {
        rv = load(sandbox, BATCH_SANDBOX_OWN, run->query->form_id, ptemp);
    }
    for (i = 0; rv == APR_SUCCESS && i < sandbox->text.sources->nelts; i++) {
        const batch_sandbox_source_t *source =
            &APR_ARRAY_IDX(sandbox->text.sources, i, batch_sandbox_source_t);

        rv = batch_query_find_form(&id, run, sandbox->tx, source->token, ptemp);
        if (rv == APR_SUCCESS && sandbox->loaded[source->name] &&
            strcmp(sandbox->loaded[source->name], id) != 0) {
            /* A name means one thing in a query, and these two differ by case only. */
            batch_query_fault(&run->text, source->token->at,
                              "\"%s\" is another form here than before: write the names of both "
                              "in double quotes",
                              batch_query_found(&run->text, source->token));
            return BATCH_EINVALID;
        }
        if (rv == BATCH_EINVALID && !source->certain && !run->problem) {
            run->text.fault = NULL; /* it stands for something else there */
            rv = APR_SUCCESS;
        } else if (rv == APR_SUCCESS) {
            rv = load(sandbox, source->name, id, ptemp);
        }
    }
    return rv;
}

/* ---- Faults that SQLite finds -----------------------------------------------------------------
 */

/* Where in the client's text a place of the composed one comes from. */
static int place_of(const sandbox_t *sandbox, int offset)
{
    int at = 0, i;

    for (i = 0; i < sandbox->text.offsets->nelts; i++) {
        if (APR_ARRAY_IDX(sandbox->text.offsets, i, int) <= offset) {
            at = APR_ARRAY_IDX(sandbox->text.places, i, int);
        }
    }
    return at;
}

/* SQLite's words with the client's names in them. *name: the last of those. */
static const char *translate(const sandbox_t *sandbox, const char *words, int *name)
{
    apr_pool_t *p = sandbox->run->p;
    const char *result = "", *from = words;

    *name = -1;
    for (; *words; words++) {
        int begins = *words == 'n' && apr_isdigit(words[1]) &&
                     (words == from || !(apr_isalnum(words[-1]) || words[-1] == '_'));
        int number = begins ? (int)strtol(words + 1, NULL, 10) : -1;
        const char *end = words + 1;

        if (!begins || number >= sandbox->text.names->nelts) {
            result = apr_pstrcat(p, result, apr_pstrmemdup(p, words, 1), NULL);
            continue;
        }
        while (apr_isdigit(*end)) {
            end++;
        }
        *name = number;
        result = apr_pstrcat(p, result, *end == '"' ? "" : "\"", name_at(sandbox, number)->name,
                             *end == '"' ? "" : "\"", NULL);
        words = end - 1;
    }
    return result;
}

static const char *near_words(const sandbox_t *sandbox, const char *wanted)
{
    apr_pool_t *p = sandbox->run->p;
    batch_near_t near;
    apr_hash_index_t *hi;
    int i;

    batch_near_init(&near, wanted, p);
    for (i = 0; i < sandbox->run->schema->columns->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(sandbox->run->schema->columns, i, batch_query_column_t).name;
        batch_near_offer(&near, name, strlen(name));
    }
    for (hi = apr_hash_first(p, sandbox->member_names); hi; hi = apr_hash_next(hi)) {
        const char *name = apr_hash_this_val(hi);
        batch_near_offer(&near, name, strlen(name));
    }
    return batch_near_words(&near);
}

static apr_status_t wrong(sandbox_t *sandbox)
{
    const char *words = sqlite3_errmsg(sandbox->database);
    int offset = sqlite3_error_offset(sandbox->database), name;
    const char *sentence = translate(sandbox, words, &name);
    int unknown = name >= 0 && !strncmp(words, "no such column", 14);
    int at = offset >= 0 ? place_of(sandbox, offset) : name >= 0 ? name_at(sandbox, name)->at : 0;

    batch_query_fault(&sandbox->run->text, at, "%s%s", sentence,
                      unknown ? near_words(sandbox, name_at(sandbox, name)->name) : "");
    return BATCH_EINVALID;
}

/* A member of texts next to a number: SQLite would say that every text is the greater one. */
static int texts_meet_numbers(sandbox_t *sandbox)
{
    batch_query_text_t *text = &sandbox->run->text;
    int i, name;

    for (i = 1; i + 1 < text->count; i++) {
        const batch_token_t *token = &text->tokens[i];
        int compares = token->kind == BATCH_TOKEN_SYMBOL && strchr("<>=!", *token->text) != NULL;
        const batch_token_t *left = token - 1, *right = token + 1;
        const batch_token_t *named = left, *number = right;

        if (left->kind == BATCH_TOKEN_INTEGER || left->kind == BATCH_TOKEN_NUMBER) {
            named = right;
            number = left;
        }
        if (batch_token_is(number, "-") && number == right) {
            number++;
        }
        if (!compares || !batch_token_is_name(named) ||
            (number->kind != BATCH_TOKEN_INTEGER && number->kind != BATCH_TOKEN_NUMBER)) {
            continue;
        }
        for (name = 0; name < sandbox->text.names->nelts; name++) {
            if ((sandbox->had[name] & HAD_TEXT) && !name_at(sandbox, name)->column &&
                !strcmp(name_at(sandbox, name)->name, named->text)) {
                return !batch_query_fault(text, named->at,
                                          "\"%s\" has texts, which are not compared with a number "
                                          "here: use CAST(%s AS numeric)",
                                          named->text, named->text);
            }
        }
    }
    return 0;
}

/* ---- Running --------------------------------------------------------------------------------- */

/* The column that is the id, or -1 with a fault. */
static int id_column(sandbox_t *sandbox, sqlite3_stmt *statement)
{
    int found = -1, i;

    for (i = 0; i < sqlite3_column_count(statement); i++) {
        const char *name = sqlite3_column_name(statement, i);

        if (!name || strcmp(name, "n0") != 0) {
            continue;
        }
        if (found >= 0) {
            batch_query_fault(&sandbox->run->text, 0,
                              "the result has several columns named id, expected one");
            return -1;
        }
        found = i;
    }
    if (found < 0) {
        batch_query_fault(
            &sandbox->run->text, 0, "the result has no column named id: select \"%s AS id\"",
            APR_ARRAY_IDX(sandbox->run->schema->columns, 0, batch_query_column_t).name);
    }
    return found;
}

static apr_status_t take_rows(sandbox_t *sandbox, sqlite3_stmt *statement, int column)
{
    apr_status_t rv = APR_SUCCESS;
    int code = SQLITE_DONE;

    while (rv == APR_SUCCESS && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        batch_query_value_t id = {.kind = BATCH_QUERY_NULL};
        const char *text = (const char *)sqlite3_column_text(statement, column);

        if (text) {
            id = batch_query_text_value(text, (apr_size_t)sqlite3_column_bytes(statement, column));
        }
        rv = batch_query_ids_add(sandbox->run, &id);
    }
    return code == SQLITE_ROW || code == SQLITE_DONE ? rv : failed(sandbox, code);
}

static apr_status_t run_statement(sandbox_t *sandbox)
{
    sqlite3_stmt *statement = NULL;
    const char *tail = NULL;
    apr_status_t rv = BATCH_EINVALID;
    int column;

    batch_query_ids_init(sandbox->run, 0);
    if (texts_meet_numbers(sandbox)) {
        return BATCH_EINVALID;
    }
    if (batch_sandbox_harden(sandbox->database) != SQLITE_OK) {
        return failed(sandbox, SQLITE_ERROR);
    }
    if (sqlite3_prepare_v3(sandbox->database, sandbox->text.sql, -1, 0, &statement, &tail) !=
            SQLITE_OK ||
        !statement || (tail && *tail) || !sqlite3_stmt_readonly(statement)) {
        rv = sqlite3_errcode(sandbox->database) == SQLITE_NOMEM ? failed(sandbox, SQLITE_NOMEM)
                                                                : wrong(sandbox);
        goto cleanup;
    }
    column = id_column(sandbox, statement);
    if (column < 0) {
        goto cleanup;
    }
    rv = sandbox->run->check_only ? APR_SUCCESS : take_rows(sandbox, statement, column);

cleanup:
    sqlite3_finalize(statement);
    return rv;
}

static apr_status_t open_and_run(sandbox_t *sandbox, apr_pool_t *ptemp)
{
    int code = sqlite3_open_v2(":memory:", &sandbox->database,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY |
                                   SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                               NULL);
    apr_status_t rv;

    if (code == SQLITE_OK) {
        code = set_up(sandbox);
    }
    if (code != SQLITE_OK) {
        return failed(sandbox, code);
    }
    sqlite3_progress_handler(sandbox->database, STEPS, watch, sandbox);
    rv = load_all(sandbox, ptemp);
    return rv == APR_SUCCESS ? run_statement(sandbox) : rv;
}

int batch_query_sandbox_admits(batch_query_run_t *run)
{
    batch_sandbox_text_t text;

    return batch_sandbox_compose(&text, run);
}

apr_status_t batch_query_sandbox(batch_query_run_t *run, batch_tx_t *tx, apr_pool_t *ptemp)
{
    sandbox_t *sandbox = apr_pcalloc(ptemp, sizeof(*sandbox));
    apr_status_t rv = apr_pool_create(&sandbox->room.p, ptemp);
    apr_size_t count;

    sandbox->run = run;
    sandbox->tx = tx;
    sandbox->room.most = MOST_PER_RECORD;
    sandbox->room.look = look;
    sandbox->room.baton = sandbox;
    sandbox->member_names = apr_hash_make(run->p);
    if (rv != APR_SUCCESS || !batch_sandbox_compose(&sandbox->text, run)) {
        return BATCH_EINVALID;
    }
    count = (apr_size_t)sandbox->text.names->nelts;
    sandbox->loaded = apr_pcalloc(ptemp, count * sizeof(*sandbox->loaded));
    sandbox->had = apr_pcalloc(ptemp, count);
    sandbox->seen = apr_pcalloc(ptemp, count);
    sandbox->columns = apr_pcalloc(ptemp, count * sizeof(*sandbox->columns));
    sandbox->members = apr_pcalloc(ptemp, count * sizeof(*sandbox->members));
    batch_share_enter();
    sandbox->memory = sqlite3_memory_used();
    rv = open_and_run(sandbox, ptemp);
    sqlite3_close(sandbox->database);
    batch_share_leave();
#ifdef __GLIBC__
    if (sandbox->peak > TRIM_BEYOND) {
        malloc_trim(0); /* the library keeps what is free between what is used */
    }
#endif
    return rv;
}
