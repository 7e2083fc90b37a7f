/* Forms, and the members of their records. */
#include "query/run.h"
#include "store/scan.h"

#include <string.h>

#include <apr_strings.h>

/* Bytes that decoding one record's names may take. */
#define MOST_PER_RECORD ((apr_size_t)4 * 1024 * 1024)

/* Bytes of a form's name that is compared without case. */
#define MOST_NAME 1024

/* Forms that fit in another case, of which a message names some. */
#define CASES_SHOWN 3

typedef struct form_search {
    const char *wanted; /* as the client wrote it */
    const char *folded; /* the same without case; NULL: it is in quotes */
    const char *by_id;  /* the form with that id */
    const char *by_name;
    int same_names;
    const char *by_case; /* one that has the name but for case */
    const char *cases;   /* these, for a message */
    int case_count;
    batch_near_t near;
    apr_pool_t *p;
    apr_pool_t *scratch; /* of one form */
} form_search_t;

/* The name without the case of its letters, of whatever script. */
static const char *fold_name(const char *name, apr_size_t length, apr_pool_t *p)
{
    batch_query_value_t text = batch_query_text_value(name, length);
    batch_query_room_t room = {.p = p, .most = MOST_PER_RECORD};
    batch_query_value_t upper = batch_query_fold(&text, 1, &room);
    batch_query_value_t folded;

    if (upper.kind != BATCH_QUERY_TEXT) {
        return "";
    }
    folded = batch_query_fold(&upper, 0, &room);
    return folded.kind == BATCH_QUERY_TEXT ? apr_pstrmemdup(p, folded.text, folded.length) : "";
}

static int is_text(const batch_cell_t *cell, const char *text)
{
    return cell->kind == BATCH_CELL_TEXT && strlen(text) == cell->length &&
           !memcmp(cell->text, text, cell->length);
}

/* A name that is not written as the wanted one: it may differ by case only, or be near. */
static void take_other_name(form_search_t *search, const char *id, const batch_cell_t *name)
{
    batch_near_offer(&search->near, name->text, name->length);
    if (!search->folded || !*search->folded || name->length > MOST_NAME ||
        strcmp(fold_name(name->text, name->length, search->scratch), search->folded) != 0) {
        return;
    }
    search->by_case = id;
    if (search->case_count++ < CASES_SHOWN) {
        search->cases = apr_psprintf(search->p, "%s%s\"%.*s\"", search->cases,
                                     *search->cases ? ", " : "", (int)name->length, name->text);
    }
}

static apr_status_t take_form(void *baton, const batch_cell_t *cells)
{
    form_search_t *search = baton;
    const char *id = NULL;

    apr_pool_clear(search->scratch);
    if (cells[0].kind == BATCH_CELL_TEXT) {
        id = apr_pstrmemdup(search->p, cells[0].text, cells[0].length);
    } else if (cells[0].kind == BATCH_CELL_INTEGER) {
        id = apr_psprintf(search->p, "%" APR_INT64_T_FMT, cells[0].integer);
    }
    if (!id) {
        return APR_SUCCESS;
    }
    if (!strcmp(id, search->wanted)) {
        search->by_id = id;
    }
    if (is_text(&cells[1], search->wanted)) {
        search->by_name = id;
        search->same_names++;
    } else if (cells[1].kind == BATCH_CELL_TEXT) {
        take_other_name(search, id, &cells[1]);
    }
    return APR_SUCCESS;
}

static void bind_column(apr_array_header_t *wheres, const char *column, const char *const *value)
{
    batch_where_t where = {column, value, 1};

    APR_ARRAY_PUSH(wheres, batch_where_t) = where;
}

apr_status_t batch_query_scanned(batch_query_run_t *run, apr_status_t rv)
{
    return rv == APR_TIMEUP ? batch_query_out_of_time(run) : rv;
}

/* Which form the search means: *id, or BATCH_EINVALID with a fault. */
static apr_status_t decide(const char **id, batch_query_run_t *run, const form_search_t *search,
                           int at)
{
    *id = search->by_id ? search->by_id : search->by_name;
    if (!search->by_id && search->same_names > 1) {
        batch_query_fault(&run->text, at,
                          "your organization has %d forms named \"%s\": say the id of one of them",
                          search->same_names, search->wanted);
        return BATCH_EINVALID;
    }
    if (!*id && search->case_count > 1) {
        batch_query_fault(&run->text, at,
                          "%s fits %d forms of your organization (%s%s): write the name as it is, "
                          "in double quotes, or the id",
                          search->wanted, search->case_count, search->cases,
                          search->case_count > CASES_SHOWN ? ", …" : "");
        return BATCH_EINVALID;
    }
    *id = *id ? *id : search->by_case;
    if (!*id) {
        batch_query_fault(&run->text, at, "your organization has no form \"%s\"%s", search->wanted,
                          batch_near_words(&search->near));
        return BATCH_EINVALID;
    }
    return APR_SUCCESS;
}

