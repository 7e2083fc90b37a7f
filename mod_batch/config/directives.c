/* The table of the directives, and those that stand outside of a <BatchResource>. */
#include "config/private.h"

#include <stddef.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

APLOG_USE_MODULE(batch);

#define SPEC(symbol, directive, kind, text, number, least, greatest, usage)                        \
    {directive, BATCH_SETTING_##kind, text, number, least, greatest},
const batch_setting_spec_t batch_setting_specs[BATCH_INDEX_COUNT] = {BATCH_SETTING_LIST(SPEC)};

static const char *set_setting(cmd_parms *cmd, void *directory, const char *word)
{
    const batch_setting_spec_t *spec = cmd->info;
    batch_server_config_t *config = batch_server_config(cmd->server);
    batch_setting_t *setting = &config->settings[spec - batch_setting_specs];
    const char *wrong = NULL;

    (void)directory;
    wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    if (wrong) {
        return wrong;
    }
    if (spec->kind == BATCH_SETTING_NUMBER) {
        wrong = batch_number_parse(&setting->number, word, spec, cmd->pool);
    } else if (spec->kind == BATCH_SETTING_BYTES) {
        wrong = batch_bytes_parse(&setting->number, word, spec, cmd->pool);
    } else if (spec->kind == BATCH_SETTING_INTERVAL) {
        wrong = batch_interval_parse(&setting->number, word, spec, cmd->pool);
    } else if (!*word) {
        wrong = apr_pstrcat(cmd->pool, spec->directive, " must not be empty", NULL);
    } else {
        setting->text = word;
    }
    setting->set = 1;
    setting->file = cmd->directive->filename;
    setting->line = cmd->directive->line_num;
    config->declared = 1;
    return wrong;
}

/* Takes its argument raw: httpd would refuse "", which says that there is none. */
static const char *set_expression(cmd_parms *cmd, void *directory, const char *arguments)
{
    batch_expression_t *expression =
        (batch_expression_t *)((char *)directory + (apr_size_t)cmd->info);
    const char *wrong = NULL;
    const char *text;
    int given = *arguments != '\0';

    text = ap_getword_conf(cmd->pool, &arguments);
    if (!given || *arguments) {
        return apr_psprintf(cmd->pool,
                            "%s takes one argument, an expression (in quotes if it has "
                            "spaces)",
                            cmd->cmd->name);
    }
    expression->set = 1;
    expression->expr = NULL;
    if (*text) {
        expression->expr = ap_expr_parse_cmd(
            cmd, text, AP_EXPR_FLAG_STRING_RESULT | AP_EXPR_FLAG_DONT_VARY, &wrong, NULL);
    }
    return wrong ? apr_psprintf(cmd->pool, "%s: '%s' is not an expression: %s", cmd->cmd->name,
                                text, wrong)
                 : NULL;
}

static const char *set_anonymous(cmd_parms *cmd, void *directory, int on)
{
    batch_directory_config_t *config = directory;

    (void)cmd;
    config->anonymous = on != 0;
    return NULL;
}

static const char *set_token_file(cmd_parms *cmd, void *directory, const char *path)
{
    batch_directory_config_t *config = directory;

    config->token_file = *path ? ap_server_root_relative(cmd->pool, path) : NULL;
    return config->token_file ? NULL
                              : apr_psprintf(cmd->pool, "%s: '%s' is not the path of a file",
                                             cmd->cmd->name, path);
}

#define ANYWHERE (RSRC_CONF | ACCESS_CONF)

#define SETTING(symbol, directive, kind, text, number, least, greatest, usage)                     \
    AP_INIT_TAKE1(directive, set_setting, (void *)&batch_setting_specs[BATCH_INDEX_##symbol],      \
                  RSRC_CONF, usage),
#define EXPRESSION(directive, member, usage)                                                       \
    AP_INIT_RAW_ARGS(directive, set_expression,                                                    \
                     (void *)offsetof(batch_directory_config_t, member), ANYWHERE, usage)
#define INNER(symbol, directive, repeated, least, greatest, usage)                                 \
    AP_INIT_TAKE_ARGV(directive, batch_inner_directive,                                            \
                      (void *)&batch_inner_specs[BATCH_INNER_##symbol], RSRC_CONF, usage),

const command_rec batch_config_directives[] = {
    BATCH_SETTING_LIST(SETTING)
        EXPRESSION("BatchUserId", user_id, "expression: the id of the user who asks"),
    EXPRESSION("BatchUserName", user_name, "expression: the display name of the user who asks"),
    EXPRESSION("BatchOrganization", organization,
               "expression: the organization of the user who asks"),
    AP_INIT_TAKE12("BatchURLSecretFile", batch_secret_files, NULL, RSRC_CONF,
                   "the file with the secret of signed URLs, and that of the one before it"),
    AP_INIT_FLAG("BatchAnonymous", set_anonymous, NULL, ANYWHERE,
                 "On to let in requests without an authenticated user"),
    AP_INIT_TAKE1("AuthApiTokenFile", set_token_file, NULL, ANYWHERE,
                  "the file with the users of AuthType ApiToken"),
    AP_INIT_RAW_ARGS("<BatchResource", batch_resource_section, NULL, RSRC_CONF,
                     "the name of a resource; in it a table that batches may touch is described"),
    BATCH_INNER_LIST(INNER){NULL, {NULL}, NULL, 0, RAW_ARGS, NULL},
};
