/* SPDX-License-Identifier: MIT
 * core.child: starting processes, with a link to each, and being told how they end. */
#include "bind/bind.h"
#include "host/child.h"
#include "host/zygote.h"
#include "vm/entry.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

static const char CHILD[] = "lunette.Child";
static const char ZYGOTE[] = "lunette.Zygote";

/* The userdata; its user value is on_exit. While the process runs, the registry keeps it: a child
 * that nobody holds goes on, and its end is told. */
typedef struct ChildBox {
  Child *child; /* owned; NULL before the start and after the end */
  State *state;
  pid_t pid;
  int self; /* reference; LUA_NOREF when there is no child */
} ChildBox;

static ChildBox *check_box(lua_State *L) { return luaL_checkudata(L, 1, CHILD); }

/* nil, "ENOENT: no such file or directory: PATH", "ENOENT"; `path` may be NULL. */
static int push_failure(lua_State *L, int error, const char *path) {
  const char *name = uv_err_name(error), *text = uv_strerror(error);
  lua_pushnil(L);
  if (path) {
    lua_pushfstring(L, "%s: %s: %s", name, text, path);
  } else {
    lua_pushfstring(L, "%s: %s", name, text);
  }
  lua_pushstring(L, name);
  return 3;
}

/* The string on top of the stack; raises when it is none that C can take. */
static const char *check_top(lua_State *L, int arg, const char *what) {
  size_t size;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
  if (!text || strlen(text) != size) {
    luaL_argerror(L, arg, lua_pushfstring(L, "%s: string without zero bytes expected", what));
  }
  return text;
}

/* Pushes a NULL-ended array, a userdata, of `first` unless it is NULL and the strings of the list
 * on top of the stack. The list keeps the strings alive. */
static char **push_array(lua_State *L, int arg, const char *first, const char *what) {
  if (!lua_istable(L, -1)) {
    luaL_argerror(L, arg, lua_pushfstring(L, "%s: list of strings expected", what));
  }
  int list = lua_gettop(L);
  lua_Unsigned size = lua_rawlen(L, list);
  luaL_argcheck(L, size < INT_MAX / sizeof(char *), arg, "list is too long");
  char **array = lua_newuserdatauv(L, (size_t)(size + 2) * sizeof *array, 0), **next = array;
  if (first) *next++ = (char *)first;
  for (lua_Unsigned i = 1; i <= size; i++) {
    lua_rawgeti(L, list, (lua_Integer)i);
    *next++ = (char *)check_top(L, arg, what);
    lua_pop(L, 1);
  }
  *next = NULL;
  return array;
}

static void let_go(lua_State *L, ChildBox *box) {
  box->child = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, box->self);
  box->self = LUA_NOREF;
}

/* What a task is told of an end. */
typedef struct Ending {
  ChildExit how;
  pid_t pid;
} Ending;

static int after_told(lua_State *L, int status, lua_KContext context) {
  (void)L, (void)status, (void)context;
  return 0;
}

/* (function, ending): the task, in which memory may run short: function(reason, number, pid). */
static int tell(lua_State *L) {
  Ending ending = *(const Ending *)lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_pushstring(L, child_exit_reason(ending.how));
  lua_pushinteger(L, ending.how.signal ? ending.how.signal : ending.how.code);
  lua_pushinteger(L, ending.pid);
  lua_callk(L, 3, 0, 0, after_told);
  return 0;
}

static void on_child_exit(Child *child, ChildExit how) {
  ChildBox *box = child_data(child);
  box->pid = child_pid(child);
  Ending ending = {.how = how, .pid = box->pid};
  State *state = box->state;
  lua_State *L = state->L;
  lua_pushcfunction(L, tell);
  lua_rawgeti(L, LUA_REGISTRYINDEX, box->self);
  lua_getiuservalue(L, -1, 1);
  lua_replace(L, -2);
  let_go(L, box);
  lua_pushlightuserdata(L, &ending);
  entry_call(state, 2);
}

/* Reads {path=, args=, env=} at `index`; what it pushes must stay while the options are used. */
static ChildOptions check_options(lua_State *L, int index) {
  ChildOptions options = {.on_exit = on_child_exit};
  luaL_checktype(L, index, LUA_TTABLE);
  lua_getfield(L, index, "path");
  options.path = check_top(L, index, "path");
  lua_getfield(L, index, "args");
  options.argv = push_array(L, index, options.path, "args");
  if (lua_getfield(L, index, "env") != LUA_TNIL) {
    options.env = push_array(L, index, NULL, "env");
  }
  return options;
}

/* A box without a child, whose user value is on_exit of the options at `index`. */
static ChildBox *push_box(lua_State *L, int index) {
  ChildBox *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (ChildBox){.state = state_from(L), .self = LUA_NOREF};
  luaL_setmetatable(L, CHILD);
  bool is_function = lua_getfield(L, index, "on_exit") == LUA_TFUNCTION;
  luaL_argcheck(L, is_function, index, "on_exit: function expected");
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  box->self = luaL_ref(L, LUA_REGISTRYINDEX);
  return box;
}

/* The field of the options at `index`, or 0. */
static unsigned check_descriptors(lua_State *L, int index) {
  lua_getfield(L, index, "descriptors");
  lua_Integer count = luaL_optinteger(L, -1, 0);
  luaL_argcheck(L, count >= 0 && count <= INT_MAX, index, "descriptors: number expected");
  lua_pop(L, 1);
  return (unsigned)count;
}

/* The box is on top; what its start came to. */
static int push_started(lua_State *L, ChildBox *box, int error, const char *path, int link_fd) {
  if (error < 0) {
    let_go(L, box);
    return push_failure(L, error, path);
  }
  lua_pushinteger(L, link_fd);
  return 2;
}

