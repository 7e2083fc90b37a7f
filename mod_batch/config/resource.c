/* <BatchResource NAME>: the section and its inner directives. */
#include "config/private.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

APLOG_USE_MODULE(batch);

#define SECTION "<BatchResource"

/* Names of resources are shown to clients and stand in URLs. */
#define MOST_NAME 63

static const char *resource_name_check(const char *name, apr_pool_t *p)
{
    const char *c;

    for (c = name; apr_isalnum(*c) || *c == '_' || *c == '-'; c++) {
    }
    if (!*name || *c || c - name > MOST_NAME) {
        return apr_psprintf(
            p,
            "%s>: '%s' is not a name for a resource: 1 to %d letters, digits, - and "
            "_ are allowed",
            SECTION, name, MOST_NAME);
    }
    return NULL;
}

/* ---- Inner directives ---------------------------------------------------------------------------
 */

/* Checks a name and keeps it in *place. "-" means none where optional is set. */
static const char *keep_column(const char **place, const char *name, int optional, apr_pool_t *p)
{
    const char *wrong;

    *place = NULL;
    if (optional && !strcmp(name, "-")) {
        return NULL;
    }
    wrong = batch_identifier_check("column", name, p);
    if (!wrong) {
        *place = name;
    }
    return wrong;
}

static const char *read_table(batch_section_t *section, cmd_parms *cmd, int argc,
                              char *const argv[])
{
    (void)argc;
    section->resource.table = argv[0];
    return batch_identifier_check("table", argv[0], cmd->pool);
}

static const char *read_key(batch_section_t *section, cmd_parms *cmd, int argc, char *const argv[])
{
    char *word = apr_pstrdup(cmd->temp_pool, argv[1]);
    int keys;

    (void)argc;
    ap_str_tolower(word);
    keys = batch_keys_parse(word);
    if (keys < 0) {
        return apr_psprintf(cmd->pool, "'%s' must be generated, client or database", argv[1]);
    }
    section->resource.keys = (batch_keys_e)keys;
    return keep_column(&section->resource.key, argv[0], 0, cmd->pool);
}

static const char *read_match(batch_section_t *section, cmd_parms *cmd, int argc,
                              char *const argv[])
{
    const char *wrong = NULL;
    const char *name;
    int i;
    int j;

    for (i = 0; i < argc && !wrong; i++) {
        wrong = keep_column(&name, argv[i], 0, cmd->pool);
        for (j = 0; j < i && !wrong; j++) {
            if (!strcmp(argv[i], argv[j])) {
                wrong = apr_psprintf(cmd->pool, "column '%s' is named twice", name);
            }
        }
        APR_ARRAY_PUSH(section->resource.match, const char *) = argv[i];
    }
    return wrong;
}

static const char *read_scope(batch_section_t *section, cmd_parms *cmd, int argc,
                              char *const argv[])
{
    (void)argc;
    return keep_column(&section->resource.scope, argv[0], 0, cmd->pool);
}

static const char *read_column(batch_section_t *section, cmd_parms *cmd, int argc,
                               char *const argv[])
{
    batch_column_t column;
    const char *wrong;

    memset(&column, 0, sizeof(column));
    wrong = batch_column_read(&column, argc, argv, cmd->pool);
    if (wrong) {
        return wrong;
    }
    if (batch_resource_column(&section->resource, column.name)) {
        return apr_psprintf(cmd->pool, "column '%s' is declared twice", column.name);
    }
    APR_ARRAY_PUSH(section->resource.columns, batch_column_t) = column;
    return NULL;
}

/* The action of that name, or -1 and *wrong. */
static int action_read(const char **wrong, const char *word, apr_pool_t *p)
{
    int action = batch_action_parse(word);

    *wrong = action >= 0 ? NULL
                         : apr_psprintf(p, "'%s' is not an action: %s", word,
                                        batch_action_words(~0U, "or", p));
    return action;
}

static const char *read_actions(batch_section_t *section, cmd_parms *cmd, int argc,
                                char *const argv[])
{
    const char *wrong;
    int i;

    for (i = 0; i < argc; i++) {
        int action = action_read(&wrong, argv[i], cmd->pool);
        if (wrong) {
            return wrong;
        }
        if (section->resource.actions & (1u << action)) {
            return apr_psprintf(cmd->pool, "action '%s' is named twice", argv[i]);
        }
        section->resource.actions |= 1u << action;
    }
    return NULL;
}

