# mod_batch/query/texts.c: an escape character in a pattern takes no meaning away
s/if (escape->length &&/if (!escape \&\&/