/* spawn{path=, args=, env=, on_exit=, descriptors=}: starts the executable with the arguments (a
 * list of strings, without the program's name) and the environment's additions (a list of
 * "NAME=value"). Returns the child and the descriptor of our end of its link, which is the
 * caller's; or nil, message, name. on_exit(reason, code or signal, pid) is called once, unless
 * close() was before it. */
static int l_spawn(lua_State *L) {
  lua_settop(L, 1);
  ChildOptions options = check_options(L, 1);
  ChildBox *box = push_box(L, 1);
  options.data = box;
  options.descriptors = check_descriptors(L, 1);
  int link_fd = -1;
  int error = child_spawn(&box->state->loop->uv, &options, &box->child, &link_fd);
  return push_started(L, box, error, options.path, link_fd);
}

static Zygote **check_zygote(lua_State *L) { return luaL_checkudata(L, 1, ZYGOTE); }

/* zygote{path=, args=}: starts a zygote. Returns it; or nil, message, name. */
static int l_zygote(lua_State *L) {
  lua_settop(L, 1);
  ChildOptions options = check_options(L, 1);
  Zygote **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, ZYGOTE);
  int error = zygote_open(&state_from(L)->loop->uv, options.path, options.argv, box);
  return error < 0 ? push_failure(L, error, options.path) : 1;
}

/* zygote:spawn{on_exit=, descriptors=}: as core.child.spawn, a renderer that is forked from the
 * zygote. Its pid() is 0 until the zygote has answered. */
static int l_zygote_spawn(lua_State *L) {
  Zygote *zygote = *check_zygote(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_argcheck(L, zygote, 1, "the zygote was closed");
  ChildBox *box = push_box(L, 2);
  ChildOptions options = {.on_exit = on_child_exit, .data = box};
  options.descriptors = check_descriptors(L, 2);
  int link_fd = -1;
  int error = zygote_spawn(zygote, &options, &box->child, &link_fd);
  return push_started(L, box, error, NULL, link_fd);
}

/* zygote:is_alive() */
static int l_zygote_is_alive(lua_State *L) {
  Zygote *zygote = *check_zygote(L);
  lua_pushboolean(L, zygote && zygote_is_alive(zygote));
  return 1;
}

/* zygote:close(), and the collector's end of it. Idempotent. */
static int l_zygote_close(lua_State *L) {
  Zygote **box = check_zygote(L);
  if (*box) zygote_close(*box);
  *box = NULL;
  return 0;
}

/* relaunch(path, args): starts a program that outlives us. Returns true; or nil, message, name. */
static int l_relaunch(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  const char *path = check_top(L, 1, "path");
  lua_pushvalue(L, 2);
  int error = child_relaunch(push_array(L, 2, path, "args"));
  if (error < 0) return push_failure(L, error, path);
  lua_pushboolean(L, 1);
  return 1;
}

/* child:pid(): also after its end. */
static int l_child_pid(lua_State *L) {
  const ChildBox *box = check_box(L);
  lua_pushinteger(L, box->child ? child_pid(box->child) : box->pid);
  return 1;
}

/* child:cpu_time(): the nanoseconds of the processor that it has used; 0 after its end. */
static int l_child_cpu_time(lua_State *L) {
  const ChildBox *box = check_box(L);
  lua_pushinteger(L, box->child ? (lua_Integer)child_cpu_time(box->child) : 0);
  return 1;
}

static int check_signal(lua_State *L, int arg) {
  int number = 0;
  if (lua_type(L, arg) == LUA_TSTRING) {
    number = child_signal_number(lua_tostring(L, arg));
    luaL_argcheck(L, number != 0, arg, "unknown signal");
    return number;
  }
  lua_Integer given = luaL_checkinteger(L, arg);
  luaL_argcheck(L, given >= 0 && given < NSIG, arg, "unknown signal");
  return (int)given;
}

/* child:kill(signal): a number or a name like "SIGTERM". Returns true; or nil, message, name,
 * "ESRCH" when the child has ended. */
static int l_child_kill(lua_State *L) {
  ChildBox *box = check_box(L);
  int number = check_signal(L, 2);
  int error = box->child ? child_kill(box->child, number) : UV_ESRCH;
  if (error < 0) return push_failure(L, error, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

/* child:close(), and the collector's end of it: kills what still runs; on_exit is not called any
 * more. Idempotent. */
static int l_child_close(lua_State *L) {
  ChildBox *box = check_box(L);
  if (!box->child) return 0;
  child_close(box->child);
  let_go(L, box);
  return 0;
}

static const luaL_Reg methods[] = {
    {"pid", l_child_pid},   {"cpu_time", l_child_cpu_time},
    {"kill", l_child_kill}, {"close", l_child_close},
    {NULL, NULL},
};

static const luaL_Reg zygote_methods[] = {
    {"spawn", l_zygote_spawn},
    {"is_alive", l_zygote_is_alive},
    {"close", l_zygote_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"spawn", l_spawn},
    {"zygote", l_zygote},
    {"relaunch", l_relaunch},
    {NULL, NULL},
};

static void new_class(lua_State *L, const char *name, const luaL_Reg *class, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, class, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

int open_child(lua_State *L) {
  new_class(L, CHILD, methods, l_child_close);
  new_class(L, ZYGOTE, zygote_methods, l_zygote_close);
  luaL_newlib(L, functions);
  lua_pushinteger(L, CHILD_OUT_OF_MEMORY);
  lua_setfield(L, -2, "OUT_OF_MEMORY");
  lua_pushinteger(L, CHILD_LAUNCH_FAILED);
  lua_setfield(L, -2, "LAUNCH_FAILED");
  return 1;
}
