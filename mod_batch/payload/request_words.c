#include "payload/request_words.h"

#include <string.h>

#include <apr_strings.h>

#include "payload/json_reader.h"
#include "text/nearest_word.h"

/* ---- The words ------------------------------------------------------------------------------- */

/* What keeps a batch from doing what was not meant, and tells what it has done. */
#define NETS                                                                                       \
    "dry_run", "max_removed", "max_errors", "save_result", "callback_url", "idempotency_key"

/* How a file is to be read. */
#define FILE_WORDS                                                                                 \
    "delimiter", "charset", "columns", "unknown_columns", "date_format", "timezone", "decimal",    \
        "null", "sheet"

/* What a create of the resources API takes beside its data. */
#define RESOURCES_WORDS                                                                            \
    "mode", "action", "resource", "duplicate_handling", "save_upload", "atomic", "allow_empty",    \
        "properties", NETS, FILE_WORDS

static const char *const none[] = {NULL};
static const char *const nets[] = {NETS, NULL};
static const char *const file_words[] = {FILE_WORDS, NULL};
static const char *const batch_and_nets[] = {"start", "operations", NETS, NULL};
static const char *const start_and_nets[] = {"start", NETS, NULL};
static const char *const batch[] = {"batch", NULL};
static const char *const operation[] = {"action", "resource", "form_id", "ids",
                                        "query",  "data",     NULL};
static const char *const operations[] = {"operations", NULL};
static const char *const resources[] = {"data", RESOURCES_WORDS, NULL};
static const char *const resources_parameters[] = {RESOURCES_WORDS, NULL};
static const char *const data[] = {"data", NULL};
static const char *const records_list[] = {"page", "per_page", "sort", "sort_direction", NULL};
static const char *const resources_list[] = {
    "page", "limit", "resource", "mode", "via", "status", "action", "sort", "sort_direction", NULL};
static const char *const files[] = {"include_upload_csv", "include_upload_json",
                                    "include_errors_csv", "include_errors_json", NULL};
static const char *const signed_url[] = {"signature", "expires", NULL};

#define MADE_BY "it belongs into the request that makes the batch"

const batch_request_words_t batch_words_create = {batch, batch_and_nets, "it belongs into batch",
                                                  0};
const batch_request_words_t batch_words_batch = {batch_and_nets, NULL, NULL, 0};
const batch_request_words_t batch_words_operation = {operation, start_and_nets,
                                                     "it belongs into batch, beside operations", 0};
const batch_request_words_t batch_words_operations = {operations, nets, MADE_BY, 0};
const batch_request_words_t batch_words_resources = {resources, NULL, NULL, 0};
const batch_request_words_t batch_words_change = {none, nets, MADE_BY, 0};

const batch_request_words_t batch_parameters_records_create = {
    none, batch_and_nets, "it belongs into batch, in the body", 0};
const batch_request_words_t batch_parameters_records_list = {records_list, NULL, NULL, 1};
const batch_request_words_t batch_parameters_resources_create = {resources_parameters, data,
                                                                 "it belongs into the body", 0};
const batch_request_words_t batch_parameters_resources_list = {resources_list, NULL, NULL, 1};
const batch_request_words_t batch_parameters_files = {files, NULL, NULL, 0};
const batch_request_words_t batch_parameters_upload = {signed_url, resources, MADE_BY, 0};
const batch_request_words_t batch_parameters_signed = {signed_url, NULL, NULL, 0};
const batch_request_words_t batch_parameters_change = {none, nets, MADE_BY, 0};
const batch_request_words_t batch_parameters_look = {none, NULL, NULL, 0};

/* ---- Judging a word -------------------------------------------------------------------------- */

/** "a, b and c", in p. */
static const char *listed(const char *const *words, apr_pool_t *p)
{
    const char *text = *words;

    while (*++words) {
        text = apr_pstrcat(p, text, words[1] ? ", " : " and ", *words, NULL);
    }
    return text;
}

const char *batch_request_word_check(const char *word, apr_size_t length,
                                     const batch_request_words_t *words, apr_pool_t *p)
{
    const char *const *elsewhere = words->elsewhere ? words->elsewhere : none;
    const char *meant;

    if (batch_word_is_known(word, length, words->known)) {
        return NULL;
    }
    if (batch_word_is_known(word, length, elsewhere)) {
        return apr_psprintf(p, "is not looked at here: %s", words->where);
    }
    meant = batch_word_meant(word, length, words->known);
    if (meant) {
        return apr_psprintf(p, "is not known; did you mean \"%s\"?", meant);
    }
    meant = batch_word_meant(word, length, elsewhere);
    if (meant) {
        return apr_psprintf(p, "is not known; did you mean \"%s\"? If so, %s", meant, words->where);
    }
    return words->is_list ? apr_pstrcat(p, "is not a parameter of this list, which takes ",
                                        listed(words->known, p), NULL)
                          : NULL;
}

/* ---- Members --------------------------------------------------------------------------------- */

/* Bytes of a name: none that is near to a known word has more. */
#define LONGEST_NAME 512

void batch_shape_words(const batch_shape_t *shape, const struct json_object *object,
                       const batch_request_words_t *words, const char *field)
{
    if (!json_object_is_type(object, json_type_object)) {
        return;
    }
    json_object_object_foreach (object, name, value) {
        apr_size_t length = strlen(name);
        const char *wrong = value && length <= LONGEST_NAME
                                ? batch_request_word_check(name, length, words, shape->p)
                                : NULL;

        if (wrong) {
            batch_problem_list_add(shape->list, wrong, "%s%s", field, name);
        }
    }
}

void batch_request_body_words(batch_problems_t *problems, const char *body, apr_size_t length,
                              const batch_request_words_t *words, apr_pool_t *p)
{
    batch_problem_list_t list = {problems, 0, 0};
    batch_shape_t shape = {&list, p};

    if (length && batch_json_is_valid(body, length, p)) {
        batch_json_slice_t text = batch_json_document(body, length);

        batch_shape_words(&shape, batch_shape_read(&shape, &text, 1, "body", p), words, "");
        batch_problem_list_end(&list, "body");
    }
}

/* ---- What this version cannot do ------------------------------------------------------------- */

static const char unavailable[] = "is not available in this version";

void batch_shape_unavailable(const batch_shape_t *shape, const struct json_object *object,
                             int with_files)
{
    static const char *const flags[] = {"dry_run", "save_result", NULL};

    for (const char *const *word = nets; *word; word++) {
        if (batch_word_is_known(*word, strlen(*word), flags)) {
            if (batch_shape_flag(shape, object, *word, *word, 0)) {
                batch_problem_list_add(shape->list, unavailable, "%s", *word);
            }
        } else if (batch_shape_member(shape, object, *word, *word)) {
            batch_problem_list_add(shape->list, unavailable, "%s", *word);
        }
    }
    for (const char *const *word = file_words; with_files && *word; word++) {
        if (batch_shape_member(shape, object, *word, *word)) {
            batch_problem_list_add(shape->list, unavailable, "%s", *word);
        }
    }
}
