// `#embed` puts a file's bytes into the constant data at the cost of copying them. Swift's own `.embedInCode` writes an array literal of
// numbers instead: for these files that took more than a minute to compile, here it takes a few hundredths of a second.
#include "CPlueConsole.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char api_js[] = {
#embed "assets/api.js"
};
static const unsigned char audit_js[] = {
#embed "assets/audit.js"
};
static const unsigned char base_css[] = {
#embed "assets/base.css"
};
static const unsigned char confirm_js[] = {
#embed "assets/confirm.js"
};
static const unsigned char diagnostics_js[] = {
#embed "assets/diagnostics.js"
};
static const unsigned char dialog_js[] = {
#embed "assets/dialog.js"
};
static const unsigned char documents_js[] = {
#embed "assets/documents.js"
};
static const unsigned char dom_js[] = {
#embed "assets/dom.js"
};
static const unsigned char drafts_js[] = {
#embed "assets/drafts.js"
};
static const unsigned char field_js[] = {
#embed "assets/field.js"
};
static const unsigned char help_js[] = {
#embed "assets/help.js"
};
static const unsigned char history_js[] = {
#embed "assets/history.js"
};
static const unsigned char index_html[] = {
#embed "assets/index.html"
};
static const unsigned char lines_js[] = {
#embed "assets/lines.js"
};
static const unsigned char live_js[] = {
#embed "assets/live.js"
};
static const unsigned char main_js[] = {
#embed "assets/main.js"
};
static const unsigned char mark_svg[] = {
#embed "assets/mark.svg"
};
static const unsigned char memory_js[] = {
#embed "assets/memory.js"
};
static const unsigned char overview_js[] = {
#embed "assets/overview.js"
};
static const unsigned char parts_css[] = {
#embed "assets/parts.css"
};
static const unsigned char plan_js[] = {
#embed "assets/plan.js"
};
static const unsigned char proposals_js[] = {
#embed "assets/proposals.js"
};
static const unsigned char review_js[] = {
#embed "assets/review.js"
};
static const unsigned char schema_js[] = {
#embed "assets/schema.js"
};
static const unsigned char settings_js[] = {
#embed "assets/settings.js"
};
static const unsigned char sides_js[] = {
#embed "assets/sides.js"
};
static const unsigned char signin_js[] = {
#embed "assets/signin.js"
};
static const unsigned char state_js[] = {
#embed "assets/state.js"
};
static const unsigned char theme_js[] = {
#embed "assets/theme.js"
};
static const unsigned char tray_js[] = {
#embed "assets/tray.js"
};
static const unsigned char words_js[] = {
#embed "assets/words.js"
};

#define FILE(file, variable) {file, variable, sizeof variable}

static const struct plue_console_file files[] = {
    FILE("api.js", api_js),
    FILE("audit.js", audit_js),
    FILE("base.css", base_css),
    FILE("confirm.js", confirm_js),
    FILE("diagnostics.js", diagnostics_js),
    FILE("dialog.js", dialog_js),
    FILE("documents.js", documents_js),
    FILE("dom.js", dom_js),
    FILE("drafts.js", drafts_js),
    FILE("field.js", field_js),
    FILE("help.js", help_js),
    FILE("history.js", history_js),
    FILE("index.html", index_html),
    FILE("lines.js", lines_js),
    FILE("live.js", live_js),
    FILE("main.js", main_js),
    FILE("mark.svg", mark_svg),
    FILE("memory.js", memory_js),
    FILE("overview.js", overview_js),
    FILE("parts.css", parts_css),
    FILE("plan.js", plan_js),
    FILE("proposals.js", proposals_js),
    FILE("review.js", review_js),
    FILE("schema.js", schema_js),
    FILE("settings.js", settings_js),
    FILE("sides.js", sides_js),
    FILE("signin.js", signin_js),
    FILE("state.js", state_js),
    FILE("theme.js", theme_js),
    FILE("tray.js", tray_js),
    FILE("words.js", words_js),
};

struct plue_console_file plue_console_file_at(size_t index) {
    const struct plue_console_file none = {NULL, NULL, 0};
    return index < sizeof files / sizeof files[0] ? files[index] : none;
}