static const char *read_stamp(batch_section_t *section, cmd_parms *cmd, int argc,
                              char *const argv[])
{
    const char **places[] = {&section->resource.created_at, &section->resource.updated_at,
                             &section->resource.created_by_id, &section->resource.updated_by_id};
    const char *wrong = NULL;
    int i;

    if (argc == 3) {
        return "takes two or four columns";
    }
    for (i = 0; i < argc && !wrong; i++) {
        wrong = keep_column(places[i], argv[i], 1, cmd->pool);
    }
    return wrong;
}

static const char *read_allow(batch_section_t *section, cmd_parms *cmd, int argc,
                              char *const argv[])
{
    batch_permissions_t *permissions = section->resource.permissions;
    const char *wrong;
    int action = action_read(&wrong, argv[0], cmd->pool);

    (void)argc;
    if (wrong) {
        return wrong;
    }
    if (permissions->allow[action]) {
        return apr_psprintf(cmd->pool, "action '%s' has a BatchAllow already", argv[0]);
    }
    permissions->lines[action] = cmd->directive->line_num;
    permissions->allow[action] =
        ap_expr_parse_cmd(cmd, argv[1], AP_EXPR_FLAG_DONT_VARY, &wrong, NULL);
    return wrong ? apr_psprintf(cmd->pool, "'%s' is not a condition: %s", argv[1], wrong) : NULL;
}

static const char *read_form(batch_section_t *section, cmd_parms *cmd, int argc, char *const argv[])
{
    batch_resource_t *resource = &section->resource;
    const char *wrong = keep_column(&resource->form_column, argv[0], 0, cmd->pool);
    int i;

    resource->form_table = argv[1];
    if (!wrong) {
        wrong = batch_identifier_check("table", argv[1], cmd->pool);
    }
    for (i = 2; i < argc && !wrong; i++) {
        if (!strncmp(argv[i], "id=", 3) && !resource->form_id) {
            wrong = keep_column(&resource->form_id, argv[i] + 3, 0, cmd->pool);
        } else if (!strncmp(argv[i], "scope=", 6) && !resource->form_scope) {
            wrong = keep_column(&resource->form_scope, argv[i] + 6, 0, cmd->pool);
        } else if (!strncmp(argv[i], "name=", 5) && !resource->form_name) {
            wrong = keep_column(&resource->form_name, argv[i] + 5, 0, cmd->pool);
        } else {
            wrong = apr_psprintf(cmd->pool,
                                 "'%s' is unknown or repeated: id=COLUMN, scope=COLUMN and "
                                 "name=COLUMN are allowed",
                                 argv[i]);
        }
    }
    if (!resource->form_id) {
        resource->form_id = "id";
    }
    return wrong;
}

static const char *read_query_column(batch_section_t *section, cmd_parms *cmd, int argc,
                                     char *const argv[])
{
    apr_array_header_t *names = section->resource.query_names;
    batch_query_name_t entry = {argv[0], NULL};
    const char *wrong = NULL;
    int i;

    (void)argc;
    if (strcmp(entry.name, "-") != 0) {
        wrong = batch_identifier_check("column", entry.name, cmd->pool);
    }
    if (!wrong) {
        wrong = keep_column(&entry.column, argv[1], 0, cmd->pool);
    }
    for (i = 0; i < names->nelts && !wrong; i++) {
        const batch_query_name_t *other = &APR_ARRAY_IDX(names, i, batch_query_name_t);
        if (!strcmp(entry.column, other->column) ||
            (strcmp(entry.name, "-") != 0 && !strcmp(entry.name, other->name))) {
            wrong = apr_psprintf(cmd->pool, "'%s %s' repeats a name or a column", argv[0], argv[1]);
        }
    }
    APR_ARRAY_PUSH(names, batch_query_name_t) = entry;
    return wrong;
}

static const char *read_query_members(batch_section_t *section, cmd_parms *cmd, int argc,
                                      char *const argv[])
{
    (void)argc;
    section->resource.query_members = argv[0];
    return strcmp(argv[0], "-") != 0 ? batch_identifier_check("column", argv[0], cmd->pool) : NULL;
}

