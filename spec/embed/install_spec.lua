local app = require "spec.support.app"
local command = require "spec.support.command"
local uv = require("lunette").uv

local tree = uv.cwd()
local build = app.executable:match "/build/([^/]+)/lunette$"
local SAID <const> = "page 1: moved to 5\npage 1: moved to 3\nthe creature stands at 7\n"

-- A sanitizer belongs to a whole program: those builds have no library.
local has_library = build == "release" or build == "debug"

describe("an installed library", has_library and function()
  local prefix, folder

  setup(function()
    prefix, folder = app.folder {}, app.folder {}
    local install = "make --no-print-directory BUILD=%s PREFIX=%s install"
    command.run(install:format(build, prefix))
    command.run(("cp -r %s/apps/engine-minimal/. %s"):format(tree, folder))
  end)

  teardown(function()
    app.remove(prefix)
    app.remove(folder)
  end)

  local function run_example(path)
    local result = app.spawn(path, { folder }, { cwd = "/" }).wait()
    assert.same({ SAID, "", 0 }, { result.stdout, result.stderr, result.status })
  end

  local function build_and_run(path, text)
    command.run(text:gsub("@PREFIX@", prefix), { cwd = folder })
    run_example(folder .. "/" .. path)
  end

  it("is found by pkg-config", function()
    if not command.exists "pkg-config" then
      pending "no pkg-config"
      return
    end
    local flags = "$(PKG_CONFIG_PATH=@PREFIX@/lib/pkgconfig pkg-config --cflags --libs lunette)"
    build_and_run("by-pkg-config", "cc main.c -o by-pkg-config -Wl,-rpath,@PREFIX@/lib " .. flags)
  end)

  it("is used by a makefile, shared and static", function()
    build_and_run("engine-minimal", "make -s LUNETTE=@PREFIX@ engine-minimal")
    build_and_run("engine-minimal-static", "make -s LUNETTE=@PREFIX@ engine-minimal-static")
  end)

  it("is found by CMake", function()
    if not command.exists "cmake" then
      pending "no cmake"
      return
    end
    local configure = "cmake -B by-cmake -DCMAKE_PREFIX_PATH=@PREFIX@ -DCMAKE_BUILD_TYPE=Release"
    build_and_run("by-cmake/engine-minimal", configure .. " && cmake --build by-cmake")
  end)

  it("gives a program the API of the Lua inside", function()
    local file <close> = assert(io.open(folder .. "/values.c", "w"))
    file:write [[
      #include <lunette.h>
      #include <lunette_lua.h>
      #include <stdio.h>
      static int show(lua_State *L) {
        lua_getglobal(L, "x");
        printf("%s %lld", luaL_typename(L, -1), (long long)lua_tointeger(L, -1));
        printf(" %d\n", *(int *)lua_touserdata(L, 1));
        return luaL_error(L, "and %d", 2);
      }
      int main(void) {
        int number = 7;
        LunetteHost *host;
        LunetteOptions options = {sizeof options, NULL, "x = 1 << 40"};
        if (lunette_open(&options, &host) != LUNETTE_OK) return 1;
        int status = lunette_call(host, show, &number);
        printf("%s %.5s\n", lunette_result_name(status), lunette_error(host));
        return lunette_close(host);
      }
    ]]
    file:flush()
    local flags = ("-I%s/include -isystem /usr/include/lua5.4"):format(prefix)
    local shared = "-L@/lib -Wl,-rpath,@/lib -llunette"
    for _, library in ipairs { shared, "@/lib/liblunette.a -lm -ldl -pthread" } do
      local text = "cc %s values.c -o values %s && ./values"
      local said = command.run(text:format(flags, (library:gsub("@", prefix))), { cwd = folder })
      assert.equal("number 1099511627776 7\nLUNETTE_FAILED and 2\n", said)
    end
  end)

  it("has a header that C99 and C++17 take without a warning", function()
    local compilers = { "cc -std=c99 -x c", "cc -std=c11 -x c" }
    if command.exists "c++" then compilers[3] = "c++ -std=c++17 -x c++" end
    for _, compiler in ipairs(compilers) do
      local text = "echo '#include <lunette.h>' | %s -Wall -Wextra -pedantic -Werror "
        .. "-I%s/include -fsyntax-only -"
      command.run(text:format(compiler, prefix))
    end
  end)

  it("shows nothing but its own names", function()
    local list = "cd %s/lib && nm -D --defined-only liblunette.so && nm -g --defined-only *.a"
    local names = command.run(list:format(prefix))
    local count = 0
    for name in names:gmatch "%x+ %a ([^\n]+)" do
      assert.matches("^lunette_", name)
      count = count + 1
    end
    assert.is_true(count > 100)
  end)

  it("can be moved, and staged by DESTDIR", function()
    local stage = app.folder {}
    local install = "make --no-print-directory BUILD=%s DESTDIR=%s PREFIX=/opt/lunette install"
    command.run(install:format(build, stage))
    local said = command.run(("%s/opt/lunette/bin/lunette --version"):format(stage))
    assert.matches("^Lunette %d", said)
    local text = command.run(("cat %s/opt/lunette/lib/pkgconfig/lunette.pc"):format(stage))
    assert.matches("prefix=/opt/lunette\n", text)
    assert.matches("\nVersion: " .. said:match "%d[%d.]+" .. "\n", text)
    app.remove(stage)
  end)
end or function() end)
