--- Paths and file: URLs as text. Nothing here looks at a disk, so links are not followed.

local M = {}

--- Whether a path starts at the root.
---@param path string
---@return boolean
function M.is_absolute(path)
  return path:sub(1, 1) == "/"
end

--- Resolves "." and "..", and drops doubled and trailing slashes. What would be above the root is
--- the root; "" becomes ".".
---@param path string
---@return string
function M.normalize(path)
  local absolute, parts = M.is_absolute(path), {}
  for part in path:gmatch("[^/]+") do
    local last = parts[#parts]
    if part == ".." and last and last ~= ".." then
      parts[#parts] = nil
    elseif part ~= "." and not (part == ".." and absolute) then
      parts[#parts + 1] = part
    end
  end
  local text = table.concat(parts, "/")
  if absolute then return "/" .. text end
  return text == "" and "." or text
end

--- Puts paths after one another and normalizes the result. An absolute one does not start anew: see
--- `resolve`.
---@param ... string
---@return string
function M.join(...)
  local parts = {}
  for _, part in ipairs({ ... }) do
    if part ~= "" then parts[#parts + 1] = part end
  end
  return M.normalize(table.concat(parts, "/"))
end

--- A path as seen from a folder: itself when it is absolute, else joined to it. Normalized.
---@param base string
---@param path string
---@return string
function M.resolve(base, path)
  return M.is_absolute(path) and M.normalize(path) or M.join(base, path)
end

--- The folder that a path is in: "." when it names none.
---@param path string
---@return string
function M.dirname(path)
  local folder = path:gsub("/+$", ""):match("^(.*)/[^/]*$")
  if not folder then return path:find("^/") and "/" or "." end
  folder = folder:gsub("/+$", "")
  return folder == "" and "/" or folder
end

--- The last part of a path, without trailing slashes.
---@param path string
---@return string
function M.basename(path)
  return (path:gsub("/+$", ""):match("[^/]*$"))
end

--- The last part's extension with its dot, or "". A name that only starts with a dot has none.
---@param path string
---@return string
function M.extension(path)
  return M.basename(path):match("[^.].*(%.[^.]*)$") or ""
end

--- Whether a path is a folder or somewhere below it, once "." and ".." are resolved. A relative
--- path starts at the folder.
---@param root string
---@param path string
---@return boolean
function M.is_inside(root, path)
  root, path = M.normalize(root), M.resolve(root, path)
  if path == root or root == "/" then return true end
  if root == "." then return not (path == ".." or path:find("^%.%./")) end
  return path:sub(1, #root + 1) == root .. "/"
end

local function decode_percent(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- The path that a file: URL names, without its query and fragment.
---@param url string
---@return string? path
---@return string? reason why there is none
function M.from_file_url(url)
  local rest = url:match("^[Ff][Ii][Ll][Ee]://(.*)$")
  if not rest then return nil, "not a file: URL" end
  local host, path = rest:gsub("[?#].*$", ""):match("^([^/]*)(/.*)$")
  if not path then return nil, "a file: URL without a path" end
  if host ~= "" and host:lower() ~= "localhost" then
    return nil, "a file: URL of another host"
  end
  if path:find("%%2[Ff]") then return nil, "a file: URL with an encoded slash" end
  local decoded = decode_percent(path)
  if not decoded then return nil, "a file: URL with a malformed escape" end
  if decoded:find("\0", 1, true) then return nil, "a file: URL with an encoded zero byte" end
  return decoded
end

--- The file: URL of an absolute path.
---@param path string
---@return string
function M.to_file_url(path)
  return "file://" .. path:gsub("[^A-Za-z0-9/._~!$&'()*+,;=:@-]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
end

return M
