/* Forms, and the members of their records. */
#include "query/run.h"

#include <string.h>

#include <apr_strings.h>

/* Bytes that decoding one record's names may take. */
#define MOST_PER_RECORD ((apr_size_t)4 * 1024 * 1024)

typedef struct form_search {
    const char *wanted;
    const char *by_id;   /* the form with that id */
    const char *by_name; /* the form with that name */
    int same_names;
    batch_near_t near;
    apr_pool_t *p;
} form_search_t;

static int is_text(const batch_cell_t *cell, const char *text)
{
    return cell->kind == BATCH_CELL_TEXT && strlen(text) == cell->length &&
           !memcmp(cell->text, text, cell->length);
}

static apr_status_t take_form(void *baton, const batch_cell_t *cells)
{
    form_search_t *search = baton;
    const char *id = NULL;

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
        batch_near_offer(&search->near, cells[1].text, cells[1].length);
    }
    return APR_SUCCESS;
}

static void bind_column(apr_array_header_t *wheres, const char *column, const char *const *value)
{
    batch_where_t where = {column, value, 1};

    APR_ARRAY_PUSH(wheres, batch_where_t) = where;
}

apr_status_t batch_query_walked(batch_query_run_t *run, apr_status_t rv)
{
    return rv == APR_TIMEUP ? batch_query_out_of_time(run) : rv;
}

apr_status_t batch_query_find_form(const char **id, batch_query_run_t *run, batch_tx_t *tx,
                                   const char *form, int at, apr_pool_t *ptemp)
{
    const batch_resource_t *resource = run->query->resource;
    const char *columns[] = {resource->form_id,
                             resource->form_name ? resource->form_name : resource->form_id};
    apr_array_header_t *wheres = apr_array_make(ptemp, 1, sizeof(batch_where_t));
    form_search_t search = {.wanted = form, .p = run->p};
    batch_walk_t walk = {resource->form_table, columns, 2, NULL, 0, run->deadline};
    apr_status_t rv;

    if (resource->form_scope) {
        bind_column(wheres, resource->form_scope, &run->query->organization);
    }
    walk.wheres = (const batch_where_t *)wheres->elts;
    walk.where_count = wheres->nelts;
    batch_near_init(&search.near, form, run->p);
    rv = batch_query_walked(run, batch_tx_walk(tx, &walk, take_form, &search, ptemp));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *id = search.by_id ? search.by_id : search.by_name;
    if (!search.by_id && search.same_names > 1) {
        batch_query_fault(&run->text, at,
                          "your organization has %d forms named \"%s\": say the id of one of them",
                          search.same_names, form);
        return BATCH_EINVALID;
    }
    if (!*id) {
        batch_query_fault(&run->text, at, "your organization has no form \"%s\"%s", form,
                          batch_near_words(&search.near));
        return BATCH_EINVALID;
    }
    return APR_SUCCESS;
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
    apr_array_header_t *members; /* of batch_member_t */
    int unseen;
    int records;
    batch_near_t near; /* of the first that is unseen */
    batch_query_room_t room;
} member_search_t;

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
    return 1;
}

static apr_status_t take_names(void *baton, const batch_cell_t *cells)
{
    member_search_t *search = baton;

    search->records++;
    if (cells[0].kind == BATCH_CELL_TEXT) {
        batch_query_members(cells[0].text, cells[0].length, take_member, search, &search->room);
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
    member_search_t search = {.members = members, .room = {.most = MOST_PER_RECORD}};
    batch_walk_t walk = {
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
    batch_near_init(&search.near, first->name, run->p);
    batch_query_bind(wheres, run, &form_id);
    walk.wheres = (const batch_where_t *)wheres->elts;
    walk.where_count = wheres->nelts;
    rv = batch_query_walked(run, batch_tx_walk(tx, &walk, take_names, &search, ptemp));
    if (rv == APR_EOF) {
        rv = APR_SUCCESS;
    }
    apr_pool_destroy(search.room.p);
    return rv == APR_SUCCESS && search.unseen && search.records ? unknown_member(run, &search) : rv;
}
