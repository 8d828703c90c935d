#pragma once

#include "cli/command.h"

namespace runyard::cli {

// The client commands, each in the file of its name. They take the words after the command's name
// and return the exit code.
int run_submit(const Args& args);
int run_ls(const Args& args);
int run_show(const Args& args);
int run_log(const Args& args);
int run_wait(const Args& args);
int run_cancel(const Args& args);
int run_rerun(const Args& args);
int run_delete(const Args& args);
int run_group(const Args& args);
int run_top(const Args& args);
int run_plugins(const Args& args);
int run_pause(const Args& args);
int run_resume(const Args& args);
int run_drain(const Args& args);

// On the server's machine, on its files.
int run_token(const Args& args);

// Those that look at a set-up; they need no server.
int run_config(const Args& args);
int run_doctor(const Args& args);
int run_plugin(const Args& args);

}  // namespace runyard::cli