apr_status_t batch_query_find_form(const char **id, batch_query_run_t *run, batch_tx_t *tx,
                                   const batch_token_t *form, apr_pool_t *ptemp)
{
    const batch_resource_t *resource = run->query->resource;
    const char *columns[] = {resource->form_id,
                             resource->form_name ? resource->form_name : resource->form_id};
    apr_array_header_t *wheres = apr_array_make(ptemp, 1, sizeof(batch_where_t));
    form_search_t search = {.wanted = form->text, .cases = "", .p = run->p};
    batch_scan_t rows = {resource->form_table, columns, 2, NULL, 0, run->deadline};
    apr_status_t rv = apr_pool_create(&search.scratch, ptemp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (form->kind == BATCH_TOKEN_NAME) {
        search.wanted =
            apr_pstrmemdup(run->p, run->text.text + form->at, (apr_size_t)(form->end - form->at));
        search.folded = fold_name(search.wanted, strlen(search.wanted), run->p);
    }
    if (resource->form_scope) {
        bind_column(wheres, resource->form_scope, &run->query->organization);
    }
    rows.wheres = (const batch_where_t *)wheres->elts;
    rows.where_count = wheres->nelts;
    batch_near_init(&search.near, search.wanted, run->p);
    rv = batch_query_scanned(run, batch_tx_scan(tx, &rows, take_form, &search, ptemp));
    apr_pool_destroy(search.scratch);
    return rv == APR_SUCCESS ? decide(id, run, &search, form->at) : rv;
}

void batch_query_bind(apr_array_header_t *wheres, const batch_query_run_t *run,
                      const char *const *form_id)
{
    const batch_resource_t *resource = run->query->resource;

    if (resource->scope) {
        bind_column(wheres, resource->scope, &run->query->organization);
    }
    bind_column(wheres, resource->form_column, form_id);
}

/* ---- Members --------------------------------------------------------------------------------- */

typedef struct member_search {
    batch_query_run_t *run;
    batch_tx_t *tx;
    apr_array_header_t *members; /* of batch_member_t */
    int unseen;
    int records;
    batch_near_t near; /* of the first that is unseen */
    batch_query_room_t room;
} member_search_t;

/* A batch_query_look_fn. */
static apr_status_t look(void *baton)
{
    const member_search_t *search = baton;

    return batch_tx_go_on(search->tx, search->run->deadline);
}

static int take_member(void *baton, const char *name, apr_size_t name_length, const char *value,
                       apr_size_t length)
{
    member_search_t *search = baton;
    int i;

    (void)value;
    (void)length;
    for (i = 0; i < search->members->nelts; i++) {
        batch_member_t *member = &APR_ARRAY_IDX(search->members, i, batch_member_t);

        if (!member->seen && member->length == name_length &&
            !memcmp(member->name, name, name_length)) {
            member->seen = 1;
            search->unseen--;
        }
    }
    batch_near_offer(&search->near, name, name_length);
    /* To compare with all, and to see how near it is. */
    return batch_query_work(&search->room, (apr_size_t)search->members->nelts + 256);
}

static apr_status_t take_names(void *baton, const batch_cell_t *cells)
{
    member_search_t *search = baton;

    search->records++;
    if (cells[0].kind == BATCH_CELL_TEXT) {
        batch_query_members(cells[0].text, cells[0].length, take_member, search, &search->room);
    }
    if (search->room.stopped != APR_SUCCESS) {
        return search->room.stopped;
    }
    search->room.used = 0;
    search->room.over = 0;
    apr_pool_clear(search->room.p);
    return search->unseen ? APR_SUCCESS : APR_EOF;
}

static batch_member_t *first_unseen(const apr_array_header_t *members)
{
    int i;

    for (i = 0; i < members->nelts; i++) {
        batch_member_t *member = &APR_ARRAY_IDX(members, i, batch_member_t);
        if (!member->seen) {
            return member;
        }
    }
    return NULL;
}

static apr_status_t unknown_member(batch_query_run_t *run, member_search_t *search)
{
    const batch_member_t *member = first_unseen(search->members);
    batch_near_t near = search->near;
    int i;

    if (strcmp(near.wanted, member->name) != 0) {
        batch_near_init(&near, member->name, run->p); /* it was found, another was not */
    }
    for (i = 0; i < run->schema->columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(run->schema->columns, i, batch_query_column_t).name;
        batch_near_offer(&near, name, strlen(name));
    }
    batch_query_fault(&run->text, member->at,
                      "there is no column \"%s\", and no record of the form has a member of that "
                      "name%s",
                      member->name, batch_near_words(&near));
    return BATCH_EINVALID;
}

apr_status_t batch_query_find_members(batch_query_run_t *run, batch_tx_t *tx,
                                      apr_array_header_t *members, const char *form_id,
                                      apr_pool_t *ptemp)
{
    apr_array_header_t *wheres = apr_array_make(ptemp, 2, sizeof(batch_where_t));
    member_search_t search = {
        .run = run, .tx = tx, .members = members, .room = {.most = MOST_PER_RECORD, .look = look}};
    batch_scan_t rows = {
        run->query->resource->table, &run->schema->members, 1, NULL, 0, run->deadline};
    const batch_member_t *first = first_unseen(members);
    apr_status_t rv;
    int i;

    if (!first) {
        return APR_SUCCESS;
    }
    for (i = 0; i < members->nelts; i++) {
        search.unseen += !APR_ARRAY_IDX(members, i, batch_member_t).seen;
    }
    rv = apr_pool_create(&search.room.p, ptemp);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    search.room.baton = &search;
    batch_near_init(&search.near, first->name, run->p);
    batch_query_bind(wheres, run, &form_id);
    rows.wheres = (const batch_where_t *)wheres->elts;
    rows.where_count = wheres->nelts;
    rv = batch_query_scanned(run, batch_tx_scan(tx, &rows, take_names, &search, ptemp));
    if (rv == APR_EOF) {
        rv = APR_SUCCESS;
    }
    apr_pool_destroy(search.room.p);
    return rv == APR_SUCCESS && search.unseen && search.records ? unknown_member(run, &search) : rv;
}