#define READ_QUERY_COLUMN  read_query_column
#define READ_QUERY_MEMBERS read_query_members
#define READ_TABLE         read_table
#define READ_KEY           read_key
#define READ_MATCH         read_match
#define READ_SCOPE         read_scope
#define READ_COLUMN        read_column
#define READ_ACTIONS       read_actions
#define READ_STAMP         read_stamp
#define READ_ALLOW         read_allow
#define READ_FORM          read_form
#define SPEC(symbol, directive, repeated, least, greatest, usage)                                  \
    {directive, usage, READ_##symbol, BATCH_INNER_##symbol, repeated, least, greatest},

const batch_inner_spec_t batch_inner_specs[BATCH_INNER_COUNT] = {BATCH_INNER_LIST(SPEC)};

const char *batch_inner_directive(cmd_parms *cmd, void *directory, int argc, char *const argv[])
{
    const batch_inner_spec_t *spec = cmd->info;
    batch_section_t *section = batch_server_config(cmd->server)->current;
    const char *wrong;

    (void)directory;
    if (!section || !cmd->directive->parent ||
        strcasecmp(cmd->directive->parent->directive, SECTION) != 0) {
        return apr_psprintf(cmd->pool, "%s is only allowed in a %s> section", spec->directive,
                            SECTION);
    }
    if (!spec->repeated && section->given & (1u << spec->index)) {
        return apr_psprintf(cmd->pool, "%s is given twice for this resource", spec->directive);
    }
    section->given |= 1u << spec->index;
    if (argc < spec->least || argc > spec->greatest) {
        return apr_psprintf(cmd->pool, "%s takes: %s", spec->directive, spec->usage);
    }
    wrong = spec->read(section, cmd, argc, argv);
    return wrong ? apr_psprintf(cmd->pool, "%s: %s", spec->directive, wrong) : NULL;
}

/* ---- The section --------------------------------------------------------------------------------
 */

/* The name in "NAME>", or NULL and *wrong. */
static const char *section_name(const char **wrong, cmd_parms *cmd, const char *arguments)
{
    const char *end = ap_strrchr_c(arguments, '>');
    const char *name;

    if (!end || end[1]) {
        *wrong = SECTION "> lacks its closing >";
        return NULL;
    }
    arguments = apr_pstrmemdup(cmd->pool, arguments, (apr_size_t)(end - arguments));
    name = ap_getword_conf(cmd->pool, &arguments);
    if (*arguments) {
        *wrong = SECTION "> takes one argument: the name of the resource";
        return NULL;
    }
    *wrong = resource_name_check(name, cmd->pool);
    return name;
}

static int is_inner(const char *directive)
{
    int i;

    for (i = 0; i < BATCH_INNER_COUNT; i++) {
        if (!strcasecmp(directive, batch_inner_specs[i].directive)) {
            return 1;
        }
    }
    return 0;
}

static const char *read_inner(cmd_parms *cmd)
{
    const ap_directive_t *directive;

    for (directive = cmd->directive->first_child; directive; directive = directive->next) {
        if (!is_inner(directive->directive)) {
            cmd->err_directive = directive;
            return apr_psprintf(cmd->pool, "%s%s is not allowed in a %s> section",
                                directive->directive, *directive->directive == '<' ? ">" : "",
                                SECTION);
        }
    }
    return ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
}

static batch_section_t *section_make(const char *name, const ap_directive_t *directive,
                                     apr_pool_t *p)
{
    batch_section_t *section = apr_pcalloc(p, sizeof(*section));

    section->resource.name = name;
    section->resource.match = apr_array_make(p, 2, sizeof(const char *));
    section->resource.columns = apr_array_make(p, 8, sizeof(batch_column_t));
    section->resource.query_names = apr_array_make(p, 2, sizeof(batch_query_name_t));
    section->resource.permissions = apr_pcalloc(p, sizeof(batch_permissions_t));
    section->resource.file = directive->filename;
    section->resource.line = directive->line_num;
    return section;
}

const char *batch_resource_section(cmd_parms *cmd, void *directory, const char *arguments)
{
    batch_server_config_t *config = batch_server_config(cmd->server);
    ap_directive_t *directive = cmd->directive;
    const batch_section_t *same;
    batch_section_t *section;
    const char *wrong;
    const char *name;

    (void)directory;
    wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    if (wrong) {
        return wrong;
    }
    name = section_name(&wrong, cmd, arguments);
    if (wrong) {
        return wrong;
    }
    same = apr_hash_get(config->own, name, APR_HASH_KEY_STRING);
    if (same) {
        return apr_psprintf(cmd->pool, "%s %s> is declared at %s:%d already", SECTION, name,
                            same->resource.file, same->resource.line);
    }
    section = section_make(name, directive, cmd->pool);
    config->current = section;
    wrong = read_inner(cmd);
    config->current = NULL;
    cmd->directive = directive;
    if (!wrong) {
        wrong = batch_section_check(section, cmd->pool);
    }
    if (wrong) {
        return wrong;
    }
    apr_hash_set(config->own, section->resource.name, APR_HASH_KEY_STRING, section);
    apr_hash_set(config->sections, section->resource.name, APR_HASH_KEY_STRING, section);
    config->declared = 1;
    return NULL;
}
