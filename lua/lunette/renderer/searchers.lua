--- `package.searchers` of a sandboxed page.

-- The searcher of `require`: the app's own files, which main reads.
local function app_searcher(globals, host)
  return function(name)
    local file, source = host.find_module(name)
    if not file then return source end
    local chunk, err = load(source, "@" .. file, "t", globals)
    if not chunk then
      error(("error loading module '%s' from file '%s':\n\t%s"):format(name, file, err), 0)
    end
    return chunk, file
  end
end

local function preload_searcher(package)
  return function(name)
    local loader = package.preload[name]
    if loader then return loader, ":preload:" end
    return ("\n\tno field package.preload['%s']"):format(name)
  end
end

---@param globals table the page's
---@param host PageHost
---@return function[]
return function(globals, host)
  return { preload_searcher(globals.package), app_searcher(globals, host) }
end
