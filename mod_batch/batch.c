/* The vocabulary: words, errors, and the small things that several rooms need. */
#include "batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_general.h>
#include <apr_allocator.h>
#include <apr_atomic.h>
#include <apr_strings.h>

/* ---- Errors ------------------------------------------------------------------------------- */

/* The C library's formats, which the compiler checks; apr_pvsprintf knows others. */
static const char *format_message(apr_pool_t *p, const char *fmt, va_list arguments)
{
    va_list again;
    char *text;
    int length;

    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (length < 0) {
        return "";
    }
    text = apr_palloc(p, (apr_size_t)length + 1);
    vsnprintf(text, (apr_size_t)length + 1, fmt, arguments);
    return text;
}

apr_status_t batch_error_set(batch_error_t *err, apr_status_t status, const char *tag,
                             apr_pool_t *p, const char *fmt, ...)
{
    va_list arguments;

    if (err) {
        err->status = status;
        err->tag = tag;
        err->line = 0;
        err->column = 0;
        va_start(arguments, fmt);
        err->message = format_message(p, fmt, arguments);
        va_end(arguments);
    }
    return status;
}

batch_problems_t *batch_problems_make(apr_pool_t *p)
{
    return apr_array_make(p, 4, sizeof(batch_problem_t));
}

void batch_problem_add(batch_problems_t *problems, const char *field, const char *fmt, ...)
{
    batch_problem_t *problem = apr_array_push(problems);
    va_list arguments;

    problem->field = field;
    problem->line = 0;
    va_start(arguments, fmt);
    problem->message = format_message(problems->pool, fmt, arguments);
    va_end(arguments);
}

int batch_problem_reported(const batch_problems_t *problems, const char *field)
{
    int i;

    for (i = 0; i < problems->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(problems, i, batch_problem_t).field, field)) {
            return 1;
        }
    }
    return 0;
}

const batch_value_t *batch_value_find(const batch_value_t *values, int count, const char *name)
{
    int i;

    for (i = 0; i < count; i++) {
        if (!strcmp(values[i].name, name)) {
            return &values[i];
        }
    }
    return NULL;
}

/* ---- Words --------------------------------------------------------------------------------- */

#define BATCH_WORD_ENTRY(symbol, word) word,

static const char *word_of(const char *const *words, int count, int symbol)
{
    return symbol >= 0 && symbol < count ? words[symbol] : "unknown";
}

static int symbol_of(const char *const *words, int count, const char *word)
{
    int symbol;

    for (symbol = 0; word && symbol < count; symbol++) {
        if (!strcmp(words[symbol], word)) {
            return symbol;
        }
    }
    return -1;
}

/* batch_X_name and batch_X_parse of words that a list gives (batch.h). */
#define BATCH_WORDS(x, list, count)                                                                \
    static const char *const x##_words[] = {list(BATCH_WORD_ENTRY)};                               \
    const char *batch_##x##_name(batch_##x##_e symbol)                                             \
    {                                                                                              \
        return word_of(x##_words, count, (int)symbol);                                             \
    }                                                                                              \
    int batch_##x##_parse(const char *word)                                                        \
    {                                                                                              \
        return symbol_of(x##_words, count, word);                                                  \
    }

BATCH_WORDS(api, BATCH_API_LIST, BATCH_API_COUNT)
BATCH_WORDS(status, BATCH_STATUS_LIST, BATCH_STATUS_COUNT)
BATCH_WORDS(keys, BATCH_KEYS_LIST, BATCH_KEYS_COUNT)
BATCH_WORDS(mode, BATCH_MODE_LIST, BATCH_MODE_COUNT)
BATCH_WORDS(via, BATCH_VIA_LIST, BATCH_VIA_COUNT)
BATCH_WORDS(duplicates, BATCH_DUPLICATES_LIST, BATCH_DUPLICATES_COUNT)
BATCH_WORDS(phase, BATCH_PHASE_LIST, BATCH_PHASE_COUNT)

const char *batch_action_names(unsigned actions, apr_pool_t *p)
{
    const char *names = "";
    int action;

    for (action = 0; action < BATCH_ACTION_COUNT; action++) {
        if (actions & (1u << action)) {
            names = apr_pstrcat(p, names, *names ? ", " : "",
                                batch_action_name((batch_action_e)action), NULL);
        }
    }
    return names;
}

const char *batch_action_name(batch_action_e action)
{
    return (int)action >= 0 && action < BATCH_ACTION_COUNT ? batch_action_rows[action].word
                                                           : "unknown";
}

const char *batch_type_name(batch_type_e type)
{
    return (int)type >= 0 && type < BATCH_TYPE_COUNT ? batch_type_rows[type].word : "unknown";
}

int batch_action_parse(const char *word)
{
    int action;

    for (action = 0; word && action < BATCH_ACTION_COUNT; action++) {
        if (!strcmp(batch_action_rows[action].word, word)) {
            return action;
        }
    }
    return -1;
}

int batch_type_parse(const char *word)
{
    int type;

    for (type = 0; word && type < BATCH_TYPE_COUNT; type++) {
        if (!strcmp(batch_type_rows[type].word, word)) {
            return type;
        }
    }
    return -1;
}

int batch_status_is_final(batch_status_e status)
{
    return status == BATCH_STATUS_COMPLETED || status == BATCH_STATUS_FAILED ||
           status == BATCH_STATUS_TIMED_OUT || status == BATCH_STATUS_EXPIRED;
}

/* ---- Resources ------------------------------------------------------------------------------ */

const batch_column_t *batch_resource_column(const batch_resource_t *resource, const char *name)
{
    int i;

    for (i = 0; resource->columns && name && i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);
        if (!strcmp(column->name, name)) {
            return column;
        }
    }
    return NULL;
}

int batch_resource_writable(const batch_resource_t *resource, const batch_column_t *column,
                            int ignore_case)
{
    const char *const taken[] = {
        resource->key,        resource->scope,         resource->form_column,  resource->created_at,
        resource->updated_at, resource->created_by_id, resource->updated_by_id};
    apr_size_t i;

    for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (taken[i] &&
            !(ignore_case ? strcasecmp(taken[i], column->name) : strcmp(taken[i], column->name))) {
            return 0;
        }
    }
    return !column->readonly;
}

/* ---- Logging -------------------------------------------------------------------------------- */

void batch_log(const batch_logger_t *logger, batch_log_level_e level, const char *tag,
               apr_status_t status, const batch_job_t *job, const char *fmt, ...)
{
    char line[2048]; /* a log line is cut there, as httpd's own are */
    int length = 0;
    va_list arguments;

    if (!logger || !logger->write) {
        return;
    }
    if (tag) {
        length = snprintf(line, sizeof(line), "%s: ", tag);
    }
    if (job) {
        length += snprintf(line + length, sizeof(line) - (size_t)length, "[batch %s %s] ",
                           job->id ? job->id : "-", batch_status_name(job->status));
    }
    if (length >= (int)sizeof(line)) {
        length = (int)sizeof(line) - 1;
    }
    va_start(arguments, fmt);
    vsnprintf(line + length, sizeof(line) - (size_t)length, fmt, arguments);
    va_end(arguments);
    logger->write(logger->baton, level, status, line);
}

/* ---- Small things --------------------------------------------------------------------------- */

apr_status_t batch_pool_make(apr_pool_t **p, apr_pool_t *parent, apr_size_t keeps)
{
    apr_allocator_t *allocator;
    apr_status_t rv = apr_allocator_create(&allocator);

    *p = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (keeps) {
        apr_allocator_max_free_set(allocator, keeps);
    }
    rv = parent ? apr_pool_create_ex(p, parent, NULL, allocator)
                : apr_pool_create_unmanaged_ex(p, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        *p = NULL;
        return rv;
    }
    apr_allocator_owner_set(allocator, *p);
    return APR_SUCCESS;
}

/*
 * Of this process. Without a lock: under prefork the pools of a request are destroyed by a signal's
 * handler, in the middle of whatever its thread does.
 */
static volatile void *idle_pools[BATCH_POOLS_LENT]; /* their allocators, which leak checkers see */

static apr_status_t give_back(void *pool)
{
    int i;

    apr_pool_clear(pool);
    for (i = 0; i < BATCH_POOLS_LENT; i++) {
        if (!apr_atomic_casptr(&idle_pools[i], apr_pool_allocator_get(pool), NULL)) {
            return APR_SUCCESS;
        }
    }
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

apr_status_t batch_pool_borrow(apr_pool_t **p, apr_pool_t *parent)
{
    apr_allocator_t *idle = NULL;
    apr_pool_t *pool = NULL;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < BATCH_POOLS_LENT && !idle; i++) {
        idle = apr_atomic_xchgptr(&idle_pools[i], NULL);
    }
    if (idle) {
        pool = apr_allocator_owner_get(idle);
    } else {
        rv = batch_pool_make(&pool, NULL, BATCH_POOL_LENT);
    }
    if (rv == APR_SUCCESS) {
        apr_pool_cleanup_register(parent, pool, give_back, apr_pool_cleanup_null);
    }
    *p = pool;
    return rv;
}
